"""Which cases can be compared, per slice or per level, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.cases import NONE, Cases, Codes, Per, Rows
from grading.evaluation.outcomes import GRADES, Outcomes
from grading.grades import Finding

NO_REFERENCE = "no reference grade"
NO_PREDICTION = "no prediction"
NEITHER = "neither reference grade nor prediction"


@dataclass(frozen=True, slots=True)
class Units:
    """Slices or levels of one finding, complete or not; excluded ones are not here.

    A level's own row speaks for it where the table has one. What such a row leaves
    empty, and all of a level without one, comes from its slices: the worst of their
    reference grades, and the mean of their probabilities, as the node itself grades
    a level.
    """

    finding: Finding
    rows: Codes
    """(units,) a row of each; of a level its first."""
    patients: Codes
    references: NDArray[np.int8]
    """(units,) grade, or ``NONE``."""
    probabilities: NDArray[np.float64]
    """(units, 4), zeros where there is no prediction."""

    @property
    def complete(self) -> Rows:
        """(units,) true where a reference and a prediction can be compared."""
        return np.asarray((self.references != NONE) & self.probabilities.any(axis=1))

    def outcomes(self) -> Outcomes:
        """Return the complete units."""
        complete = self.complete
        return Outcomes(
            self.finding,
            self.patients[complete],
            self.references[complete],
            self.probabilities[complete],
        )

    def fates(self) -> dict[str, Rows]:
        """Return why units cannot be compared: each reason met, with its units."""
        graded, predicted = self.references != NONE, self.probabilities.any(axis=1)
        reasons = {
            NO_REFERENCE: ~graded & predicted,
            NO_PREDICTION: graded & ~predicted,
            NEITHER: ~graded & ~predicted,
        }
        return {reason: units for reason, units in reasons.items() if units.any()}


def units(cases: Cases, finding: Finding, per: Per) -> Units:
    """Return the slices or the levels of one finding."""
    wanted = cases.of(finding) & cases.included
    if per is Per.SLICE:
        return _slices(cases, finding, np.flatnonzero(wanted & ~cases.about_level))
    return _levels(cases, finding, np.flatnonzero(wanted & (cases.discs != NONE)))


def outcomes(cases: Cases, finding: Finding, per: Per) -> Outcomes:
    """Return what can be compared of one finding."""
    return units(cases, finding, per).outcomes()


def _slices(cases: Cases, finding: Finding, rows: Codes) -> Units:
    return Units(
        finding=finding,
        rows=rows,
        patients=cases.patients.codes[rows],
        references=cases.references[rows],
        probabilities=cases.probabilities[rows],
    )


def _levels(cases: Cases, finding: Finding, rows: Codes) -> Units:
    """Return the levels in the order of their first row."""
    _, first, level = np.unique(
        cases.discs[rows], return_index=True, return_inverse=True
    )
    references, probabilities = _of_levels(cases.take(rows), level, len(first))
    order = np.argsort(first)
    first = rows[first[order]]
    return Units(
        finding=finding,
        rows=first,
        patients=cases.patients.codes[first],
        references=references[order],
        probabilities=probabilities[order],
    )


def _of_levels(
    cases: Cases, level: Codes, count: int
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Return (count,) references and (count, 4) probabilities; ``level`` is (rows,)."""
    own, predicted = cases.about_level, cases.predicted
    references = np.full(count, NONE, np.int8)
    np.maximum.at(references, level[~own], cases.references[~own])
    said = own & (cases.references != NONE)
    references[level[said]] = cases.references[said]
    seen = predicted & ~own
    probabilities = _means(level[seen], cases.probabilities[seen], count)
    said = own & predicted
    probabilities[level[said]] = cases.probabilities[said]
    return references, probabilities


def _means(
    level: Codes, probabilities: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Return (count, 4) the mean over each level's rows, zeros without any."""
    total = partial(np.bincount, level, minlength=count)
    rows = np.maximum(total(), 1)
    columns = [total(weights=probabilities[:, i]) / rows for i in range(GRADES)]
    return np.stack(columns, axis=1)
