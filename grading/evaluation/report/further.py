"""The remaining sections: the paper's table, groups, rows left out, the glossary."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.cases import Per
from grading.evaluation.evaluate import Evaluation, Group
from grading.evaluation.metrics import MEANINGS, Metric
from grading.evaluation.report.blocks import (
    SYMBOLS,
    Cell,
    Definitions,
    Leaf,
    Mark,
    Paragraph,
    Section,
    Table,
)
from grading.evaluation.report.participants import left_out_table
from grading.evaluation.report.printing import (
    BLANK,
    constant_cell,
    counted,
    figure_cell,
    gain,
    metric_cell,
)
from grading.evaluation.report.summary import always
from grading.evaluation.scores import Scores
from grading.grades import Finding, Grade

GROUP_METRICS = (
    Metric.AC1,
    Metric.MACRO_F1,
    Metric.SENSITIVITY,
    Metric.SPECIFICITY,
)
FURTHER_MEANINGS = {
    "precision": "of the cases given a grade, the share that have it",
    "recall": "of the cases that have a grade, the share that were given it",
    "F1": "harmonic mean of precision and recall",
    "constant predictor": (
        "says the most frequent grade of the reference every time; a model that does "
        "not beat it adds nothing"
    ),
    "95 % interval": (
        "middle 95 % of a figure over resamples of whole patients, a little wider "
        "where patients are few"
    ),
    "Gwet's own interval": (
        "by his formula, as the paper prints it; it takes slices for independent and "
        "is too narrow where a patient has several"
    ),
    "per level": (
        "one case is a disc level of a study: the mean of its slices' probabilities "
        "against the level's own reference grade or, without one, the worst of its "
        "slices', which a mean tends to stay below"
    ),
    "reliability diagram": (
        "how often the model is right, against the probability it gives its grade"
    ),
    "share referred": (
        "cases whose most probable grade is less probable than some limit, so that a "
        "person reads them instead"
    ),
}


def paper_section(evaluation: Evaluation) -> Section:
    """Return the figures in the form of Tables 3 and 4 of the paper."""
    groups = [evaluation.whole(per) for per in Per]
    tables = [_paper_table(group) for group in groups if _compared(group)]
    return Section(
        "In the paper's form",
        (
            Paragraph(
                "As Tables 3 and 4 of Su et al. 2022 print it: overall precision and "
                "F1 weighted by support, sensitivity and specificity of grade 0 "
                "against 1-3, Gwet's AC1 with his own interval."
            ),
            *tables,
        ),
    )


def groups_section(evaluation: Evaluation) -> Section | None:
    """Return rows per site and scanner; None where there is one of each at most."""
    kinds = dict.fromkeys(
        group.kind for group in evaluation.groups if group.kind != "all"
    )
    tables = [
        _groups_table(evaluation, kind, per)
        for kind in kinds
        for per in Per
        if _compared(evaluation.whole(per))
    ]
    return Section("By site and scanner", tuple(tables)) if tables else None


def left_out_section(evaluation: Evaluation) -> Section:
    """Return what was not compared, and why."""
    left_out = evaluation.flow.left_out
    blocks: list[Leaf] = (
        [left_out_table(left_out)]
        if left_out
        else [Paragraph("Every row of the table is compared.")]
    )
    return Section("Rows left out", tuple(blocks))


def glossary() -> Section:
    """Return every word that names a figure."""
    metrics = {metric.value: MEANINGS[metric] for metric in Metric}
    entries = tuple((metrics | FURTHER_MEANINGS).items())
    return Section("What the words mean", (Definitions(entries),))


def _paper_table(group: Group) -> Table:
    return Table(
        name=f"paper-form-per-{group.per}",
        title=f"Performance per {group.per}",
        columns=(
            "predicted grade",
            "precision",
            "F1",
            "accuracy",
            "sensitivity",
            "specificity",
            "Gwet AC1",
        ),
        rows=tuple(row for scores in _compared(group) for row in _paper_rows(scores)),
        rows_together=1 + len(Grade),
    )


def _paper_rows(scores: Scores) -> Iterator[tuple[Cell, ...]]:
    overall = (
        Metric.WEIGHTED_PRECISION,
        Metric.WEIGHTED_F1,
        Metric.ACCURACY,
        Metric.SENSITIVITY,
        Metric.SPECIFICITY,
    )
    cells = (metric_cell(metric, scores.figures[metric]) for metric in overall)
    coefficient = scores.ac1_by_formula.coefficient
    yield Cell(scores.finding), *cells, metric_cell(Metric.AC1, coefficient)
    for one in scores.grades:
        figures = figure_cell(one.precision), figure_cell(one.f1)
        name = f"{scores.finding} grade{BLANK}{one.grade}"
        yield Cell(name), *figures, *[Cell("")] * 4


def _groups_table(evaluation: Evaluation, kind: str, per: Per) -> Table:
    groups = [evaluation.whole(per)]
    groups += [it for it in evaluation.groups if it.kind == kind and it.per is per]
    return Table(
        name=f"{kind}s-per-{per}",
        title=f"By {kind}, per {per}",
        columns=(kind, "accuracy", "constant", *GROUP_METRICS),
        rows=tuple(row for group in groups for row in _group_rows(group)),
        note=(
            "The constant is the accuracy of each row's own most frequent grade; ▼ it "
            "does better than the model, ≈ it may."
        ),
        rows_together=len(Finding),
    )


def _group_rows(group: Group) -> Iterator[tuple[Cell, ...]]:
    for finding, scores in group.scores.items():
        name = f"{group.name}, {finding}"
        cases = counted(scores.cases, "case"), counted(scores.patients, "patient")
        yield (
            Cell(name, ", ".join(cases)),
            metric_cell(Metric.ACCURACY, scores.figures[Metric.ACCURACY]),
            _constant(scores),
            *(metric_cell(it, scores.figures[it]) for it in GROUP_METRICS),
        )


def _constant(scores: Scores) -> Cell:
    """Return the constant's accuracy, marked where the model is not better."""
    accuracy = scores.constant.figures[Metric.ACCURACY]
    text = constant_cell(Metric.ACCURACY, accuracy).text
    mark = gain(scores.constant.advantage[Metric.ACCURACY])
    if mark in (None, Mark.BETTER):
        return Cell(text, always(scores.constant))
    return Cell(f"{SYMBOLS[mark]} {text}", always(scores.constant), mark)


def _compared(group: Group) -> list[Scores]:
    return [scores for scores in group.scores.values() if scores.cases]
