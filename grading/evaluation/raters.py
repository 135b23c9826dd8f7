"""Two readers and an adjudicator, as the paper made its reference standard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.agreement import MISSING, Agreement
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import GRADES, Figure, Outcomes
from grading.evaluation.scoring import DEFAULT_RESAMPLES, bootstrap
from grading.grades import Finding

Ratings = NDArray[np.int8]
"""(cases,) grade 0 to 3, or ``MISSING``."""


@dataclass(frozen=True, slots=True)
class ReaderAgreement:
    """How far two readers agree; intervals by bootstrap over patients."""

    finding: Finding
    cases: int
    """Graded by both."""
    patients: int
    confusion: NDArray[np.int64]
    """(4, 4) cases, rows the first reader, columns the second."""
    equal: Figure
    """Share of the cases with the same grade."""
    ac1: Figure
    ac2: Figure
    kappa: Figure
    ac1_by_formula: Agreement
    """With Gwet's own interval, which takes the cases for independent."""
    ac2_by_formula: Agreement


def adjudicate(first: Ratings, second: Ratings, adjudicator: Ratings) -> Ratings:
    """Return the reference: what both readers say, else what the adjudicator says.

    ``MISSING`` where the readers differ, or one did not grade, and the adjudicator
    is silent. Where both agree, the adjudicator is not heard.
    """
    agreed = (first == second) & (first != MISSING)
    return np.where(agreed, first, adjudicator).astype(np.int8)


def reader_agreement(
    finding: Finding,
    first: Ratings,
    second: Ratings,
    patients: NDArray[np.intp],
    *,
    seed: int,
    resamples: int = DEFAULT_RESAMPLES,
) -> ReaderAgreement:
    """Compare two readers on the cases that both graded; ``patients`` is (cases,)."""
    both = (first != MISSING) & (second != MISSING)
    certain = np.eye(GRADES)[second[both]]
    outcomes = Outcomes(finding, patients[both], first[both], certain)
    scores = bootstrap(outcomes, seed=seed, resamples=resamples)
    return ReaderAgreement(
        finding=finding,
        cases=scores.cases,
        patients=scores.patients,
        confusion=scores.confusion,
        equal=scores.figures[Metric.ACCURACY],
        ac1=scores.figures[Metric.AC1],
        ac2=scores.figures[Metric.AC2],
        kappa=scores.figures[Metric.KAPPA],
        ac1_by_formula=scores.ac1_by_formula,
        ac2_by_formula=scores.ac2_by_formula,
    )
