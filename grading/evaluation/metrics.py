"""What a confusion matrix says, for one or for thousands of them at once.

Every function takes ``(..., 4, 4)`` counts, rows reference, columns predicted; counts
need not be whole. Inside this package NaN stands for "not defined"; nothing but
``Figure`` leaves it, which cannot hold one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.agreement import Weights, agreement_weights
from grading.evaluation.outcomes import GRADES

Floats = NDArray[np.float64]


class Metric(StrEnum):
    """A figure over all grades of one finding."""

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced accuracy"
    WEIGHTED_PRECISION = "weighted precision"
    WEIGHTED_F1 = "weighted F1"
    MACRO_PRECISION = "macro precision"
    MACRO_F1 = "macro F1"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    AUC = "AUC"
    AC1 = "AC1"
    AC2 = "AC2"
    KAPPA = "quadratic kappa"
    ADJACENT_ERRORS = "errors by one grade"
    BRIER = "Brier score"
    ECE = "expected calibration error"


OF_CONFUSION = tuple(
    metric for metric in Metric if metric not in {Metric.AUC, Metric.BRIER, Metric.ECE}
)
"""What grades alone tell; the other metrics need probabilities."""

MEANINGS: Mapping[Metric, str] = {
    Metric.ACCURACY: "share of cases whose predicted grade is that of the reference",
    Metric.BALANCED_ACCURACY: "mean recall of the grades that occur in the reference",
    Metric.WEIGHTED_PRECISION: "mean precision, each grade counted by its support",
    Metric.WEIGHTED_F1: "mean F1, each grade counted by its support",
    Metric.MACRO_PRECISION: "mean precision, each grade that occurs counted alike",
    Metric.MACRO_F1: "mean F1, each grade that occurs counted alike",
    Metric.SENSITIVITY: "share of grades 1-3 that were predicted as any of 1-3",
    Metric.SPECIFICITY: "share of grade 0 that was predicted as 0",
    Metric.AUC: "area under the ROC curve, grades 2-3 against 0-1 by P(2) + P(3)",
    Metric.AC1: "Gwet's agreement beyond chance, all disagreements alike",
    Metric.AC2: "Gwet's agreement beyond chance, disagreements weighed by their square",
    Metric.KAPPA: "Cohen's kappa, disagreements weighed by their square",
    Metric.ADJACENT_ERRORS: "share of the wrong grades that are off by one",
    Metric.BRIER: "mean squared distance of probabilities from the truth, 0 to 2",
    Metric.ECE: "mean distance between confidence and accuracy over bins of confidence",
}
"""One line each, for a glossary."""

BIASED_UPWARDS = frozenset({Metric.ECE})
"""What chance makes too large: its differences are counted without their sign."""

UNDEFINED: Mapping[Metric, str] = {
    Metric.SENSITIVITY: "no case has grade 1, 2 or 3 in the reference",
    Metric.SPECIFICITY: "no case has grade 0 in the reference",
    Metric.AUC: "the reference has only grades 0-1 or only grades 2-3",
    Metric.KAPPA: "reference and prediction are one and the same grade throughout",
    Metric.ADJACENT_ERRORS: "there is no error",
}
"""Why a metric can be undefined although there are cases."""


@dataclass(frozen=True, slots=True)
class PerGrade:
    """Figures of the single grades, all (..., 4)."""

    support: Floats
    """Cases of this grade in the reference."""
    predicted: Floats
    """Cases that were given this grade."""
    precision: Floats
    recall: Floats
    f1: Floats


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is not positive."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0.0)
    return quotient


def confusion_of(
    reference: NDArray[np.integer], predicted: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return how often each (reference grade, predicted grade) occurs."""
    confusion = np.zeros((GRADES, GRADES), np.int64)
    np.add.at(confusion, (reference, predicted), 1)
    return confusion


