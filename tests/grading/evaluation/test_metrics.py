"""Every metric that scikit-learn or scipy also have, on random tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sklearn

from grading.evaluation.metrics import (
    MEANINGS,
    OF_CONFUSION,
    Metric,
    constant_confusion,
    over_grades,
    per_grade,
)
from grading.evaluation.outcomes import Outcomes
from grading.evaluation.scoring import score
from tests.grading.evaluation.simulated import of_confusion, outcomes

TABLES = arrays(np.int64, (4, 4), elements=st.integers(0, 9)).filter(
    lambda table: table.sum() > 0
)
SEEDS = st.integers(0, 2**32 - 1)


def figures(confusion: NDArray[np.int64]) -> dict[Metric, float]:
    computed = over_grades(confusion.astype(np.float64))
    return {metric: float(value) for metric, value in computed.items()}


@given(TABLES)
@settings(max_examples=60)
def test_scikit_learn_agrees_on_the_means_over_grades(
    confusion: NDArray[np.int64],
) -> None:
    cases = of_confusion(confusion, patients=1)
    true, predicted = cases.reference, cases.predicted

    ours = figures(confusion)

    def theirs(function: str, average: str, labels: list[int] | None = None) -> float:
        return float(
            getattr(sklearn, function)(
                true, predicted, labels=labels, average=average, zero_division=0
            )
        )

    present = np.unique(true).tolist()
    assert ours[Metric.ACCURACY] == pytest.approx(
        sklearn.accuracy_score(true, predicted)
    )
    assert ours[Metric.BALANCED_ACCURACY] == pytest.approx(
        theirs("recall_score", "macro", present)
    )
    assert ours[Metric.WEIGHTED_PRECISION] == pytest.approx(
        theirs("precision_score", "weighted")
    )
    assert ours[Metric.WEIGHTED_F1] == pytest.approx(theirs("f1_score", "weighted"))
    assert ours[Metric.MACRO_PRECISION] == pytest.approx(
        theirs("precision_score", "macro")
    )
    assert ours[Metric.MACRO_F1] == pytest.approx(theirs("f1_score", "macro"))


@given(TABLES)
@settings(max_examples=60)
def test_scikit_learn_agrees_on_single_grades_where_they_are_defined(
    confusion: NDArray[np.int64],
) -> None:
    cases = of_confusion(confusion, patients=1)

    ours = per_grade(confusion.astype(np.float64))
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(
        cases.reference, cases.predicted, labels=range(4), zero_division=np.nan
    )

    assert ours.precision == pytest.approx(precision, nan_ok=True)
    assert ours.recall == pytest.approx(recall, nan_ok=True)
    assert ours.f1 == pytest.approx(f1, nan_ok=True)
    assert ours.support.tolist() == support.tolist()
    assert ours.predicted.tolist() == confusion.sum(axis=0).tolist()


@given(TABLES)
@settings(max_examples=60)
def test_scikit_learn_agrees_on_sensitivity_specificity_and_kappa(
    confusion: NDArray[np.int64],
) -> None:
    cases = of_confusion(confusion, patients=1)
    true, predicted = cases.reference, cases.predicted
    assume(len(np.unique([true.min(), true.max(), predicted.min()])) > 1)
    diseased = {"y_true": true > 0, "y_pred": predicted > 0, "zero_division": np.nan}

    ours = figures(confusion)

    assert ours[Metric.SENSITIVITY] == pytest.approx(
        sklearn.recall_score(**diseased), nan_ok=True
    )
    assert ours[Metric.SPECIFICITY] == pytest.approx(
        sklearn.recall_score(**diseased, pos_label=False), nan_ok=True
    )
    assert ours[Metric.KAPPA] == pytest.approx(
        sklearn.cohen_kappa_score(true, predicted, weights="quadratic", labels=range(4))
    )


@given(SEEDS, st.integers(1, 6))
@settings(max_examples=40)
def test_scikit_learn_and_scipy_agree_on_the_area_under_the_roc_curve(
    seed: int, digits: int
) -> None:
    cases = outcomes(np.random.default_rng(seed), cases=60, digits=digits)
    severe = cases.reference >= 2
    assume(severe.any())
    # Rounded as ours are: 0.1 + 0.2 must tie with 0.3 + 0.0.
    ranked = cases.probabilities[:, 2:].sum(axis=1).round(9)

    ours = score(cases)

    rank_sum = stats.mannwhitneyu(ranked[severe], ranked[~severe]).statistic
    area = ours.figures[Metric.AUC].value
    assert area == pytest.approx(sklearn.roc_auc_score(severe, ranked))
    assert area == pytest.approx(rank_sum / severe.sum() / (~severe).sum())
    assert ours.roc is not None
    assert area == pytest.approx(
        sklearn.auc(ours.roc.false_positive_rate, ours.roc.true_positive_rate)
    )


@given(SEEDS)
@settings(max_examples=30)
def test_the_brier_score_is_scikit_learn_s_over_all_four_grades(seed: int) -> None:
    cases = outcomes(np.random.default_rng(seed), cases=50, digits=12)

    theirs = sklearn.brier_score_loss(
        cases.reference, cases.probabilities, labels=range(4), scale_by_half=False
    )

    assert score(cases).figures[Metric.BRIER].value == pytest.approx(theirs)


@given(SEEDS)
@settings(max_examples=30)
def test_the_calibration_error_is_that_of_a_plain_loop(seed: int) -> None:
    cases = outcomes(np.random.default_rng(seed), cases=80, digits=1 + seed % 3)
    right = cases.predicted == cases.reference

    expected = 0.0
    for low in range(10):
        inside = [
            i for i in range(80) if low < round(10 * cases.confidence[i], 9) <= low + 1
        ]
        if inside:
            gap = cases.confidence[inside].mean() - right[inside].mean()
            expected += abs(gap) * len(inside) / 80

    assert score(cases).figures[Metric.ECE].value == pytest.approx(expected)


def test_the_bins_of_the_reliability_diagram_hold_all_cases() -> None:
    cases = outcomes(np.random.default_rng(3))

    bins = score(cases).reliability

    assert sum(one.cases for one in bins) == len(cases)
    assert all(
        one.low < one.confidence <= one.high
        for one in bins
        if one.confidence is not None
    )


def test_referring_the_unsure_leaves_the_rest_as_counted_by_hand() -> None:
    cases = outcomes(np.random.default_rng(4))
    right = cases.predicted == cases.reference

    points = score(cases).referral

    assert [point.share_referred for point in points] == sorted(
        point.share_referred for point in points
    )
    assert points[0].share_referred == 0.0
    assert points[-1].share_referred == pytest.approx(0.95, abs=0.01)
    for point in points:
        kept = cases.confidence >= point.threshold
        assert point.kept == kept.sum()
        assert point.accuracy.value == pytest.approx(right[kept].mean())


def test_errors_by_one_grade_are_a_share_of_the_errors() -> None:
    confusion = np.array([[5, 2, 0, 1], [0, 5, 0, 0], [0, 1, 5, 0], [0, 0, 0, 5]])

    assert figures(confusion)[Metric.ADJACENT_ERRORS] == pytest.approx(3 / 4)


@given(TABLES)
@settings(max_examples=30)
def test_the_constant_predictor_says_one_grade_to_the_same_reference(
    confusion: NDArray[np.int64],
) -> None:
    constant = constant_confusion(confusion.astype(np.float64), 2)

    assert constant.sum(axis=1).tolist() == confusion.sum(axis=1).tolist()
    assert constant[:, [0, 1, 3]].sum() == 0.0


def test_many_tables_at_once_give_what_each_gives_alone() -> None:
    tables = np.random.default_rng(0).integers(0, 4, (20, 4, 4)).astype(np.float64)

    together = over_grades(tables)

    for i, table in enumerate(tables):
        for metric, value in over_grades(table).items():
            assert together[metric][i] == pytest.approx(float(value), nan_ok=True)


def test_every_metric_is_explained_and_belongs_to_one_kind() -> None:
    of_probabilities = {Metric.AUC, Metric.BRIER, Metric.ECE}

    assert set(MEANINGS) == set(Metric)
    assert set(OF_CONFUSION) | of_probabilities == set(Metric)
    assert tuple(over_grades(np.ones((4, 4)))) == OF_CONFUSION


def test_a_tenth_and_two_tenths_tie_with_three() -> None:
    probabilities = np.array([[0.5, 0.2, 0.1, 0.2], [0.5, 0.2, 0.3, 0.0]])
    tied = Outcomes(
        of_confusion(np.eye(4, dtype=np.int64), 1).finding,
        np.arange(2),
        np.array([0, 2], np.int8),
        probabilities,
    )

    assert score(tied).figures[Metric.AUC].value == 0.5
