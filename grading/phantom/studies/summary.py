"""Grades obtained against grades asked for, as a table for a person to read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from grading.grades import Finding, Grade
from grading.phantom.studies.write import Outcome, WrittenStudy

NONE = len(Grade)
"""Column of the levels on whose middle plane nothing could be measured."""

Counts = NDArray[np.int64]
"""(findings, asked for, measured or none)."""


def summary(written: Iterable[WrittenStudy]) -> str:
    """Count the grades of all studies; returns a table, a line per grade asked for."""
    counts = np.zeros((len(Finding), len(Grade), len(Grade) + 1), np.int64)
    studies = images = 0
    for study in written:
        studies, images = studies + 1, images + study.images
        for outcome in study.outcomes:
            _count(counts, outcome)
    met = sum(int(np.trace(one)) for one in counts)
    heading = (
        f"{studies} studies, {images} images; "
        f"{met} of {counts.sum()} grades measured as asked for"
    )
    tables = [_table(f, one) for f, one in zip(Finding, counts, strict=True)]
    return "\n\n".join([heading, *tables])


def _count(counts: Counts, outcome: Outcome) -> None:
    measured = outcome.measured or (NONE,) * len(Finding)
    for index, (wanted, found) in enumerate(zip(outcome.wanted, measured, strict=True)):
        counts[index, wanted, found] += 1


def _table(finding: Finding, counts: Counts) -> str:
    lines = [
        f"{finding} asked for" + "".join(f"{g.value:>8}" for g in Grade) + "    none"
    ]
    for grade, row in zip(Grade, counts, strict=True):
        cells = "".join(f"{number:>8}" for number in row)
        lines.append(f"{grade.value:>{len(finding) + 10}}{cells}")
    return "\n".join(lines)
