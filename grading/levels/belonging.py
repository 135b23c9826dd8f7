"""Which disc each axial slice belongs to: geometry only, pure functions.

What counts is where a slice's plane passes the posterior margin of the discs, for
there lies what is graded; how a disc is tilted against the plane does not matter.
No equal Frame of Reference UID is demanded, since archives rewrite it. Instead the
coordinates must agree: a disc's margin has to lie within the axial image's field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grading.grades import Level
from grading.headers import ImageHeader
from grading.levels.discs import Disc, DiscChain
from grading.levels.geometry import above_mm, shows

HALF_DISC_MM = 4.5
"""Half the height of a lumbar disc at its posterior margin, and a little more."""
BELONGS_MM = 12.0
"""A slice within this distance shows what belongs to a disc: its margins, its
recesses. Farther away lies the middle of a vertebra."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a slice lies along the spine."""

    level: Level | None = None
    """Of the disc that the slice belongs to; None where it belongs to none."""
    through_disc: bool | None = None
    """None where nobody knows what discs there are."""
    beyond: bool = False
    """The slice lies below the lowest disc or above the highest one that was found."""


NOWHERE = Placed()


def place(image: ImageHeader, chain: DiscChain) -> Placed:
    """Say which disc a slice belongs to, and whether it passes through it."""
    heights_mm = [above_mm(image, disc.margin) for disc in chain.discs]
    nearest = min(range(len(heights_mm)), key=lambda n: abs(heights_mm[n]))
    disc, distance_mm = chain.discs[nearest], abs(heights_mm[nearest])
    if not shows(image, disc.margin):
        return NOWHERE
    if distance_mm <= _through_mm(image):
        return Placed(disc.level, through_disc=True)
    if distance_mm <= BELONGS_MM:
        return Placed(disc.level, through_disc=False)
    return _between(chain.discs, heights_mm)


def disagreement(images: Sequence[ImageHeader], chain: DiscChain) -> str | None:
    """Say why the discs tell nothing about the axial slices; None where they do.

    They do where at least one comes near a disc, and most that do show its margin
    within their field.
    """
    near = [
        shows(image, disc.margin)
        for image in images
        for disc in chain.discs
        if abs(above_mm(image, disc.margin)) <= BELONGS_MM
    ]
    if not near:
        return "no axial slice comes near a disc that it shows"
    if 2 * sum(near) <= len(near):
        return "its coordinates do not agree with those of the axial slices"
    return None


def _through_mm(image: ImageHeader) -> float:
    """Return up to what distance a slice passes through a disc.

    A thickness of more than `BELONGS_MM` is a mistake in the header: such a slice
    would pass through every disc, and through the vertebrae between them.
    """
    thickness_mm = image.thickness_mm or 0.0
    believed = thickness_mm if thickness_mm <= BELONGS_MM else 0.0
    return max(believed, HALF_DISC_MM)


def _between(discs: Sequence[Disc], heights_mm: Sequence[float]) -> Placed:
    """Place a slice that comes near no disc that was found."""
    above = [height > 0 for height in heights_mm]
    if all(above):
        return Placed(beyond=True)
    if not any(above):
        return Placed(through_disc=False, beyond=True)
    lower = discs[above.index(True)]
    return Placed(through_disc=None if lower.gap_above else False)
