"""Two tables of predictions over one reference, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.cases import NONE, Cases, Codes, Per, Rows
from grading.evaluation.comparison import Comparison, compare
from grading.evaluation.delimited import CasesError
from grading.evaluation.evaluate import Sampling
from grading.evaluation.selection import outcomes
from grading.grades import Finding

NAMES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Pair:
    """The rows that two tables share, in one order, with one reference."""

    first: Cases
    second: Cases
    only_first: int
    """Rows of the first table that the second lacks, predicts not, or excludes."""
    only_second: int


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two tables' figures and their differences."""

    pair: Pair
    sampling: Sampling
    comparisons: Mapping[Per, Mapping[Finding, Comparison]]


def pair(first: Cases, second: Cases) -> Pair:
    """Return the rows that both tables have, and predict alike or not at all.

    Raises
    ------
    CasesError
        The tables differ about the patient or the reference of a row.
    """
    here = {first.key(row): row for row in range(len(first))}
    both = [
        (row, other)
        for other in range(len(second))
        if (row := here.get(second.key(other))) is not None
    ]
    rows, others = np.array(sorted(both), np.intp).reshape(-1, 2).T
    comparable = _comparable(first, second, rows, others)
    rows, others = rows[comparable], others[comparable]
    _check_patients(first, second, rows, others)
    references = _references(first, second, rows, others)
    shared = replace(first.take(rows), references=references)
    return Pair(
        first=shared,
        second=replace(
            shared, source=second.source, probabilities=second.probabilities[others]
        ),
        only_first=len(first) - len(rows),
        only_second=len(second) - len(rows),
    )


def side_by_side(pair: Pair, sampling: Sampling) -> SideBySide:
    """Compare the predictions of two tables on the rows that they share."""
    return SideBySide(
        pair=pair,
        sampling=sampling,
        comparisons={
            per: {
                finding: _compare(pair, finding, per, sampling) for finding in Finding
            }
            for per in Per
        },
    )


def _compare(pair: Pair, finding: Finding, per: Per, sampling: Sampling) -> Comparison:
    return compare(
        outcomes(pair.first, finding, per),
        outcomes(pair.second, finding, per),
        seed=sampling.seed,
        resamples=sampling.resamples,
        names=NAMES,
    )


def _comparable(first: Cases, second: Cases, rows: Codes, others: Codes) -> Rows:
    included = first.included[rows] & second.included[others]
    return np.asarray(included & (first.predicted[rows] == second.predicted[others]))


def _references(
    first: Cases, second: Cases, rows: Codes, others: Codes
) -> NDArray[np.int8]:
    """Return the reference of each shared row, from whichever table gives one."""
    here, there = first.references[rows], second.references[others]
    for i in np.flatnonzero((here != there) & (here != NONE) & (there != NONE)):
        raise _contradiction(
            first,
            second,
            (rows[i], others[i]),
            f"`reference` is {there[i]} here and {here[i]}",
        )
    return np.asarray(np.where(here == NONE, there, here))


def _check_patients(first: Cases, second: Cases, rows: Codes, others: Codes) -> None:
    for place in zip(rows.tolist(), others.tolist(), strict=True):
        if first.patients[place[0]] != second.patients[place[1]]:
            # A patient's key may be a Patient ID, which no message repeats.
            raise _contradiction(first, second, place, "`patient` is another here than")


def _contradiction(
    first: Cases, second: Cases, place: tuple[int, int], found: str
) -> CasesError:
    row, other = place
    return CasesError(
        second.source.path,
        int(second.lines[other]),
        f"{found} in line {first.lines[row]} of {first.source.path.name}; both tables "
        "must say the same",
    )
