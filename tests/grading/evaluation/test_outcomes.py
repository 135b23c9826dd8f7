"""What counts as an outcome, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from grading.evaluation.outcomes import Outcomes
from grading.grades import Finding
from tests.grading.evaluation.simulated import certain


def test_a_grade_beyond_the_scale_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="4 is no grade"):
        Outcomes(
            Finding.LDH, np.zeros(1, np.intp), np.array([4], np.int8), np.eye(4)[:1]
        )


@pytest.mark.parametrize(
    "probabilities",
    [
        [0.5, 0.4, 0.0, 0.0],
        [1.2, -0.2, 0.0, 0.0],
        [float("nan"), 1.0, 0.0, 0.0],
    ],
)
def test_what_is_no_distribution_is_refused(probabilities: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to one"):
        Outcomes(
            Finding.LDH,
            np.zeros(1, np.intp),
            np.zeros(1, np.int8),
            np.array([probabilities]),
        )


def test_arrays_of_different_length_are_refused() -> None:
    one = np.zeros(1, np.int8)

    with pytest.raises(ValueError, match="do not fit"):
        Outcomes(Finding.LDH, np.zeros(2, np.intp), one, np.eye(4)[:1])
    with pytest.raises(ValueError, match="probabilities, got"):
        Outcomes(Finding.LDH, np.zeros(1, np.intp), one, np.eye(4)[:2])


def test_a_tie_goes_to_the_lower_grade_as_in_the_service() -> None:
    tied = Outcomes(
        Finding.LDH,
        np.zeros(1, np.intp),
        np.zeros(1, np.int8),
        np.array([[0.1, 0.4, 0.4, 0.1]]),
    )

    assert tied.predicted.tolist() == [1]
    assert tied.confidence.tolist() == [0.4]


def test_a_choice_keeps_rows_together() -> None:
    three = certain([0, 1, 2], [3, 2, 1], [7, 8, 9])

    chosen = three.where(np.array([True, False, True]))

    assert chosen.patients.tolist() == [7, 9]
    assert chosen.reference.tolist() == [0, 2]
    assert chosen.predicted.tolist() == [3, 1]
