"""Tables of predictions with the confusion matrices that the paper admits."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.case_file import COLUMNS, PROBABILITY_COLUMNS
from grading.evaluation.paper_tables import RECOVERED, PaperTable
from grading.grades import Finding, Grade, Level

SLICES_PER_PATIENT = 15
SLICES_PER_LEVEL = 3
LEVELS = list(Level)[1:]
EXTRA_COLUMNS = ("site", "scanner", "sex", "age", "excluded")
SCANNERS = ("Verio 3 T", "Aera 1.5 T", "Ingenia 3 T")

Row = dict[str, str]


def paper_rows(
    table: PaperTable = PaperTable.EXTERNAL, *, seed: int = 1, keep: float = 1.0
) -> Iterator[Row]:
    """Yield one row per slice and finding; ``keep`` is the share of the slices."""
    rng = np.random.default_rng(seed)
    graded = {finding: _graded(table, finding, rng) for finding in Finding}
    slices = len(graded[Finding.LDH])
    for i in np.flatnonzero(rng.random(slices) < keep).tolist():
        for finding in Finding:
            reference, predicted = graded[finding][i].tolist()
            yield {
                **slice_place(i),
                "finding": finding.value,
                "reference": str(reference),
                **probability_cells(predicted, rng),
            }


def slice_place(i: int) -> Row:
    """Return the place of slice ``i``: fifteen to a patient, three to a level."""
    patient, number = divmod(i, SLICES_PER_PATIENT)
    study = f"1.2.826.0.1.{patient + 1}"
    return {
        "patient": f"P{patient + 1:03d}",
        "study": study,
        "series": f"{study}.1",
        "sop_instance": f"{study}.1.{number + 1}",
        "frame": "1",
        "level": LEVELS[number // SLICES_PER_LEVEL].value,
        "site": "north" if patient % 3 else "south",
        "scanner": SCANNERS[patient % 3],
        "sex": "FM"[patient % 2],
        "age": str(20 + 37 * patient % 60),
    }


def probability_cells(grade: int, rng: np.random.Generator) -> Row:
    """Return four printed probabilities of which the grade's is the largest."""
    strengths = rng.gamma(0.7, 1.0, len(Grade)) * np.exp(-abs(np.arange(4) - grade))
    strengths[grade] = strengths.max() + rng.gamma(2.0, 0.4)
    parts = np.floor(10_000 * strengths / strengths.sum()).astype(int)
    parts[grade] += 10_000 - parts.sum()
    cells = (f"{part / 10_000:.4f}" for part in parts.tolist())
    return dict(zip(PROBABILITY_COLUMNS, cells, strict=True))


def write_table(
    path: Path,
    rows: Iterable[Mapping[str, str]],
    *,
    columns: tuple[str, ...] = (*COLUMNS, *EXTRA_COLUMNS),
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> Path:
    """Write rows as a table; what a row does not say stays empty."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _graded(
    table: PaperTable, finding: Finding, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return (slices, 2) reference and predicted grade; patients resemble themselves.

    Slices are sorted by their grade and much noise, and patients cut from that.
    """
    confusion = RECOVERED[table, finding].confusion(rng)
    pairs = np.repeat(np.argwhere(confusion >= 0), confusion.ravel(), axis=0)
    return pairs[np.argsort(pairs[:, 0] + rng.normal(0.0, 1.5, len(pairs)))]
