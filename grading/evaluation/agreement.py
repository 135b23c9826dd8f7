"""Gwet's coefficients of agreement, for any number of readers.

AC1 takes every disagreement for equally bad, AC2 weighs it. Formulas: Gwet,
Handbook of Inter-Rater Reliability, 4th edition, 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from grading.evaluation.outcomes import GRADES, Figure

Floats = NDArray[np.float64]

MISSING = -1
"""In place of a grade that a reader did not give."""
COVERAGE = 0.95
"""Of every interval in this package."""
NO_SPREAD = 1e-12
"""A standard error or the length of an interval below this is rounding."""


class Weights(StrEnum):
    """How much two different grades still agree."""

    IDENTITY = "identity"
    """Not at all, as in AC1 and in unweighted kappa."""
    LINEAR = "linear"
    QUADRATIC = "quadratic"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient by Gwet's own formula."""

    coefficient: Figure
    """With the 95 % interval by Student's t, cut at -1 and 1."""
    standard_error: float | None
    observed: float | None
    """Weighted share of the pairs of readers that agree."""
    expected: float | None
    """The same by chance, after Gwet."""


@dataclass(frozen=True, slots=True)
class _Terms:
    observed: float
    expected: float
    contributions: Floats
    """(cases,) whose mean is the coefficient and whose spread its standard error."""


def agreement_weights(weights: Weights, grades: int = GRADES) -> Floats:
    """Return (grades, grades): 1 on the diagonal, 0 for the farthest grades.

    Raises
    ------
    ValueError
        The scale has fewer than two grades.
    """
    if grades < 2:
        raise ValueError(f"a scale of {grades} grades leaves nothing to agree on")
    grade = np.arange(grades)
    distance = np.abs(grade[:, None] - grade) / (grades - 1)
    match weights:
        case Weights.IDENTITY:
            return np.eye(grades)
        case Weights.LINEAR:
            return np.asarray(1.0 - distance)
        case Weights.QUADRATIC:
            return np.asarray(1.0 - distance**2)


def gwet(
    ratings: NDArray[np.int8],
    *,
    grades: int = GRADES,
    weights: Weights = Weights.IDENTITY,
    patients: NDArray[np.intp] | None = None,
) -> Agreement:
    """Return the agreement of any number of readers.

    Parameters
    ----------
    ratings
        (cases, readers), grades from 0, ``MISSING`` where a reader gave none. A
        case with a single grade still tells how frequent the grades are.
    patients
        (cases,). Gwet's formula takes cases for independent. With patients, the
        standard error is that of independent patients (linearised), and Student's
        t has one degree of freedom less than there are patients.

    Raises
    ------
    ValueError
        A rating is neither ``MISSING`` nor a grade of the scale.
    """
    if ((ratings < MISSING) | (ratings >= grades)).any():
        raise ValueError(f"expected ratings of 0 to {grades - 1}, or {MISSING}")
    counts = (ratings[:, :, None] == np.arange(grades)).sum(axis=1, dtype=np.float64)
    rated = counts.any(axis=1)
    terms = _terms(counts[rated], agreement_weights(weights, grades))
    if terms is None:
        return _NOBODY_AGREES
    contributions = terms.contributions
    if patients is not None:
        contributions = _by_patient(contributions, patients[rated])
    return _agreement(terms, contributions, divisor=len(contributions) - 1)


def gwet_table(
    table: NDArray[np.int64], *, weights: Weights = Weights.IDENTITY
) -> Agreement:
    """Return the agreement of two readers from their table of counts.

    ``table`` is (grades, grades), rows the first reader, columns the second. The
    variance is divided by the number of cases, as in Gwet's formula for two readers;
    ``gwet`` divides by one less, as in his formula for more.
    """
    one = np.eye(len(table))
    pairs = (one[:, None] + one).reshape(-1, len(table))
    counts = np.repeat(pairs, table.ravel(), axis=0)
    terms = _terms(counts, agreement_weights(weights, len(table)))
    if terms is None:
        return _NOBODY_AGREES
    return _agreement(terms, terms.contributions, divisor=len(counts))


def _terms(counts: Floats, weights: Floats) -> _Terms | None:
    """Return what the coefficient is made of, None where no case has two ratings.

    ``counts`` is (cases, grades): how many readers gave this grade, one at least.
    """
    readers = counts.sum(axis=1)
    several = readers >= 2
    if not several.any():
        return None
    agreeing = (counts * (counts @ weights - 1.0)).sum(axis=1)
    pairs = np.where(several, readers * (readers - 1.0), 1.0)
    observed = np.where(several, agreeing / pairs, 0.0) / several.mean()
    prevalence = (counts / readers[:, None]).mean(axis=0)
    by_chance = (counts / readers[:, None]) @ (1.0 - prevalence)
    by_chance *= weights.sum() / (len(weights) * (len(weights) - 1))
    expected = float(by_chance.mean())
    coefficient = (observed.mean() - expected) / (1.0 - expected)
    own = observed - expected * several / several.mean()
    chance = 2.0 * (1.0 - coefficient) * (by_chance - expected)
    return _Terms(float(observed.mean()), expected, (own - chance) / (1.0 - expected))


def _by_patient(contributions: Floats, patients: NDArray[np.intp]) -> Floats:
    """Return (patients,) contributions with the same mean, one for each patient."""
    _, patient = np.unique(patients, return_inverse=True)
    deviation = np.bincount(patient, contributions - contributions.mean())
    # A patient with more cases than others counts for more.
    weight = len(deviation) / len(contributions)
    return np.asarray(contributions.mean() + deviation * weight)


def _agreement(terms: _Terms, contributions: Floats, divisor: int) -> Agreement:
    value = float(terms.contributions.mean())
    if len(contributions) < 2:
        alone = Figure(value, undefined="a standard error needs two of them")
        return Agreement(alone, None, terms.observed, terms.expected)
    variance = ((contributions - value) ** 2).sum() / divisor / len(contributions)
    error = float(np.sqrt(variance))
    figure = Figure(value, undefined="every case agrees")
    if error > NO_SPREAD:
        freedom = len(contributions) - 1
        reach = error * float(stats.t.ppf(0.5 + COVERAGE / 2.0, freedom))
        figure = Figure(value, max(value - reach, -1.0), min(value + reach, 1.0))
    return Agreement(figure, error, terms.observed, terms.expected)


_NOBODY_AGREES = Agreement(
    Figure(None, undefined="no case was graded twice"), None, None, None
)
