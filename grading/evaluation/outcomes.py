"""What was said about one finding, beside what is true: the input of all figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.grades import PROBABILITY_TOLERANCE, Finding, Grade

GRADES = len(Grade)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a report: a value, or the reason why there is none; never NaN.

    A value may come without an interval; ``undefined`` then says why, or is None
    where nobody asked for one.
    """

    value: float | None
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    undefined: str | None = None
    """Why the value, or only its interval, is missing: a clause for a person."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One finding's predictions beside its reference, per slice or per level.

    Raises
    ------
    ValueError
        The arrays differ in length, a reference is no grade, or four
        probabilities are not a distribution.
    """

    finding: Finding
    patients: NDArray[np.intp]
    """(cases,) which patient, by any whole number; cases of one are not independent."""
    reference: NDArray[np.int8]
    """(cases,) grade 0 to 3."""
    probabilities: NDArray[np.float64]
    """(cases, 4), each row sums to one."""

    def __post_init__(self) -> None:
        cases = len(self.reference)
        if self.patients.shape != (cases,) or self.reference.shape != (cases,):
            raise ValueError(
                f"{self.patients.shape} patients do not fit "
                f"{self.reference.shape} reference grades"
            )
        if self.probabilities.shape != (cases, GRADES):
            raise ValueError(
                f"expected ({cases}, {GRADES}) probabilities, "
                f"got {self.probabilities.shape}"
            )
        _check_grades(self.reference)
        _check_probabilities(self.probabilities)

    def __len__(self) -> int:
        return len(self.reference)

    @property
    def predicted(self) -> NDArray[np.int8]:
        """(cases,) the most probable grade, the lower one on a tie."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int8)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(cases,) the probability of the predicted grade."""
        return np.asarray(self.probabilities.max(axis=1, initial=0.0))

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Outcomes:
        """Return the chosen cases, by a (cases,) mask or by their indices."""
        return Outcomes(
            self.finding,
            self.patients[chosen],
            self.reference[chosen],
            self.probabilities[chosen],
        )


def _check_grades(reference: NDArray[np.int8]) -> None:
    wrong = (reference < 0) | (reference >= GRADES)
    if wrong.any():
        raise ValueError(f"{reference[wrong][0]} is no grade: expected 0 to 3")


def _check_probabilities(probabilities: NDArray[np.float64]) -> None:
    # Written so that a NaN fails too.
    inside = ((probabilities >= 0.0) & (probabilities <= 1.0)).all(axis=1)
    whole = np.abs(probabilities.sum(axis=1) - 1.0) <= PROBABILITY_TOLERANCE
    wrong = ~(inside & whole)
    if wrong.any():
        raise ValueError(
            f"{probabilities[wrong][0].tolist()} are not four probabilities "
            "that sum to one"
        )
