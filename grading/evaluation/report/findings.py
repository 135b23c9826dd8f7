"""One finding in full: matrices, curves, calibration and every figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from grading.evaluation.cases import Per
from grading.evaluation.evaluate import Evaluation
from grading.evaluation.metrics import Metric
from grading.evaluation.report.blocks import (
    Cell,
    Leaf,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
)
from grading.evaluation.report.plots import (
    confusion_matrix,
    referral_curve,
    reliability_diagram,
    roc_curves,
)
from grading.evaluation.report.printing import (
    NOT_DEFINED,
    constant_cell,
    figure_cell,
    metric_cell,
    percent,
    printer,
)
from grading.evaluation.report.summary import always
from grading.evaluation.scores import RocCurve, Scores
from grading.grades import Finding, Grade

NAMES: Mapping[Finding, str] = {
    Finding.LDH: "Lumbar disc herniation (LDH)",
    Finding.LCCS: "Lumbar central canal stenosis (LCCS)",
    Finding.LNRC: "Lumbar nerve root compression (LNRC)",
}


def finding_section(evaluation: Evaluation, finding: Finding) -> Section:
    """Return everything about one finding, per slice and per level."""
    found = {per: evaluation.whole(per).scores[finding] for per in Per}
    compared = {per: scores for per, scores in found.items() if scores.cases}
    blocks: list[Leaf] = [
        Paragraph(f"No {per} can be compared for {finding}.")
        for per in found
        if per not in compared
    ]
    if compared:
        blocks += [
            Pictures(tuple(_matrices(compared))),
            _all_figures(compared, finding),
            *(_per_grade(scores, per) for per, scores in compared.items()),
            *(_pictures(scores, per) for per, scores in compared.items()),
            *(_confusion_table(scores, per) for per, scores in compared.items()),
        ]
    return Section(NAMES[finding], tuple(blocks))


def roc_section(evaluation: Evaluation) -> Section:
    """Return the ROC curves of all findings in one figure, per slice and per level."""
    pictures = []
    blocks: list[Leaf] = []
    for per in Per:
        scores = evaluation.whole(per).scores
        curves = {
            finding: (one.roc, f"{finding}: AUC {_auc(one)}")
            for finding, one in scores.items()
            if one.roc is not None
        }
        blocks += [
            Paragraph(
                f"{finding} per {per}: the curve is {NOT_DEFINED}, because "
                f"{one.figures[Metric.AUC].undefined}."
            )
            for finding, one in scores.items()
            if finding not in curves
        ]
        if curves:
            pictures.append(_roc_picture(curves, per))
    return Section("Severe or not: ROC curves", (Pictures(tuple(pictures)), *blocks))


def _roc_picture(curves: Mapping[Finding, tuple[RocCurve, str]], per: Per) -> Picture:
    words = "; ".join(words for _, words in curves.values())
    return Picture(
        roc_curves(curves),
        f"ROC curves per {per}, grades 2-3 against 0-1: {words}",
        f"Per {per}: grades 2-3 against 0-1, by the sum of their probabilities.",
    )


def _auc(scores: Scores) -> str:
    """Return the area with its interval; why there is none would fill the picture."""
    figure = scores.figures[Metric.AUC]
    cell = metric_cell(Metric.AUC, figure)
    return cell.text if figure.low is None else f"{cell.text} ({cell.detail})"


def _matrices(compared: Mapping[Per, Scores]) -> Iterator[Picture]:
    for per, scores in compared.items():
        rows = "; ".join(
            f"reference {grade}: {', '.join(str(n) for n in row)}"
            for grade, row in zip(Grade, scores.confusion.tolist(), strict=True)
        )
        yield Picture(
            confusion_matrix(scores.confusion, f"{scores.finding} per {per}"),
            f"Confusion matrix of {scores.finding} per {per}: {rows}",
            f"Per {per}: counts, and their share of the row.",
        )


def _all_figures(compared: Mapping[Per, Scores], finding: Finding) -> Table:
    columns = ["figure"]
    for per, scores in compared.items():
        columns += [f"model, per {per}", f"{always(scores.constant)}, per {per}"]
    rows = [(Cell(metric), *_both(compared, metric)) for metric in Metric]
    return Table(
        name=f"figures-{finding.value.lower()}",
        title=f"{finding}: all figures",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _both(compared: Mapping[Per, Scores], metric: Metric) -> Iterator[Cell]:
    for scores in compared.values():
        yield metric_cell(metric, scores.figures[metric])
        constant = scores.constant.figures.get(metric)
        yield constant_cell(metric, constant) if constant else Cell("")


def _per_grade(scores: Scores, per: Per) -> Table:
    return Table(
        name=f"grades-{scores.finding.value.lower()}-per-{per}",
        title=f"{scores.finding}: each grade, per {per}",
        columns=("grade", "in the reference", "predicted", "precision", "recall", "F1"),
        rows=tuple(
            (
                Cell(f"grade {one.grade}"),
                Cell(f"{one.support}"),
                Cell(f"{one.predicted}"),
                figure_cell(one.precision),
                figure_cell(one.recall),
                figure_cell(one.f1),
            )
            for one in scores.grades
        ),
    )


def _confusion_table(scores: Scores, per: Per) -> Table:
    return Table(
        name=f"confusion-{scores.finding.value.lower()}-per-{per}",
        title=f"{scores.finding}: confusion matrix, per {per}",
        columns=("reference", *(f"predicted {grade}" for grade in Grade)),
        rows=tuple(
            (Cell(f"grade {grade}"), *(Cell(f"{count}") for count in row))
            for grade, row in zip(Grade, scores.confusion.tolist(), strict=True)
        ),
        folded=True,
    )


def _pictures(scores: Scores, per: Per) -> Pictures:
    error = scores.figures[Metric.ECE].value
    printed = "" if error is None else f": error {printer(Metric.ECE)(error)}"
    return Pictures(
        (
            Picture(
                reliability_diagram(scores.reliability, scores.finding),
                f"Reliability diagram of {scores.finding} per {per}{printed}",
                f"Calibration per {per}{printed}. On the dotted line the model is "
                "right as often as it says.",
            ),
            Picture(
                referral_curve(scores.referral, scores.finding),
                f"Accuracy of {scores.finding} per {per} against the share referred: "
                f"{_referral_words(scores)}",
                f"Per {per}: if the least confident cases go to a person, this is the "
                f"accuracy of the rest; {_referral_words(scores)}.",
            ),
        )
    )


def _referral_words(scores: Scores) -> str:
    """Return the accuracy with none referred and with about a fifth referred."""
    fifth = min(scores.referral, key=lambda it: abs(it.share_referred - 0.2))
    points = {"none": scores.referral[0], percent(fifth.share_referred): fifth}
    return " and ".join(
        f"{percent(point.accuracy.value)} with {share} referred"
        for share, point in points.items()
        if point.accuracy.value is not None
    )
