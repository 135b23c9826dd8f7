"""The one figure that needs the order of cases: the area under the ROC curve.

As in the paper, grades 2 and 3 against 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.metrics import Floats, ratio
from grading.evaluation.outcomes import Outcomes

SCORE_DIGITS = 9
"""P(2) + P(3) is rounded to these, so that 0.1 + 0.2 ties with 0.3 + 0.0."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Cases by rising P(2) + P(3), for weighted areas under the ROC curve."""

    positive: NDArray[np.intp]
    """(positives,) index of the patient of each grade 2 or 3."""
    negative: NDArray[np.intp]
    """(negatives,) index of the patient of each grade 0 or 1, by rising score."""
    below: NDArray[np.intp]
    """(positives,) how many negatives score less than each positive."""
    up_to: NDArray[np.intp]
    """(positives,) how many negatives score less or tie."""

    def auc(self, weights: Floats) -> Floats:
        """Return (resamples,) areas for (resamples, patients) weights."""
        positive = weights[:, self.positive]
        negative = np.zeros((len(weights), len(self.negative) + 1))
        np.cumsum(weights[:, self.negative], axis=1, out=negative[:, 1:])
        # A negative that ties counts half.
        beaten = (negative[:, self.below] + negative[:, self.up_to]) / 2.0
        pairs = positive.sum(axis=1) * negative[:, -1]
        return ratio((positive * beaten).sum(axis=1), pairs)


def ranking(outcomes: Outcomes, patient: NDArray[np.intp]) -> Ranking:
    """Sort the cases; ``patient`` is (cases,) the index of each case's patient."""
    score, severe = severe_score(outcomes), is_severe(outcomes)
    order = np.argsort(score[~severe], kind="stable")
    rising = score[~severe][order]
    return Ranking(
        positive=patient[severe],
        negative=patient[~severe][order],
        below=np.searchsorted(rising, score[severe], side="left"),
        up_to=np.searchsorted(rising, score[severe], side="right"),
    )


def severe_score(outcomes: Outcomes) -> Floats:
    """Return (cases,) P(2) + P(3)."""
    return np.asarray(outcomes.probabilities[:, 2:].sum(axis=1).round(SCORE_DIGITS))


def is_severe(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Return (cases,) whether the reference is grade 2 or 3."""
    return np.asarray(outcomes.reference >= 2)
