"""Two bundles on the same cases: the difference, and what it supports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grading.evaluation.estimates import Estimates, estimate
from grading.evaluation.intervals import figure
from grading.evaluation.metrics import BIASED_UPWARDS, Metric
from grading.evaluation.outcomes import Figure, Outcomes
from grading.evaluation.scores import Scores
from grading.evaluation.scoring import DEFAULT_RESAMPLES, scores_of
from grading.grades import Finding

LESS_IS_BETTER = frozenset({Metric.BRIER, Metric.ECE})
NEITHER_IS_BETTER = frozenset({Metric.ADJACENT_ERRORS})
"""A bundle with fewer errors can have a smaller share of small ones."""
SENTENCED = (
    Metric.ACCURACY,
    Metric.MACRO_F1,
    Metric.AC2,
    Metric.AUC,
)
"""What is said in words. Fifteen sentences would bury the answer, and of fifteen
intervals at 95 % one in twenty misses the truth by chance."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles side by side."""

    finding: Finding
    names: tuple[str, str]
    first: Scores
    second: Scores
    differences: Mapping[Metric, Figure]
    """The second's less the first's, paired over the same resamples of patients."""
    sentences: tuple[str, ...]
    """What the figures support, the most telling metric first."""


def compare(
    first: Outcomes,
    second: Outcomes,
    *,
    seed: int,
    resamples: int = DEFAULT_RESAMPLES,
    names: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Compare two bundles on the same cases, in the same order.

    Raises
    ------
    ValueError
        The cases differ in finding, patients or reference, or the resamples are
        too few.
    """
    _check_alike(first, second)
    estimates = (
        estimate(first, seed=seed, resamples=resamples),
        estimate(second, seed=seed, resamples=resamples),
    )
    differences = {metric: _difference(metric, *estimates) for metric in Metric}
    return Comparison(
        finding=first.finding,
        names=names,
        first=scores_of(first, estimates[0]),
        second=scores_of(second, estimates[1]),
        differences=differences,
        sentences=tuple(
            supported(metric, differences[metric], names) for metric in SENTENCED
        ),
    )


def supported(metric: Metric, difference: Figure, names: tuple[str, str]) -> str:
    """Say in a sentence what the difference between two bundles supports."""
    if difference.value is None:
        return f"{metric}: not comparable, {difference.undefined}."
    if difference.low is None or difference.high is None:
        return (
            f"{metric}: {names[1]} less {names[0]} is {difference.value:+.3f}; "
            f"without an interval ({difference.undefined}) this supports nothing."
        )
    measured = (
        f"{metric}: {names[1]} less {names[0]} is {difference.value:+.3f} "
        f"(95 % interval {difference.low:+.3f} to {difference.high:+.3f})"
    )
    if difference.low <= 0.0 <= difference.high:
        return f"{measured}: these patients do not tell which of the two is better."
    if metric in NEITHER_IS_BETTER:
        return f"{measured}: the two differ, which alone speaks for neither."
    second_wins = (difference.value > 0.0) is not (metric in LESS_IS_BETTER)
    better = names[1] if second_wins else names[0]
    return f"{measured}: by this figure {better} is better on patients like these."


def _check_alike(first: Outcomes, second: Outcomes) -> None:
    if first.finding is not second.finding:
        raise ValueError(f"{first.finding} cannot be compared with {second.finding}")
    if not (
        np.array_equal(first.patients, second.patients)
        and np.array_equal(first.reference, second.reference)
    ):
        raise ValueError(
            f"{first.finding}: the two have not the same cases in the same order; "
            "compare predictions of the same slices against one reference"
        )


def _difference(metric: Metric, first: Estimates, second: Estimates) -> Figure:
    resamples = None
    if first.resampled is not None and second.resampled is not None:
        resamples = second.resampled.metrics[metric] - first.resampled.metrics[metric]
    value = second.whole.metrics[metric][0] - first.whole.metrics[metric][0]
    reason = f"one of the two has none: {first.why_undefined(metric)}"
    return figure(
        float(value),
        resamples,
        first.tallies.patients,
        reason,
        reflected_above=-1.0 if metric in BIASED_UPWARDS else None,
    )
