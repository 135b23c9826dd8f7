"""The simulated readers in a short form; the long one is ``coverage``."""

from __future__ import annotations

import numpy as np
import pytest

from grading.evaluation.agreement import gwet
from tests.grading.evaluation.coverage import (
    METHODS,
    REPEATED,
    Setting,
    allowed,
    built_in,
    covered,
    simulate,
)

REPETITIONS = 60
BOOTSTRAP, LINEARISED, FORMULA = range(len(METHODS))


@pytest.mark.parametrize("repeated", [0.0, REPEATED])
def test_two_readers_agree_as_far_as_was_built_in(repeated: float) -> None:
    many = Setting(patients=20_000, repeated=repeated, resamples=100)

    ratings, patients = simulate(many, np.random.default_rng(1))

    coefficient = gwet(ratings, patients=patients).coefficient
    assert coefficient.value == pytest.approx(built_in(), abs=0.005)


@pytest.mark.parametrize("repeated", [0.0, REPEATED])
def test_intervals_over_patients_hold_the_truth_as_often_as_they_say(
    repeated: float,
) -> None:
    setting = Setting(patients=50, repeated=repeated, resamples=400)

    hits = np.sum([covered(setting, seed) for seed in range(REPETITIONS)], axis=0)

    low, _ = allowed(REPETITIONS)
    assert hits[BOOTSTRAP] >= low
    assert hits[LINEARISED] >= low
    # The formula holds for independent slices and fails for a patient's.
    assert (hits[FORMULA] >= low) == (repeated == 0.0)


def test_an_honest_interval_holds_the_truth_930_to_970_times_of_a_thousand() -> None:
    assert allowed(1000) == (930, 970)
