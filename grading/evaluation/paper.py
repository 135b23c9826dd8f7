"""The paper's Tables 3 and 4 again, figured anew from the recovered counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.metrics import Metric, over_grades, per_grade
from grading.evaluation.paper_tables import (
    MISPRINTS,
    PRINTED,
    RECOVERED,
    Cell,
    Column,
    PaperTable,
)
from grading.grades import Finding, Grade

ROUNDING = (
    "Rounded to the nearest printed digit, an exact half to the even digit "
    "(LNRC grade 2 of Table 3: 11.25 to 11.2)."
)
RESIDUE_DIGITS = 9
"""Of a fraction: what binary arithmetic leaves beyond them must not decide a half."""
ERRATUM_MARK = "*"

_OVERALL: Mapping[Column, Metric] = {
    Column.PRECISION: Metric.WEIGHTED_PRECISION,
    Column.F1: Metric.WEIGHTED_F1,
    Column.ACCURACY: Metric.ACCURACY,
    Column.SENSITIVITY: Metric.SENSITIVITY,
    Column.SPECIFICITY: Metric.SPECIFICITY,
    Column.GWET: Metric.AC1,
}
"""What the paper's columns are, as far as it says, and else as the counts prove."""


def reproduce() -> str:
    """Return both tables as text, with the errata below.

    Raises
    ------
    ValueError
        A figure differs from the printed one and is no named misprint.
    """
    cells = {cell: text for pair in RECOVERED for cell, text in recomputed(*pair)}
    lines = [ROUNDING]
    for table in PaperTable:
        lines += ["", table.value, *_table(table, cells)]
    lines += ["", f"Errata ({ERRATUM_MARK}):"]
    lines += [
        f"{_place(cell)}: printed {PRINTED[cell]}, the counts give {cells[cell]}; "
        f"{MISPRINTS[cell]}."
        for cell in errata(cells)
    ]
    return "\n".join(lines)


def errata(cells: Mapping[Cell, str]) -> list[Cell]:
    """Return the cells that the paper prints otherwise.

    Raises
    ------
    ValueError
        One of them is no named misprint.
    """
    different = [cell for cell, text in cells.items() if text != PRINTED[cell]]
    for cell in different:
        if cell not in MISPRINTS:
            raise ValueError(
                f"{_place(cell)}: printed {PRINTED[cell]}, "
                f"the counts give {cells[cell]}, and no misprint is known there"
            )
    return different


def recomputed(table: PaperTable, finding: Finding) -> Iterator[tuple[Cell, str]]:
    """Yield each cell of one finding with the figure that its counts give."""
    # Any matrix with these counts gives the same figures.
    confusion = RECOVERED[table, finding].confusion(np.random.default_rng(0))
    yield from rounded_cells(table, finding, confusion)


def rounded_cells(
    table: PaperTable, finding: Finding, confusion: NDArray[np.int64]
) -> Iterator[tuple[Cell, str]]:
    """Yield what the paper would print of this (4, 4) confusion matrix."""
    counts = confusion.astype(np.float64)
    overall, single = over_grades(counts), per_grade(counts)
    for column, metric in _OVERALL.items():
        yield (
            Cell(table, finding, None, column),
            rounded(float(overall[metric]), column),
        )
    for grade in Grade:
        for column, figures in (
            (Column.PRECISION, single.precision),
            (Column.F1, single.f1),
        ):
            cell = Cell(table, finding, grade, column)
            yield cell, rounded(float(figures[grade]), column)


def rounded(fraction: float, column: Column) -> str:
    """Return a fraction as its column prints it: see ``ROUNDING``."""
    exact = Decimal(f"{fraction:.{RESIDUE_DIGITS}f}")
    if column is Column.GWET:
        return str(exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
    return str((exact * 100).quantize(Decimal("0.1"), ROUND_HALF_EVEN))


def _table(table: PaperTable, cells: Mapping[Cell, str]) -> Iterator[str]:
    yield f"{'':8}" + "".join(f"{column.value:>17}" for column in Column).rstrip()
    for finding in Finding:
        for grade in (None, *Grade):
            name = finding.value if grade is None else f"Grade {grade.value}"
            places = (Cell(table, finding, grade, column) for column in Column)
            figures = "".join(f"{_marked(cell, cells):>17}" for cell in places)
            yield f"{name:8}{figures}".rstrip()


def _marked(cell: Cell, cells: Mapping[Cell, str]) -> str:
    if cell not in cells:
        return ""
    # A blank in the mark's place keeps the digits below each other.
    mark = " " if cells[cell] == PRINTED[cell] else ERRATUM_MARK
    return cells[cell] + mark


def _place(cell: Cell) -> str:
    grade = "" if cell.grade is None else f" grade {cell.grade.value}"
    return f"{cell.table}, {cell.finding}{grade}, {cell.column}"
