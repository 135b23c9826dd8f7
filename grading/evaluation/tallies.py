"""Sums over each patient's cases, from which any resample of patients follows.

A resample takes whole patients, so almost all its figures are functions of sums
that patients add to: how often a patient was drawn, times what one holds. The
area under the ROC curve alone goes back to the cases, sorted once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.metrics import Floats
from grading.evaluation.outcomes import GRADES, Outcomes
from grading.evaluation.ranking import Ranking, ranking

BINS = 10
"""Of confidence, of equal width; so many that 2,000 cases fill the upper ones."""
BIN_EDGES = np.arange(BINS + 1) / BINS
REFERRAL_STEPS = 20
"""Points on the curve of accuracy against the share referred: every 5 %."""
BLOCK_ELEMENTS = 2_000_000
"""Resamples are drawn in blocks of about so many numbers: tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over patients; the first axis is patients, or resamples."""

    confusion: Floats
    """(n, 4, 4) cases, rows reference, columns predicted."""
    bins: Floats
    """(n, BINS, 3) by bin of confidence: cases, their confidence, correct ones."""
    kept: Floats
    """(n, thresholds, 2) cases at or above each threshold, correct ones."""
    brier: Floats
    """(n,) squared distances of the probabilities from the truth."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Some resamples: their sums, and the area under the ROC curve of each."""

    sums: Sums
    auc: Floats
    """(resamples,), NaN where one side is empty."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """One finding's outcomes, added up by patient."""

    sums: Sums
    ranking: Ranking
    thresholds: Floats
    """(thresholds,) rising confidences below which a case is referred, from 0."""
    cases: int
    patients: int

    def drawn(self, weights: Floats) -> Drawn:
        """Return what (resamples, patients) weights draw."""
        sums = (
            np.tensordot(weights, getattr(self.sums, one.name), axes=1)
            for one in fields(Sums)
        )
        return Drawn(Sums(*sums), self.ranking.auc(weights))

    def whole(self) -> Drawn:
        """Return everybody once: one resample, the figures themselves."""
        return self.drawn(np.ones((1, self.patients)))

    def resampled(
        self,
        rng: np.random.Generator,
        resamples: int,
        block_elements: int = BLOCK_ELEMENTS,
    ) -> Drawn:
        """Draw as many patients as there are, with replacement, ``resamples`` times.

        The draws depend on ``rng`` and the number of patients only, so that two
        bundles on the same patients are compared on the same resamples.

        Raises
        ------
        ValueError
            There is no patient.
        """
        if not self.patients:
            raise ValueError("there is no patient to draw")
        share = np.full(self.patients, 1.0 / self.patients)
        width = max(self.patients, self.cases)
        rows = max(block_elements // width, 1)
        blocks = []
        for first in range(0, resamples, rows):
            size = min(rows, resamples - first)
            times = rng.multinomial(self.patients, share, size=size)
            blocks.append(self.drawn(times.astype(np.float64)))
        return _joined(blocks)


def tally(outcomes: Outcomes) -> Tallies:
    """Add up one finding's outcomes by patient."""
    names, patient = np.unique(outcomes.patients, return_inverse=True)
    thresholds = _thresholds(outcomes.confidence)
    return Tallies(
        sums=Sums(
            confusion=_confusion(outcomes, patient, len(names)),
            bins=_bins(outcomes, patient, len(names)),
            kept=_kept(outcomes, patient, len(names), thresholds),
            brier=_brier(outcomes, patient, len(names)),
        ),
        ranking=ranking(outcomes, patient),
        thresholds=thresholds,
        cases=len(outcomes),
        patients=len(names),
    )


def _joined(blocks: Sequence[Drawn]) -> Drawn:
    sums = (
        np.concatenate([getattr(block.sums, one.name) for block in blocks])
        for one in fields(Sums)
    )
    return Drawn(Sums(*sums), np.concatenate([block.auc for block in blocks]))


def _thresholds(confidence: Floats) -> Floats:
    """Return the confidences that refer 0, 5, 10 ... 95 % of the cases."""
    if not len(confidence):
        return np.zeros(1)
    rising = np.sort(confidence)
    referred = len(rising) * np.arange(1, REFERRAL_STEPS) // REFERRAL_STEPS
    # What is no more than the least confidence refers nobody, as 0 does.
    cuts = [cut for cut in rising[referred] if cut > rising[0]]
    return np.unique([0.0, *cuts])


def _confusion(outcomes: Outcomes, patient: NDArray[np.intp], patients: int) -> Floats:
    cell = outcomes.reference.astype(np.intp) * GRADES + outcomes.predicted
    return _added(patient, cell, (patients, GRADES * GRADES)).reshape(
        patients, GRADES, GRADES
    )


def _bins(outcomes: Outcomes, patient: NDArray[np.intp], patients: int) -> Floats:
    confidence = outcomes.confidence
    which = np.searchsorted(BIN_EDGES, confidence).clip(1, BINS) - 1
    return _columns(
        patient, which, (patients, BINS), (confidence, _is_correct(outcomes))
    )


def _kept(
    outcomes: Outcomes,
    patient: NDArray[np.intp],
    patients: int,
    thresholds: Floats,
) -> Floats:
    last = np.searchsorted(thresholds, outcomes.confidence, side="right") - 1
    shape = (patients, len(thresholds))
    reached = _columns(patient, last, shape, (_is_correct(outcomes),))
    return np.asarray(reached[:, ::-1].cumsum(axis=1)[:, ::-1])


def _brier(outcomes: Outcomes, patient: NDArray[np.intp], patients: int) -> Floats:
    truth = np.eye(GRADES)[outcomes.reference]
    distance = ((outcomes.probabilities - truth) ** 2).sum(axis=1)
    return np.bincount(patient, distance, patients).astype(np.float64)


def _is_correct(outcomes: Outcomes) -> Floats:
    return np.asarray(outcomes.predicted == outcomes.reference, dtype=np.float64)


def _columns(
    patient: NDArray[np.intp],
    column: NDArray[np.intp],
    shape: tuple[int, int],
    values: Sequence[Floats],
) -> Floats:
    """Return (patients, columns, 1 + values): counts, and the sum of each value."""
    sums = [_added(patient, column, shape, value) for value in (None, *values)]
    return np.stack(sums, axis=-1)


def _added(
    patient: NDArray[np.intp],
    column: NDArray[np.intp],
    shape: tuple[int, int],
    values: Floats | None = None,
) -> Floats:
    """Add up ones, or ``values``, by patient and column."""
    flat = np.bincount(patient * shape[1] + column, values, shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)
