"""Temperatures and thresholds, fitted where the right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax

from grading.evaluation.calibration import (
    GREATEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    fit_strength,
    fit_temperature,
    shift_to,
    threshold_for,
)
from tests.grading.evaluation.simulated import outcomes


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_built_in_is_found(temperature: float) -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(size=(20_000, 4)) * 2.0
    likely = softmax(honest, axis=1).cumsum(axis=1)
    reference = (rng.random((20_000, 1)) > likely).sum(axis=1).clip(0, 3)

    fitted = fit_temperature(honest * temperature, reference.astype(np.int8))

    assert fitted == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_no_other_temperature_makes_the_reference_likelier(seed: int) -> None:
    cases = outcomes(np.random.default_rng(seed), cases=60)
    logits = np.log(cases.probabilities + 1e-9)

    fitted = fit_temperature(logits, cases.reference)

    def likelihood(temperature: float) -> float:
        chosen = softmax(logits / temperature, axis=1)[range(60), cases.reference]
        return float(np.log(chosen).sum())

    for other in np.geomspace(LEAST_TEMPERATURE, GREATEST_TEMPERATURE, 15):
        assert likelihood(fitted) >= likelihood(other) - 1e-4


def test_logarithms_of_probabilities_do_as_well_as_logits() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(200, 4))
    reference = rng.integers(4, size=200).astype(np.int8)

    of_logits = fit_temperature(logits, reference)
    of_probabilities = fit_temperature(np.log(softmax(logits, axis=1)), reference)

    assert of_probabilities == pytest.approx(of_logits, rel=1e-4)


def test_a_perfect_order_is_cooled_to_the_limit_and_no_further() -> None:
    fitted = fit_temperature(np.eye(4) * 0.5, np.arange(4, dtype=np.int8))

    assert fitted == pytest.approx(LEAST_TEMPERATURE, rel=0.01)


def test_nothing_to_fit_on_is_refused() -> None:
    with pytest.raises(ValueError, match="no case to calibrate on"):
        fit_temperature(np.zeros((0, 4)), np.zeros(0, np.int8))
    with pytest.raises(ValueError, match=r"expected \(2, 4\)"):
        fit_temperature(np.zeros((1, 4)), np.zeros(2, np.int8))
    with pytest.raises(ValueError, match="not finite"):
        fit_temperature(np.full((1, 4), np.inf), np.zeros(1, np.int8))


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.95), st.integers(1, 4))
@settings(max_examples=50)
def test_the_wanted_accuracy_holds_and_no_lower_threshold_keeps_it(
    seed: int, accuracy: float, digits: int
) -> None:
    cases = outcomes(np.random.default_rng(seed), 80, skill=3.0, digits=digits)
    confidence = cases.confidence
    right = cases.predicted == cases.reference

    threshold, share = threshold_for(cases.probabilities, cases.reference, accuracy)

    kept = confidence >= threshold
    assert right[kept].mean() >= accuracy
    assert share == pytest.approx((~kept).mean())
    for lower in np.unique(confidence[~kept]):
        assert right[confidence >= lower].mean() < accuracy


def test_an_accuracy_that_holds_already_refers_nobody() -> None:
    chosen = threshold_for(np.eye(4), np.arange(4, dtype=np.int8), 1.0)

    assert chosen == (0.0, 0.0)


def test_an_accuracy_that_nothing_reaches_is_refused_with_the_best_there_is() -> None:
    wrong = np.array([1, 1, 2, 3], np.int8)

    with pytest.raises(ValueError, match=r"accuracy of 0\.900: the best is 0\.750"):
        threshold_for(np.eye(4), wrong, 0.9)


@pytest.mark.parametrize("accuracy", [0.0, 1.01, float("nan")])
def test_a_wish_that_is_no_accuracy_is_refused(accuracy: float) -> None:
    with pytest.raises(ValueError, match="no accuracy"):
        threshold_for(np.eye(4), np.arange(4, dtype=np.int8), accuracy)


def test_a_threshold_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no case"):
        threshold_for(np.zeros((0, 4)), np.zeros(0, np.int8), 0.9)


SHARES = np.array([0.8, 0.15, 0.04, 0.01])
CASES = 20_000


@pytest.fixture(scope="module")
def rare() -> NDArray[np.int8]:
    return np.random.default_rng(2).choice(4, CASES, p=SHARES).astype(np.int8)


def as_learned_from_all_grades_alike(
    reference: NDArray[np.int8],
) -> NDArray[np.float64]:
    """Return what a network says of these grades that has seen as many of each."""
    noise = np.random.default_rng(3).normal(size=(len(reference), 4))
    return 2.0 * (noise + 2.0 * np.eye(4)[reference])


def test_a_shift_of_full_strength_is_the_one_of_bayes_rule(
    rare: NDArray[np.int8],
) -> None:
    balanced = as_learned_from_all_grades_alike(rare)

    shift = shift_to(balanced, rare, 1.0)

    assert shift.offsets[0] == 0.0
    assert shift.offsets[1:] == pytest.approx(np.log(SHARES[1:] / SHARES[0]), rel=0.25)
    said = (balanced / shift.temperature + np.array(shift.offsets)).argmax(axis=1)
    assert (said == rare).mean() > (balanced.argmax(axis=1) == rare).mean()


def test_a_shift_without_strength_is_a_temperature(rare: NDArray[np.int8]) -> None:
    balanced = as_learned_from_all_grades_alike(rare)

    shift = shift_to(balanced, rare, 0.0)

    assert shift.offsets == (0.0, 0.0, 0.0, 0.0)
    temperature = fit_temperature(balanced, rare)
    assert shift.temperature == pytest.approx(temperature, rel=1e-3)


def test_heads_are_moved_where_grades_are_rare_and_left_where_they_are_not(
    rare: NDArray[np.int8],
) -> None:
    alike = (np.arange(CASES) % 4).astype(np.int8)

    moved = fit_strength([(as_learned_from_all_grades_alike(rare), rare)])
    left = fit_strength([(as_learned_from_all_grades_alike(alike), alike)])

    assert moved > 0.0
    assert left == 0.0


def test_a_grade_that_never_occurs_is_moved_by_a_finite_length() -> None:
    rng = np.random.default_rng(3)
    reference = rng.integers(0, 3, 200).astype(np.int8)

    shift = shift_to(rng.normal(size=(200, 4)), reference, 1.0)

    assert np.isfinite(shift.offsets).all()
