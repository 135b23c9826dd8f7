"""The section on readers: how they agree, with each other and with the model."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure
from grading.evaluation.reader_study import (
    FIRST,
    REFERENCE,
    SECOND,
    Disagreement,
    Panel,
    ReaderStudy,
)
from grading.evaluation.report.blocks import (
    Cell,
    Leaf,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
)
from grading.evaluation.report.plots import forest
from grading.evaluation.report.printing import counted, metric_cell
from grading.grades import Grade

SHOWN = 100
"""Disagreements on the page; the CSV file has them all."""
DISAGREEMENTS = "disagreements.csv"
DISAGREEMENT_COLUMNS = (
    "line",
    "patient",
    "study",
    "series",
    "sop_instance",
    "frame",
    "level",
    "finding",
    "reader_a",
    "reader_b",
    "adjudicated",
    "model",
)


def readers_sections(study: ReaderStudy) -> tuple[Section, ...]:
    """Return agreement in figures, and the cases on which readers differ."""
    blocks: list[Leaf] = [Paragraph(line) for line in _sentences(study)]
    for per in dict.fromkeys(panel.per for panel in study.panels):
        panels = [panel for panel in study.panels if panel.per is per]
        blocks += [*_pictures(panels), _agreement_table(panels)]
    agreement = Section("Readers", tuple(blocks))
    if not study.disagreements:
        return (agreement,)
    differing = _disagreement_table(study.disagreements)
    return agreement, Section("Where readers differ", (differing,))


def disagreement_rows(study: ReaderStudy) -> list[tuple[str, ...]]:
    """Return every disagreement, in the columns of ``DISAGREEMENT_COLUMNS``."""
    return [
        (
            f"{one.reading.row.spot.line}",
            one.reading.place.patient,
            one.reading.place.key.study,
            one.reading.place.key.series,
            one.reading.place.key.sop_instance,
            f"{one.reading.place.key.frame}",
            one.reading.place.level or "",
            one.reading.place.key.finding,
            *_grades(one),
        )
        for one in study.disagreements
    ]


def _sentences(study: ReaderStudy) -> Iterator[str]:
    readings = study.readings
    yield (
        f"Two readers graded {counted(len(readings.by_key), 'case')} in "
        f"{readings.path.name} (SHA-256 {readings.sha256}). The reference is what both "
        "say and, where they differ, what the adjudicator says."
    )
    yield f"They differ on {counted(len(study.disagreements), 'case')}."
    if study.excluded:
        yield (
            f"{counted(study.excluded, 'case')} more that they graded are not counted: "
            "the table of predictions excludes them."
        )
    if study.unresolved:
        yield (
            f"{counted(study.unresolved, 'case')} without a reference: the readers "
            "differ or one did not grade, and nobody adjudicated."
        )
    if any(panel.model for panel in study.panels):
        yield (
            "Where two readers differ, nobody can be right by both: how far they agree "
            "is about as far as a model can get. The reference leans towards the "
            "readers, whose own agreement made it."
        )


def _pictures(panels: list[Panel]) -> Iterator[Pictures]:
    """Yield a picture of AC1, where there is any."""
    rows = [
        (f"{panel.finding}: {name}", figure)
        for panel in panels
        for name, _, figures in _comparisons(panel)
        for figure in (figures[Metric.AC1],)
        if figure.value is not None
    ]
    words = "; ".join(f"{name} {metric_cell(Metric.AC1, it).text}" for name, it in rows)
    caption = f"AC1 per {panels[0].per} with its 95 % interval over patients."
    if rows:
        yield Pictures((Picture(forest(rows, "Gwet's AC1"), words, caption),))


def _agreement_table(panels: list[Panel]) -> Table:
    per = panels[0].per
    return Table(
        name=f"readers-per-{per}",
        title=f"Agreement per {per}",
        columns=(
            "finding",
            "cases",
            "same grade",
            "AC1",
            "AC1, Gwet's interval",
            "AC2",
            "quadratic kappa",
        ),
        rows=tuple(row for panel in panels for row in _rows(panel)),
        rows_together=4 if all(panel.model for panel in panels) else 1,
    )


def _rows(panel: Panel) -> Iterator[tuple[Cell, ...]]:
    metrics = Metric.AC2, Metric.KAPPA
    for name, cases, figures in _comparisons(panel):
        yield (
            Cell(f"{panel.finding}: {name}"),
            Cell(f"{cases}"),
            metric_cell(Metric.ACCURACY, figures[Metric.ACCURACY]),
            metric_cell(Metric.AC1, figures[Metric.AC1]),
            metric_cell(Metric.AC1, figures[None]),
            *(metric_cell(metric, figures[metric]) for metric in metrics),
        )


Figures = dict[Metric | None, Figure]
"""None is AC1 with the interval by Gwet's formula."""


def _comparisons(panel: Panel) -> Iterator[tuple[str, int, Figures]]:
    agreement = panel.agreement
    yield (
        "reader A, reader B",
        agreement.cases,
        {
            Metric.ACCURACY: agreement.equal,
            Metric.AC1: agreement.ac1,
            Metric.AC2: agreement.ac2,
            Metric.KAPPA: agreement.kappa,
            None: agreement.ac1_by_formula.coefficient,
        },
    )
    for name in (REFERENCE, FIRST, SECOND) if panel.model else ():
        scores = panel.model[name]
        figures: Figures = dict(scores.figures.items())
        figures[None] = scores.ac1_by_formula.coefficient
        yield f"model, {name}", scores.cases, figures


def _disagreement_table(disagreements: tuple[Disagreement, ...]) -> Table:
    shown = disagreements[:SHOWN]
    hidden = len(disagreements) - len(shown)
    return Table(
        name="disagreements-shown",
        title="Cases on which the readers differ",
        columns=("finding", "level", "A", "B", "adjudicated", "model", "case"),
        rows=tuple(
            (
                Cell(one.reading.place.key.finding),
                Cell(one.reading.place.level or "-"),
                *(Cell(grade or "-") for grade in _grades(one)),
                _where(one),
            )
            for one in shown
        ),
        note=f"{hidden} more stand in {DISAGREEMENTS}." if hidden else "",
        folded=True,
        words=frozenset({6}),
    )


def _where(one: Disagreement) -> Cell:
    place = one.reading.place
    key = place.key
    if not key.sop_instance:
        return Cell(place.patient, f"study {key.study}")
    frame = f", frame {key.frame}" if key.frame > 1 else ""
    return Cell(place.patient, f"SOP Instance {key.sop_instance}{frame}")


def _grades(one: Disagreement) -> tuple[str, ...]:
    reading = one.reading
    return tuple(
        _text(grade)
        for grade in (
            reading.first,
            reading.second,
            reading.adjudicated,
            one.predicted,
        )
    )


def _text(grade: Grade | None) -> str:
    return "" if grade is None else f"{grade.value}"
