"""The sets of phantom studies that figures are quoted on, fixed before any training.

A study follows from its set's seed and its number, so that anyone can draw the same
studies again. No training may use a seed listed here, and none of these lines may
change once a bundle has been measured on it: a change is a new `GENERATOR_VERSION`
and is listed with its reason in ``docs/phantom.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

from grading.phantom.ranges import Domain, Prevalence

RESERVED_SEEDS = range(900_000, 1_000_000)
"""Kept for sets that measure."""


@dataclass(frozen=True, slots=True)
class StudySet:
    """So many whole studies from one seed."""

    name: str
    seed: int
    studies: int
    domain: Domain
    prevalence: Prevalence
    purpose: str


SETS: tuple[StudySet, ...] = (
    StudySet(
        "validation",
        900_001,
        60,
        Domain.INTERNAL,
        Prevalence.BALANCED,
        "choosing between models, settings and thresholds",
    ),
    StudySet(
        "calibration",
        900_002,
        100,
        Domain.EXTERNAL,
        Prevalence.PAPER,
        "calibrating confidences",
    ),
    StudySet(
        "test-internal",
        900_011,
        200,
        Domain.INTERNAL,
        Prevalence.PAPER,
        "the figures of a bundle, with the shares of grades of the paper's Table 2",
    ),
    StudySet(
        "test-external",
        900_012,
        200,
        Domain.EXTERNAL,
        Prevalence.PAPER,
        "the same on a population and scanners that no training sees",
    ),
    StudySet(
        "test-internal-balanced",
        900_013,
        100,
        Domain.INTERNAL,
        Prevalence.BALANCED,
        "recall of the rare grades",
    ),
    StudySet(
        "test-external-balanced",
        900_014,
        100,
        Domain.EXTERNAL,
        Prevalence.BALANCED,
        "recall of the rare grades, elsewhere",
    ),
)


def find_set(name: str) -> StudySet:
    """Return a set by its name.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    for one in SETS:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in SETS)
    raise ValueError(f"there is no set {name!r}; the sets are {known}")
