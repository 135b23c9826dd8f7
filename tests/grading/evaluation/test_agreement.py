"""Gwet's coefficients against his published examples, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from grading.evaluation.agreement import (
    MISSING,
    Agreement,
    Weights,
    agreement_weights,
    gwet,
    gwet_table,
)
from grading.evaluation.metrics import Metric, over_grades

THREE_GRADES = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
FOUR_GRADES = [[40, 4, 4, 17], [6, 25, 2, 13], [4, 1, 21, 12], [15, 5, 9, 45]]
FOUR_READERS: list[list[int | None]] = [
    [1, 1, None, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [None, 5, 5, 5],
    [None, None, 1, 1],
    [None, None, 3, None],
]
"""Units by readers: the example with missing ratings of Gwet 2014."""

TABLES = arrays(np.int64, (4, 4), elements=st.integers(0, 12)).filter(
    lambda table: table.sum() > 1
)
RATINGS = arrays(np.int8, (9, 3), elements=st.integers(MISSING, 3))


def from_one(rows: list[list[int | None]]) -> NDArray[np.int8]:
    """Return ratings that count from 0, as ours do."""
    counted = [[MISSING if r is None else r - 1 for r in row] for row in rows]
    return np.array(counted, np.int8)


def one_by_one(table: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return (cases, 2) ratings with this table."""
    cells = np.repeat(np.arange(table.size), table.ravel())
    return np.stack(np.divmod(cells, len(table)), axis=1).astype(np.int8)


def rounded(agreement: Agreement) -> tuple[float, ...]:
    figure = agreement.coefficient
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert agreement.standard_error is not None
    numbers = (figure.value, agreement.standard_error, figure.low, figure.high)
    return tuple(round(number, 4) for number in numbers)


@pytest.mark.parametrize(
    ("table", "weights", "published"),
    [
        (THREE_GRADES, Weights.IDENTITY, (0.8493, 0.0432, 0.7636, 0.9351)),
        (THREE_GRADES, Weights.LINEAR, (0.9000, 0.0293, 0.8419, 0.9581)),
        (THREE_GRADES, Weights.QUADRATIC, (0.9402, 0.0179, 0.9047, 0.9758)),
        (FOUR_GRADES, Weights.IDENTITY, (0.4562, 0.0434, 0.3705, 0.5418)),
        (FOUR_GRADES, Weights.LINEAR, (0.3771, 0.0561, 0.2666, 0.4876)),
        (FOUR_GRADES, Weights.QUADRATIC, (0.2986, 0.0752, 0.1504, 0.4467)),
    ],
)
def test_tables_give_the_published_constants_to_four_digits(
    table: list[list[int]], weights: Weights, published: tuple[float, ...]
) -> None:
    assert rounded(gwet_table(np.array(table), weights=weights)) == published


def test_four_readers_with_missing_ratings_give_the_published_constants() -> None:
    agreement = gwet(from_one(FOUR_READERS), grades=5)

    assert rounded(agreement) == (0.7754, 0.1429, 0.4608, 1.0)


@given(TABLES, st.sampled_from(Weights))
@settings(max_examples=50)
def test_a_table_and_its_ratings_agree_up_to_n_less_one(
    table: NDArray[np.int64], weights: Weights
) -> None:
    cases = int(table.sum())

    by_table = gwet_table(table, weights=weights)
    by_rating = gwet(one_by_one(table), weights=weights)

    assert by_table.coefficient.value == pytest.approx(by_rating.coefficient.value)
    assert by_rating.standard_error is not None
    assert by_table.standard_error == pytest.approx(
        by_rating.standard_error * np.sqrt((cases - 1) / cases)
    )


@given(TABLES)
@settings(max_examples=50)
def test_the_bootstrap_s_coefficients_are_the_formula_s(
    table: NDArray[np.int64],
) -> None:
    metrics = over_grades(table.astype(np.float64))

    ac1, ac2 = gwet_table(table), gwet_table(table, weights=Weights.QUADRATIC)

    assert float(metrics[Metric.AC1]) == pytest.approx(ac1.coefficient.value)
    assert float(metrics[Metric.AC2]) == pytest.approx(ac2.coefficient.value)


@given(RATINGS, st.permutations(range(3)), st.permutations(range(9)))
@settings(max_examples=50)
def test_neither_the_readers_nor_the_cases_have_an_order(
    ratings: NDArray[np.int8], readers: list[int], cases: list[int]
) -> None:
    shuffled = ratings[cases][:, readers]

    one, other = gwet(ratings), gwet(shuffled)

    assert one.coefficient.undefined == other.coefficient.undefined
    assert one.coefficient.value == pytest.approx(other.coefficient.value)
    assert one.standard_error == pytest.approx(other.standard_error, abs=1e-9)


def test_a_case_that_nobody_graded_changes_nothing() -> None:
    ratings = from_one(FOUR_READERS)
    nobody = np.full((1, 4), MISSING, np.int8)

    assert gwet(np.concatenate([ratings, nobody]), grades=5) == gwet(ratings, grades=5)


@given(RATINGS)
@settings(max_examples=50)
def test_patients_of_one_case_each_are_independent_cases(
    ratings: NDArray[np.int8],
) -> None:
    each = np.arange(len(ratings))

    plain, by_patient = gwet(ratings), gwet(ratings, patients=each)

    assert by_patient.standard_error == pytest.approx(plain.standard_error, abs=1e-9)


def test_cases_repeated_inside_a_patient_tell_nothing_new() -> None:
    ratings = one_by_one(np.array(FOUR_GRADES))
    patients = np.arange(len(ratings))

    once = gwet(ratings, patients=patients)
    thrice = gwet(np.tile(ratings, (3, 1)), patients=np.tile(patients, 3))

    assert thrice.standard_error == pytest.approx(once.standard_error)
    assert rounded(gwet(np.tile(ratings, (3, 1))))[1] < rounded(once)[1]


def test_perfect_agreement_is_one_and_has_no_interval() -> None:
    agreement = gwet(np.array([[0, 0], [1, 1], [3, 3]], np.int8))

    assert agreement.coefficient.value == 1.0
    assert agreement.coefficient.low is None
    assert agreement.coefficient.undefined == "every case agrees"


@pytest.mark.parametrize(
    "ratings", [np.zeros((0, 2), np.int8), np.array([[0, MISSING]], np.int8)]
)
def test_without_a_pair_of_ratings_there_is_no_coefficient(
    ratings: NDArray[np.int8],
) -> None:
    agreement = gwet(ratings)

    assert agreement.coefficient.value is None
    assert agreement.coefficient.undefined == "no case was graded twice"


def test_one_case_has_a_coefficient_and_no_error() -> None:
    agreement = gwet_table(np.diag([1, 0, 0, 0]))

    assert agreement.coefficient.value == 1.0
    assert agreement.standard_error is None
    assert agreement.coefficient.undefined is not None


def test_a_rating_beyond_the_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="ratings of 0 to 3"):
        gwet(np.array([[4, 0]], np.int8))


def test_a_scale_of_one_grade_is_refused() -> None:
    with pytest.raises(ValueError, match="scale of 1 grades"):
        agreement_weights(Weights.LINEAR, 1)
