"""Scores with their intervals: what patients, grades and single classes do to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from grading.evaluation.metrics import UNDEFINED, Metric
from grading.evaluation.outcomes import Figure, Outcomes
from grading.evaluation.scores import Scores
from grading.evaluation.scoring import bootstrap, score
from grading.evaluation.tallies import tally
from grading.grades import Grade
from tests.grading.evaluation.simulated import certain, figures_in, outcomes

SEED = 5
FEW = 200
"""Resamples: enough for what is tested here."""


def width(figure: Figure) -> float:
    assert figure.low is not None
    assert figure.high is not None
    return figure.high - figure.low


def same(one: Scores, other: Scores) -> bool:
    return [*figures_in(one)] == [*figures_in(other)]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 4))
@settings(max_examples=40)
def test_every_figure_is_a_number_or_a_reason_and_never_nan(
    seed: int, cases: int, patients: int
) -> None:
    few = outcomes(np.random.default_rng(seed), cases, patients, digits=1)

    scores = bootstrap(few, seed=SEED, resamples=100)

    for figure in figures_in(scores):
        numbers = (figure.value, figure.low, figure.high)
        assert all(number is None or np.isfinite(number) for number in numbers)
        assert (figure.low is None) == (figure.high is None)
        assert (figure.low is None) == (figure.undefined is not None)
        if figure.value is None:
            assert figure.low is None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_resampling_moves_no_value(seed: int) -> None:
    cases = outcomes(np.random.default_rng(seed), 40, 6)

    with_intervals, without = bootstrap(cases, seed=SEED, resamples=100), score(cases)

    assert [figure.value for figure in figures_in(with_intervals)] == [
        figure.value for figure in figures_in(without)
    ]


def test_no_case_at_all_leaves_reasons_only() -> None:
    scores = bootstrap(certain([], []), seed=SEED)

    assert scores.cases == scores.patients == 0
    assert {figure.value for figure in figures_in(scores)} == {None}
    assert scores.figures[Metric.ACCURACY].undefined == "there is no case"
    assert scores.constant.grade is None
    assert scores.roc is None


def test_a_single_class_defines_what_it_can_and_says_what_it_cannot() -> None:
    scores = bootstrap(certain([0, 0, 0], [0, 0, 0]), seed=SEED)

    assert scores.figures[Metric.SPECIFICITY].value == 1.0
    for metric in UNDEFINED.keys() - {Metric.SPECIFICITY}:
        assert scores.figures[metric] == Figure(None, undefined=UNDEFINED[metric])
    assert scores.grades[3].recall.undefined == (
        "grade 3 does not occur in the reference"
    )
    assert scores.grades[3].precision.undefined == "grade 3 was never predicted"


def test_no_grade_0_leaves_the_specificity_open() -> None:
    scores = score(certain([1, 2, 3], [1, 2, 0]))

    assert scores.figures[Metric.SPECIFICITY].undefined == UNDEFINED[Metric.SPECIFICITY]
    assert scores.figures[Metric.SENSITIVITY].value == pytest.approx(2 / 3)


def test_a_grade_that_two_patients_have_gets_a_value_without_an_interval() -> None:
    reference = [3, 3] + [0] * 60
    predicted = [3, 0] + [0] * 50 + [1] * 10

    scores = bootstrap(certain(reference, predicted), seed=SEED)

    recall = scores.grades[3].recall
    assert recall.value == 0.5
    assert recall.low is None
    assert recall.undefined is not None
    assert "too few patients" in recall.undefined


def test_one_patient_gives_no_interval() -> None:
    scores = bootstrap(certain([0, 1, 2], [0, 1, 1], [4, 4, 4]), seed=SEED)

    accuracy = scores.figures[Metric.ACCURACY]
    assert accuracy.value == pytest.approx(2 / 3)
    assert accuracy.undefined == "only one patient"


def test_never_an_error_is_no_proof_of_no_error() -> None:
    scores = bootstrap(certain([0, 1, 2] * 20, [0, 1, 2] * 20), seed=SEED)

    assert scores.figures[Metric.ACCURACY] == Figure(
        1.0, undefined="every resample gives the same value"
    )


def test_the_same_seed_gives_the_same_figures_and_another_seed_others() -> None:
    cases = outcomes(np.random.default_rng(1))

    first = bootstrap(cases, seed=SEED, resamples=FEW)

    assert same(first, bootstrap(cases, seed=SEED, resamples=FEW))
    assert not same(first, bootstrap(cases, seed=SEED + 1, resamples=FEW))


def test_the_order_of_the_cases_does_not_matter() -> None:
    cases = outcomes(np.random.default_rng(2), digits=2)
    order = np.random.default_rng(3).permutation(len(cases))
    shuffled = cases.where(order)

    one = [*figures_in(bootstrap(cases, seed=SEED, resamples=FEW))]
    other = [*figures_in(bootstrap(shuffled, seed=SEED, resamples=FEW))]

    for before, after in zip(one, other, strict=True):
        assert before.undefined == after.undefined
        assert before.value == pytest.approx(after.value, abs=1e-9)
        assert before.low == pytest.approx(after.low, abs=1e-9)


def test_slices_repeated_inside_patients_narrow_no_interval() -> None:
    once = outcomes(np.random.default_rng(4), 200, 200)
    thrice = once.where(np.tile(np.arange(200), 3))

    small = bootstrap(once, seed=SEED, resamples=FEW)
    large = bootstrap(thrice, seed=SEED, resamples=FEW)

    for metric in (Metric.ACCURACY, Metric.AUC, Metric.MACRO_F1, Metric.AC1):
        assert width(large.figures[metric]) == pytest.approx(
            width(small.figures[metric])
        )
    # Gwet's formula takes them for three times as many.
    assert width(large.ac1_by_formula.coefficient) < 0.7 * width(
        small.ac1_by_formula.coefficient
    )


def test_scipy_s_bootstrap_over_patients_finds_the_same_interval() -> None:
    cases = outcomes(np.random.default_rng(6), 900, 60)
    right = cases.predicted == cases.reference
    by_patient = np.array(
        [
            [right[cases.patients == p].sum(), (cases.patients == p).sum()]
            for p in range(60)
        ]
    )

    def accuracy(
        correct: NDArray[np.int64], slices: NDArray[np.int64], axis: int
    ) -> NDArray[np.float64]:
        return np.asarray(correct.sum(axis=axis) / slices.sum(axis=axis))

    ours = bootstrap(cases, seed=SEED).figures[Metric.ACCURACY]
    theirs = stats.bootstrap(
        (by_patient[:, 0], by_patient[:, 1]),
        accuracy,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(7),
    ).confidence_interval

    assert ours.low == pytest.approx(theirs.low, abs=0.15 * width(ours))
    assert ours.high == pytest.approx(theirs.high, abs=0.15 * width(ours))
    # Ours is the wider one: see ``intervals``.
    assert width(ours) > 0.98 * (theirs.high - theirs.low)


def test_resamples_drawn_in_blocks_are_those_drawn_at_once() -> None:
    tallies = tally(outcomes(np.random.default_rng(8)))

    at_once = tallies.resampled(np.random.default_rng(SEED), FEW)
    in_blocks = tallies.resampled(np.random.default_rng(SEED), FEW, block_elements=1000)

    assert np.array_equal(at_once.sums.confusion, in_blocks.sums.confusion)
    assert np.array_equal(at_once.auc, in_blocks.auc)


def test_a_resample_is_the_figures_of_its_patients_written_out() -> None:
    cases = outcomes(np.random.default_rng(9), 80, 5, digits=2)
    times = np.array([2, 0, 1, 0, 2])
    drawn = np.concatenate(
        [np.flatnonzero(cases.patients == p) for p in np.repeat(np.arange(5), times)]
    )

    by_weight = tally(cases).drawn(times[None].astype(np.float64))
    written_out = tally(cases.where(drawn)).whole()

    assert np.array_equal(by_weight.sums.confusion, written_out.sums.confusion)
    assert by_weight.sums.bins == pytest.approx(written_out.sums.bins)
    assert by_weight.sums.brier == pytest.approx(written_out.sums.brier)
    assert by_weight.auc == pytest.approx(written_out.auc)


def test_a_constant_predictor_that_beats_the_model_is_seen_to() -> None:
    reference = [0] * 90 + [1] * 6 + [2] * 4
    predicted = [0] * 60 + [1] * 36 + [2] * 4

    scores = bootstrap(certain(reference, predicted), seed=SEED)

    assert scores.constant.grade is Grade.GRADE_0
    assert scores.constant.figures[Metric.ACCURACY].value == pytest.approx(0.90)
    accuracy = scores.constant.advantage[Metric.ACCURACY]
    assert accuracy.value == pytest.approx(-0.20)
    assert accuracy.high is not None
    assert accuracy.high < 0.0
    balanced = scores.constant.advantage[Metric.BALANCED_ACCURACY]
    assert balanced.low is not None
    assert balanced.low > 0.0


def test_the_calibration_error_s_interval_holds_its_value() -> None:
    honest = outcomes(np.random.default_rng(10), 600, 40)
    reference = np.array(
        [
            np.random.default_rng(i).choice(4, p=row / row.sum())
            for i, row in enumerate(honest.probabilities)
        ],
        np.int8,
    )

    error = bootstrap(replace(honest, reference=reference), seed=SEED).figures[
        Metric.ECE
    ]

    assert error.value is not None
    assert error.low is not None
    assert error.high is not None
    assert 0.0 <= error.low <= error.value <= error.high


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="20 resamples are too few"):
        bootstrap(certain([0], [0]), seed=SEED, resamples=20)


def test_a_patient_s_number_says_nothing() -> None:
    cases = outcomes(np.random.default_rng(11))
    renamed = replace(cases, patients=cases.patients * 10 + 1_000_000)

    assert same(
        bootstrap(cases, seed=SEED, resamples=FEW),
        bootstrap(renamed, seed=SEED, resamples=FEW),
    )


def test_scores_can_be_taken_of_a_part_without_any_case() -> None:
    cases = outcomes(np.random.default_rng(12))

    nothing: Outcomes = cases.where(np.zeros(len(cases), np.bool_))

    assert bootstrap(nothing, seed=SEED).figures[Metric.AUC].value is None