def per_grade(confusion: Floats) -> PerGrade:
    """Return the figures of the single grades."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return PerGrade(
        support=support,
        predicted=predicted,
        precision=ratio(correct, predicted),
        recall=ratio(correct, support),
        f1=ratio(2.0 * correct, support + predicted),
    )


def over_grades(confusion: Floats) -> dict[Metric, Floats]:
    """Return ``OF_CONFUSION``, each of shape (...).

    A grade that occurs but was never predicted counts as precision 0 in the means,
    as scikit-learn's ``zero_division=0``; one that neither occurs nor was
    predicted is left out, in a resample of patients too.
    """
    grades = per_grade(confusion)
    cases = confusion.sum(axis=(-2, -1))
    correct = np.trace(confusion, axis1=-2, axis2=-1)
    precision = np.nan_to_num(grades.precision)
    seen = _one_where(grades.support + grades.predicted)
    return {
        Metric.ACCURACY: ratio(correct, cases),
        Metric.BALANCED_ACCURACY: _mean(grades.recall, _one_where(grades.support)),
        Metric.WEIGHTED_PRECISION: _mean(precision, grades.support),
        Metric.WEIGHTED_F1: _mean(grades.f1, grades.support),
        Metric.MACRO_PRECISION: _mean(precision, seen),
        Metric.MACRO_F1: _mean(grades.f1, seen),
        Metric.SENSITIVITY: _sensitivity(confusion),
        Metric.SPECIFICITY: grades.recall[..., 0],
        Metric.AC1: _gwet(confusion, Weights.IDENTITY),
        Metric.AC2: _gwet(confusion, Weights.QUADRATIC),
        Metric.KAPPA: _kappa(confusion),
        Metric.ADJACENT_ERRORS: _adjacent_errors(confusion),
    }


def constant_confusion(confusion: Floats, grade: int) -> Floats:
    """Return the confusion of a predictor that always says ``grade``."""
    constant = np.zeros_like(confusion)
    constant[..., grade] = confusion.sum(axis=-1)
    return constant


def _one_where(counts: Floats) -> Floats:
    return np.asarray(counts > 0.0, dtype=np.float64)


def _mean(figures: Floats, weights: Floats) -> Floats:
    """Average over the last axis; what has no weight may be undefined."""
    weighted = np.where(weights > 0.0, figures, 0.0) * weights
    return ratio(weighted.sum(axis=-1), weights.sum(axis=-1))


def _sensitivity(confusion: Floats) -> Floats:
    diseased = confusion[..., 1:, :]
    return ratio(diseased[..., 1:].sum(axis=(-2, -1)), diseased.sum(axis=(-2, -1)))


def _gwet(confusion: Floats, kind: Weights) -> Floats:
    """Return AC1 or AC2; ``agreement.gwet`` says the same with an error and more."""
    weights = agreement_weights(kind)
    cases = confusion.sum(axis=(-2, -1))
    observed = ratio((confusion * weights).sum(axis=(-2, -1)), cases)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    prevalence = ratio(both, 2.0 * cases[..., None])
    by_chance = (prevalence * (1.0 - prevalence)).sum(axis=-1)
    expected = by_chance * weights.sum() / (GRADES * (GRADES - 1))
    return np.asarray((observed - expected) / (1.0 - expected))


def _kappa(confusion: Floats) -> Floats:
    disagreement = 1.0 - agreement_weights(Weights.QUADRATIC)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    by_chance = support[..., :, None] * predicted[..., None, :]
    observed = (confusion * disagreement).sum(axis=(-2, -1))
    expected = (by_chance * disagreement).sum(axis=(-2, -1))
    return 1.0 - ratio(observed * confusion.sum(axis=(-2, -1)), expected)


def _adjacent_errors(confusion: Floats) -> Floats:
    grade = np.arange(GRADES)
    distance = np.abs(grade[:, None] - grade)
    errors = (confusion * (distance > 0)).sum(axis=(-2, -1))
    return ratio((confusion * (distance == 1)).sum(axis=(-2, -1)), errors)
