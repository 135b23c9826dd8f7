"""What a reader must know first: whether the model does better than no model."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.cases import TEST_PART, Per, Source
from grading.evaluation.evaluate import Evaluation, Group
from grading.evaluation.metrics import Metric
from grading.evaluation.report.blocks import (
    Cell,
    Leaf,
    Mark,
    Notice,
    Paragraph,
    Section,
    Table,
)
from grading.evaluation.report.printing import (
    constant_cell,
    counted,
    difference_cell,
    gain,
    listed,
    metric_cell,
    printer,
)
from grading.evaluation.scores import ConstantPredictor, Scores

HEADLINE = (
    Metric.ACCURACY,
    Metric.AC1,
    Metric.MACRO_F1,
    Metric.BALANCED_ACCURACY,
)
"""The paper's two, and two that rare grades weigh in as much as frequent ones."""


def summary(evaluation: Evaluation) -> Section:
    """Return the warnings and the headline tables."""
    blocks: list[Leaf] = [_how_counted(evaluation), *not_new(evaluation.cases.source)]
    groups = [evaluation.whole(per) for per in Per]
    filled = [group for group in groups if _compared(group)]
    if not filled:
        blocks.append(Notice(Mark.WORSE, "No figure", _nothing_compared(evaluation)))
    notices = [notice for group in filled for notice in _notices(group)]
    blocks += notices or _all_better(filled)
    blocks += [headline_table(group) for group in filled]
    return Section("In short", tuple(blocks))


def not_new(*sources: Source) -> Iterator[Notice]:
    """Yield a warning for each part whose images are not new to a bundle."""
    parts = dict.fromkeys(part for source in sources for part in source.learned_from)
    for part in parts:
        yield Notice(
            Mark.WORSE,
            f"Part '{part}'",
            "bundles learn from these images, or are calibrated on them: such figures "
            f"are too good. Only those of the part '{TEST_PART}' tell about others.",
        )


def always(constant: ConstantPredictor) -> str:
    """Return the name of the constant predictor."""
    return f"always grade {constant.grade}" if constant.grade is not None else "-"


def headline_table(group: Group) -> Table:
    """Return model, constant and difference below each other, finding by finding."""
    rows = [row for scores in _compared(group) for row in _headline_rows(scores)]
    return Table(
        name=f"headline-per-{group.per}",
        title=f"Model and constant predictor, per {group.per}",
        columns=("finding", *HEADLINE),
        rows=tuple(rows),
        note=(
            "The constant predictor says the most frequent grade of the reference "
            "every time. ▲ the model is better, ▼ worse, ≈ the difference may be "
            "chance. Differences of shares are in percentage points."
        ),
        rows_together=3,
    )


def _headline_rows(scores: Scores) -> Iterator[tuple[Cell, ...]]:
    constant = scores.constant
    cases = Cell(f"{scores.finding}, model", counted(scores.cases, "case"))
    yield cases, *(metric_cell(it, scores.figures[it]) for it in HEADLINE)
    name = Cell(f"{scores.finding}, {always(constant)}")
    yield name, *(constant_cell(it, constant.figures[it]) for it in HEADLINE)
    advantage = constant.advantage
    yield (
        Cell(f"{scores.finding}, difference"),
        *(difference_cell(it, advantage[it], gain(advantage[it])) for it in HEADLINE),
    )


def _notices(group: Group) -> Iterator[Notice]:
    for scores in _compared(group):
        marks = {it: gain(scores.constant.advantage[it]) for it in HEADLINE}
        worse = [it for it, mark in marks.items() if mark is Mark.WORSE]
        unsure = [it for it, mark in marks.items() if mark is Mark.UNSURE]
        where = f"{scores.finding} per {group.per}"
        if worse:
            yield Notice(Mark.WORSE, where, _beaten(scores, worse))
        if unsure:
            yield Notice(
                Mark.UNSURE,
                where,
                f"by {listed(unsure)} these patients do not tell the model from "
                f"{always(scores.constant)}.",
            )


def _beaten(scores: Scores, metrics: list[Metric]) -> str:
    constant = scores.constant
    figures = [
        f"{metric} {_value(metric, constant)} against {_value(metric, scores)}"
        for metric in metrics
    ]
    return (
        f"to say grade {constant.grade} every time, without looking at an image, does "
        f"better than the model: {listed(figures)}."
    )


def _value(metric: Metric, of: Scores | ConstantPredictor) -> str:
    value = of.figures[metric].value
    return "-" if value is None else printer(metric)(value)


def _all_better(groups: list[Group]) -> list[Leaf]:
    if not groups:
        return []
    return [
        Notice(
            Mark.BETTER,
            "Every finding that is compared",
            f"by {listed(HEADLINE)} the model beats a constant grade.",
        )
    ]


def _how_counted(evaluation: Evaluation) -> Paragraph:
    sampling = evaluation.sampling
    return Paragraph(
        "Small print below a figure is its 95 % interval, from "
        f"{sampling.resamples} bootstrap resamples of whole patients (seed "
        f"{sampling.seed}): slices of one patient resemble each other and are never "
        "counted as independent."
    )


def _nothing_compared(evaluation: Evaluation) -> str:
    read = counted(len(evaluation.cases), "row")
    return (
        f"nothing could be compared: of {read} none has both a reference grade and a "
        "prediction. The section on rows left out says why."
    )


def _compared(group: Group) -> list[Scores]:
    return [scores for scores in group.scores.values() if scores.cases]
