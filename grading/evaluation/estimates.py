"""One finding's figures, of everybody and of the resamples, ready to be bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from grading.evaluation.intervals import figure
from grading.evaluation.metrics import (
    BIASED_UPWARDS,
    UNDEFINED,
    Floats,
    Metric,
    PerGrade,
    constant_confusion,
    over_grades,
    per_grade,
    ratio,
)
from grading.evaluation.outcomes import Figure, Outcomes
from grading.evaluation.tallies import Drawn, Tallies, tally
from grading.grades import Grade

NO_CASE = "there is no case"
LEAST_RESAMPLES = 100
"""Two or three resamples then lie beyond each end of the interval."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of some resamples, which are the first axis of each."""

    metrics: dict[Metric, Floats]
    """Every metric."""
    grades: PerGrade
    constant: dict[Metric, Floats]
    """The constant predictor's, those of ``OF_CONFUSION``."""
    reliability: Floats
    """(resamples, bins) accuracy."""
    referral: Floats
    """(resamples, thresholds) accuracy of the cases that are kept."""


Pick = Callable[[Measured], Floats]
"""Takes one figure, of all resamples, out of the rest."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """The figures of everybody, and those of resamples of the patients."""

    tallies: Tallies
    constant_grade: Grade | None
    """The most frequent reference grade, the lower one on a tie."""
    whole: Measured
    resampled: Measured | None
    """None where no interval is asked for."""

    def columns(self, pick: Pick, undefined: Sequence[str]) -> tuple[Figure, ...]:
        """Return a figure for each column of what ``pick`` takes out.

        ``undefined`` holds, for each column, the reason where it has no value.
        """
        return tuple(
            self._figure(partial(_column, pick, i), reason)
            for i, reason in enumerate(undefined)
        )

    def by_metric(
        self, pick: Callable[[Measured], Mapping[Metric, Floats]]
    ) -> dict[Metric, Figure]:
        """Return a figure for each metric of what ``pick`` takes out."""
        return {
            metric: self._figure(
                partial(_of_metric, pick, metric),
                self.why_undefined(metric),
                reflected_above=0.0 if metric in BIASED_UPWARDS else None,
            )
            for metric in pick(self.whole)
        }

    def why_undefined(self, metric: Metric) -> str:
        """Return the reason that holds where this metric has no value."""
        return UNDEFINED.get(metric, NO_CASE) if self.tallies.patients else NO_CASE

    def _figure(
        self, pick: Pick, undefined: str, reflected_above: float | None = None
    ) -> Figure:
        return figure(
            float(pick(self.whole)[0]),
            None if self.resampled is None else pick(self.resampled),
            self.tallies.patients,
            undefined,
            reflected_above=reflected_above,
        )


def estimate(outcomes: Outcomes, *, seed: int = 0, resamples: int = 0) -> Estimates:
    """Measure everybody, and as many resamples of the patients.

    Raises
    ------
    ValueError
        Fewer than ``LEAST_RESAMPLES`` resamples are asked for, but not none.
    """
    if resamples and resamples < LEAST_RESAMPLES:
        raise ValueError(
            f"{resamples} resamples are too few: {LEAST_RESAMPLES} or more"
        )
    tallies = tally(outcomes)
    whole = tallies.whole()
    support = whole.sums.confusion[0].sum(axis=1)
    constant = Grade(int(support.argmax()))
    resampled = None
    if resamples and tallies.patients:
        drawn = tallies.resampled(np.random.default_rng(seed), resamples)
        resampled = _measure(drawn, constant)
    return Estimates(
        tallies=tallies,
        constant_grade=constant if len(outcomes) else None,
        whole=_measure(whole, constant),
        resampled=resampled,
    )


def _column(pick: Pick, column: int, measured: Measured) -> Floats:
    return pick(measured)[:, column]


def _of_metric(
    pick: Callable[[Measured], Mapping[Metric, Floats]],
    metric: Metric,
    measured: Measured,
) -> Floats:
    return pick(measured)[metric]


def _measure(drawn: Drawn, constant: Grade) -> Measured:
    confusion = drawn.sums.confusion
    cases = confusion.sum(axis=(1, 2))
    binned, confidence, correct = np.moveaxis(drawn.sums.bins, -1, 0)
    kept, kept_correct = np.moveaxis(drawn.sums.kept, -1, 0)
    of_probabilities = {
        Metric.AUC: drawn.auc,
        Metric.BRIER: ratio(drawn.sums.brier, cases),
        Metric.ECE: ratio(np.abs(confidence - correct).sum(axis=1), cases),
    }
    return Measured(
        metrics=over_grades(confusion) | of_probabilities,
        grades=per_grade(confusion),
        constant=over_grades(constant_confusion(confusion, constant)),
        reliability=ratio(correct, binned),
        referral=ratio(kept_correct, kept),
    )
