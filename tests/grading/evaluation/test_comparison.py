"""Two bundles on the same cases, and the sentences that the figures support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grading.evaluation.comparison import SENTENCED, compare, supported
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure, Outcomes
from grading.evaluation.scoring import bootstrap
from grading.grades import Finding
from tests.grading.evaluation.simulated import certain, outcomes

SEED = 8
FEW = 200


@pytest.fixture(scope="module")
def good() -> Outcomes:
    return outcomes(np.random.default_rng(1), 600, 60, skill=3.0)


@pytest.fixture(scope="module")
def poor(good: Outcomes) -> Outcomes:
    """The same cases, a third of them with another case's probabilities."""
    rows = np.arange(len(good))
    rows[::3] = np.random.default_rng(2).permutation(rows[::3])
    return replace(good, probabilities=good.probabilities[rows])


def test_a_better_bundle_is_named(good: Outcomes, poor: Outcomes) -> None:
    comparison = compare(poor, good, seed=SEED, resamples=FEW, names=("old", "new"))

    accuracy = comparison.differences[Metric.ACCURACY]
    assert accuracy.low is not None
    assert accuracy.low > 0.0
    assert len(comparison.sentences) == len(SENTENCED)
    assert all("new is better" in sentence for sentence in comparison.sentences)


def test_a_bundle_is_no_better_than_itself(good: Outcomes) -> None:
    comparison = compare(good, good, seed=SEED, resamples=FEW)

    assert {figure.value for figure in comparison.differences.values()} == {0.0}
    assert all("supports nothing" in sentence for sentence in comparison.sentences)


def test_turning_the_two_round_turns_every_sign(good: Outcomes, poor: Outcomes) -> None:
    forth = compare(good, poor, seed=SEED, resamples=FEW).differences
    back = compare(poor, good, seed=SEED, resamples=FEW).differences

    for metric in set(Metric) - {Metric.ECE}:
        assert forth[metric].value == pytest.approx(-(back[metric].value or 0.0))
        assert forth[metric].low == pytest.approx(-(back[metric].high or 0.0))


def test_each_side_is_what_it_is_alone(good: Outcomes, poor: Outcomes) -> None:
    comparison = compare(good, poor, seed=SEED, resamples=FEW)

    alone = bootstrap(poor, seed=SEED, resamples=FEW)

    assert comparison.second.figures == alone.figures


def test_pairing_narrows_the_interval(good: Outcomes, poor: Outcomes) -> None:
    comparison = compare(good, poor, seed=SEED)

    def width(figure: Figure) -> float:
        return (figure.high or 0.0) - (figure.low or 0.0)

    apart = np.hypot(
        width(comparison.first.figures[Metric.ACCURACY]),
        width(comparison.second.figures[Metric.ACCURACY]),
    )
    assert width(comparison.differences[Metric.ACCURACY]) < apart


def test_two_small_sets_support_nothing() -> None:
    first = certain([0, 1, 2, 0, 1, 2], [0, 1, 1, 0, 1, 2])
    second = certain([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 1, 2])

    comparison = compare(first, second, seed=SEED, resamples=FEW)

    assert "do not tell" in comparison.sentences[0]


def test_what_one_of_the_two_lacks_cannot_be_compared() -> None:
    only_zeros = certain([0, 0], [0, 1])

    comparison = compare(only_zeros, only_zeros, seed=SEED, resamples=FEW)

    figure = comparison.differences[Metric.AUC]
    assert figure.value is None
    assert supported(Metric.AUC, figure, ("A", "B")).startswith("AUC: not comparable")


def test_less_is_better_for_errors_of_probabilities() -> None:
    smaller = Figure(-0.2, -0.3, -0.1)

    assert "B is better" in supported(Metric.BRIER, smaller, ("A", "B"))
    assert "A is better" in supported(Metric.ACCURACY, smaller, ("A", "B"))
    assert "for neither" in supported(Metric.ADJACENT_ERRORS, smaller, ("A", "B"))


def test_other_cases_cannot_be_compared(good: Outcomes) -> None:
    fewer = good.where(np.arange(len(good)) > 0)
    other_finding = replace(good, finding=Finding.LDH)

    with pytest.raises(ValueError, match="same cases in the same order"):
        compare(good, fewer, seed=SEED)
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(good, other_finding, seed=SEED)
