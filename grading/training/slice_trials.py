"""Where things were found on the slices of phantom studies, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grading.grades import Level

NEAR_MM = 3.0
"""A sac centre that lies nearer is found where it is."""


@dataclass(frozen=True, slots=True)
class SliceTrial:
    """One axial slice: what was found on it, beside what is true of it."""

    true_level: Level | None
    """Of the disc that it passes through; None where it passes through none."""
    level: Level | None = None
    """None where it was not determined, or the slice not graded."""
    sac_mm: float | None = None
    """From the sac's true centre to the one found; None where it was not, or where
    the slice passes through no disc."""
    through_disc: bool | None = None
    """What was said; None where it was not determined, or the slice not graded."""

    @property
    def shows_disc(self) -> bool:
        """Whether it passes through a disc."""
        return self.true_level is not None

    @property
    def level_right(self) -> bool:
        """Whether the level is the true one; a level not determined is not."""
        return self.shows_disc and self.level is self.true_level


def describe_slices(slices: Sequence[SliceTrial]) -> str:
    """Return how often the sac, the level and discs were found, in words."""
    through = [one for one in slices if one.shows_disc]
    if not through:
        return "no slice passes through a disc"
    return "\n".join((_describe_places(through), _describe_discs(slices)))


def _describe_places(through: Sequence[SliceTrial]) -> str:
    sac_mm = sorted(one.sac_mm for one in through if one.sac_mm is not None)
    near = sum(mm <= NEAR_MM for mm in sac_mm)
    determined = sum(one.level is not None for one in through)
    right = sum(one.level_right for one in through)
    middle = f"{sac_mm[len(sac_mm) // 2]:.2f} mm" if sac_mm else "not defined"
    return (
        f"{len(through)} slices through discs: sac centre found on {len(sac_mm)}, "
        f"within {NEAR_MM:g} mm on {near} ({near / len(through):.1%}), "
        f"median {middle}; level right on {right} ({right / len(through):.1%}), "
        f"wrong on {determined - right}, not determined on {len(through) - determined}"
    )


def _describe_discs(slices: Sequence[SliceTrial]) -> str:
    right = sum(one.through_disc is one.shows_disc for one in slices)
    passed_over = sum(one.shows_disc and one.through_disc is False for one in slices)
    invented = sum(not one.shows_disc and one.through_disc is True for one in slices)
    unknown = sum(one.through_disc is None for one in slices)
    return (
        f"{len(slices)} slices, through a disc or not: right on {right} "
        f"({right / len(slices):.1%}), wrong on {passed_over + invented} "
        f"({passed_over} through a disc, {invented} through none), not determined on "
        f"{unknown}"
    )
