"""What Su et al. 2022 print, and the counts that their tables can be traced back to.

The paper prints rounded percentages. With the supports of its Table 2 they admit,
for each finding and test set, one set of whole numbers only: how often each grade
was predicted, and how often rightly (one misprint allowed for, see ``MISPRINTS``).
Where the errors lie is not known, and none of the printed figures depends on it.

Su et al., Front Endocrinol 13:890371, 2022, Tables 2 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from grading.grades import Finding, Grade

Counts = tuple[int, int, int, int]
"""Grade 0 to grade 3."""


class PaperTable(StrEnum):
    """The two tables of results."""

    INTERNAL = "Table 3, internal test dataset"
    EXTERNAL = "Table 4, external test dataset"


class Column(StrEnum):
    """What both tables print, as they call it, left to right."""

    PRECISION = "Precision (%)"
    F1 = "F1 Score (%)"
    ACCURACY = "Accuracy (%)"
    SENSITIVITY = "Sensitivity (%)"
    SPECIFICITY = "Specificity (%)"
    GWET = "Gwet k"


@dataclass(frozen=True, slots=True)
class Cell:
    """One place in a table."""

    table: PaperTable
    finding: Finding
    grade: Grade | None
    """None in the row of the finding itself."""
    column: Column


@dataclass(frozen=True, slots=True)
class Recovered:
    """The counts behind one finding of one test set."""

    support: Counts
    """Slices of each grade in the reference."""
    predicted: Counts
    """Slices that were given each grade."""
    correct: Counts
    """Slices that were rightly given each grade."""

    def confusion(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return (4, 4) one confusion matrix with these counts, its errors at random.

        Each error takes a reference grade and a different predicted grade that
        both have errors left. A grade with as many left, both ways together, as
        there are errors at all must take part in the next one, or none would fit
        in the end.
        """
        correct = np.array(self.correct)
        missed, wrong = self.support - correct, self.predicted - correct
        confusion = np.diag(correct)
        while remaining := int(missed.sum()):
            pressing = set(np.flatnonzero(missed + wrong == remaining).tolist())
            fitting = [
                (row, column)
                for row in np.flatnonzero(missed).tolist()
                for column in np.flatnonzero(wrong).tolist()
                if row != column and pressing <= {row, column}
            ]
            row, column = fitting[rng.integers(len(fitting))]
            confusion[row, column] += 1
            missed[row] -= 1
            wrong[column] -= 1
        return confusion


RECOVERED: Mapping[tuple[PaperTable, Finding], Recovered] = {
    (PaperTable.INTERNAL, Finding.LDH): Recovered(
        support=(1121, 864, 287, 27),
        predicted=(1144, 874, 243, 38),
        correct=(1034, 700, 182, 19),
    ),
    (PaperTable.INTERNAL, Finding.LCCS): Recovered(
        support=(1902, 343, 40, 14),
        predicted=(1936, 278, 61, 24),
        correct=(1798, 176, 17, 9),
    ),
    (PaperTable.INTERNAL, Finding.LNRC): Recovered(
        support=(1616, 424, 127, 132),
        predicted=(1643, 497, 33, 126),
        correct=(1501, 272, 9, 85),
    ),
    (PaperTable.EXTERNAL, Finding.LDH): Recovered(
        support=(550, 499, 196, 28),
        predicted=(579, 383, 282, 29),
        correct=(484, 301, 151, 8),
    ),
    (PaperTable.EXTERNAL, Finding.LCCS): Recovered(
        support=(1105, 105, 42, 21),
        predicted=(965, 121, 108, 79),
        correct=(956, 28, 10, 20),
    ),
    (PaperTable.EXTERNAL, Finding.LNRC): Recovered(
        support=(866, 305, 44, 58),
        predicted=(886, 253, 4, 130),
        correct=(759, 143, 1, 41),
    ),
}

_PRINTED_ROWS: Mapping[tuple[PaperTable, Finding], str] = {
    (PaperTable.INTERNAL, Finding.LDH): """
        84.1 84.1 84.2 90.7 92.2 0.80
        90.4 91.3
        80.1 80.6
        74.9 68.7
        50.0 58.5""",
    (PaperTable.INTERNAL, Finding.LCCS): """
        87.0 86.8 87.0 65.2 94.5 0.85
        92.9 93.7
        63.3 56.7
        27.9 33.7
        37.5 47.4""",
    (PaperTable.INTERNAL, Finding.LNRC): """
        79.7 80.0 81.2 79.2 92.9 0.78
        91.4 92.1
        54.7 59.1
        27.3 11.2
        67.5 65.9""",
    (PaperTable.EXTERNAL, Finding.LDH): """
        75.8 74.1 74.2 86.9 88.0 0.67
        83.6 85.7
        78.6 68.3
        53.5 63.2
        27.6 28.1""",
    (PaperTable.EXTERNAL, Finding.LCCS): """
        88.6 83.3 79.7 94.6 86.5 0.77
        99.1 92.4
        23.1 24.8
        9.1 13.3
        25.3 40.0""",
    (PaperTable.EXTERNAL, Finding.LNRC): """
        74.1 73.4 74.2 68.8 87.6 0.69
        85.7 86.6
        56.5 51.3
        25.0 4.2
        31.5 43.6""",
}

PRINTED: Mapping[Cell, str] = {
    Cell(table, finding, grade, column): text
    for (table, finding), rows in _PRINTED_ROWS.items()
    for grade, row in zip((None, *Grade), rows.split("\n")[1:], strict=True)
    # The rows of single grades have the first two columns only.
    for column, text in zip(Column, row.split(), strict=False)
}
"""Every figure of Tables 3 and 4, to the digit."""

MISPRINTS: Mapping[Cell, str] = {
    Cell(PaperTable.INTERNAL, Finding.LCCS, None, Column.GWET): (
        "the paper's own text and discussion say 0.86"
    ),
    Cell(PaperTable.EXTERNAL, Finding.LCCS, Grade.GRADE_2, Column.PRECISION): (
        "only 10 of 108 fits the F1 score, the sum of the predictions and the accuracy"
    ),
}
"""Why these cells, and no others, are taken for misprints."""
