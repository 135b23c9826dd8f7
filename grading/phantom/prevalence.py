"""How often each combination of the three grades is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from grading.grades import Grade
from grading.phantom.ranges import Prevalence

FITTING_ROUNDS = 60
"""Far more than the shares need to settle to the third digit."""

MARGINS: dict[Prevalence, NDArray[np.float64]] = {
    Prevalence.BALANCED: np.full((3, 4), 0.25),
    Prevalence.PAPER: np.array(
        [
            [0.488, 0.376, 0.125, 0.011],
            [0.827, 0.149, 0.018, 0.006],
            [0.703, 0.184, 0.055, 0.058],
        ]
    ),
}
"""Shares of the grades 0 to 3 of LDH, LCCS and LNRC."""


@dataclass(frozen=True, slots=True)
class WantedGrades:
    """The combination that one slice is drawn for."""

    ldh: Grade
    lccs: Grade
    lnrc: Grade


def possible(ldh: int, lccs: int, lnrc: int) -> bool:
    """Say whether the anatomy can show the three grades at once.

    Without a herniation nothing displaces a root while fat stays behind it. One
    beyond half of the facet line leaves an untouched sac only where it lies to a
    side. One beyond the line displaces the sac, and a root that it meets has no
    room left to give way.
    """
    if ldh == 0:
        return lnrc != 2
    if ldh == 2:
        return lccs > 0 or lnrc > 0
    if ldh == 3:
        return lccs >= 1 and lnrc in (0, 3)
    return True


@cache
def joint_table(prevalence: Prevalence) -> NDArray[np.float64]:
    """Return the share of each possible combination, with the margins asked for.

    Iterative proportional fitting from a uniform table over what is possible.

    Returns
    -------
    NDArray
        (LDH, LCCS, LNRC), 4 by 4 by 4; sums to one.
    """
    table = np.array(
        [
            [[float(possible(i, j, k)) for k in range(4)] for j in range(4)]
            for i in range(4)
        ]
    )
    for _ in range(FITTING_ROUNDS):
        for axis, margin in enumerate(MARGINS[prevalence]):
            others = tuple(other for other in range(3) if other != axis)
            shape = [4 if other == axis else 1 for other in range(3)]
            table *= (margin / table.sum(axis=others)).reshape(shape)
    table /= table.sum()
    table.setflags(write=False)
    return table


def draw_wanted(prevalence: Prevalence, rng: np.random.Generator) -> WantedGrades:
    """Draw the grades that one slice shall show."""
    table = joint_table(prevalence)
    cell = int(rng.choice(table.size, p=table.ravel()))
    ldh, lccs, lnrc = np.unravel_index(cell, table.shape)
    return WantedGrades(Grade(int(ldh)), Grade(int(lccs)), Grade(int(lnrc)))
