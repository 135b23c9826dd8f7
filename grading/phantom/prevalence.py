"""How often each combination of the three grades is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from grading.grades import Finding, Grade
from grading.phantom.ranges import Prevalence

FITTING_ROUNDS = 200
"""Far more than the shares need to settle to the third digit."""
FIT_TOLERANCE = 5e-3
SUM_TOLERANCE = 2e-3
"""Shares printed to the tenth of a per cent need not sum to exactly one."""

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

    @property
    def all(self) -> tuple[Grade, Grade, Grade]:
        """In the order of `Finding`."""
        return self.ldh, self.lccs, self.lnrc


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

    Returns
    -------
    NDArray
        (LDH, LCCS, LNRC), 4 by 4 by 4; sums to one.
    """
    table = fit_table(MARGINS[prevalence])
    table.setflags(write=False)
    return table


def fit_table(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shares of the possible combinations that have these margins.

    Iterative proportional fitting from a uniform table over what is possible.

    Parameters
    ----------
    margins
        (3, 4): shares of the grades 0 to 3 of LDH, LCCS and LNRC.

    Raises
    ------
    ValueError
        A row is not four shares that sum to one, or no mixture of anatomies has
        these margins.
    """
    _check_margins(margins)
    table = np.array(
        [
            [[float(possible(i, j, k)) for k in range(4)] for j in range(4)]
            for i in range(4)
        ]
    )
    for _ in range(FITTING_ROUNDS):
        for axis, margin in enumerate(margins):
            others = tuple(other for other in range(3) if other != axis)
            shape = [4 if other == axis else 1 for other in range(3)]
            held = table.sum(axis=others)
            scale = np.divide(margin, held, out=np.zeros(4), where=held > 0)
            table = table * scale.reshape(shape)
    _check_fit(table, margins)
    fitted: NDArray[np.float64] = table / table.sum()
    return fitted


def _check_margins(margins: NDArray[np.float64]) -> None:
    for finding, shares in zip(Finding, margins, strict=True):
        if (
            len(shares) != len(Grade)
            or not np.isfinite(shares).all()
            or (shares < 0).any()
            or abs(shares.sum() - 1) > SUM_TOLERANCE
        ):
            raise ValueError(
                f"the shares of {finding} are {', '.join(f'{s:g}' for s in shares)}: "
                "give four shares, grade 0 to 3, none negative, that sum to 1"
            )


def _check_fit(table: NDArray[np.float64], margins: NDArray[np.float64]) -> None:
    for axis, (finding, wanted) in enumerate(zip(Finding, margins, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        reached = table.sum(axis=others)
        worst = int(np.abs(reached - wanted).argmax())
        if abs(reached[worst] - wanted[worst]) > FIT_TOLERANCE:
            raise ValueError(
                f"no mixture of anatomies has {finding} {worst} in "
                f"{wanted[worst]:.0%} of slices with these shares of the other "
                f"findings: {reached[worst]:.0%} can be reached. Without a herniation "
                "no root is displaced (LNRC 2), and a herniation beyond the facet line "
                "(LDH 3) narrows the canal; ask for shares that allow for it"
            )


def draw_wanted(prevalence: Prevalence, rng: np.random.Generator) -> WantedGrades:
    """Draw the grades that one disc shall show."""
    return draw_from(joint_table(prevalence), rng)


def draw_from(table: NDArray[np.float64], rng: np.random.Generator) -> WantedGrades:
    """Draw the grades that one disc shall show from a table of `fit_table`."""
    cell = int(rng.choice(table.size, p=table.ravel()))
    ldh, lccs, lnrc = np.unravel_index(cell, table.shape)
    return WantedGrades(Grade(int(ldh)), Grade(int(lccs)), Grade(int(lnrc)))
