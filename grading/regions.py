"""Where the network looks on each axial slice, and how the place was found.

In this order: where a person drew a box; midway between the sac's centre and the
posterior disc margin; where the neighbours' regions lead; the image centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grading.boxes import Box
from grading.card import Card
from grading.grades import AxialMarks, PixelPoint, Region, RegionOrigin
from grading.headers import ImageHeader, Vector
from grading.landmarks.found import AxialFound
from grading.levels.geometry import at, dot, minus, pixel_of, plus
from grading.levels.slabs import Slab
from grading.preprocess import Preprocessing, default_region

MAX_SPREAD_MM = 8.0
"""Looks that disagree more than this have found nothing."""
MAX_NEIGHBOUR_MM = 25.0
"""Along the slab; farther away the canal may run elsewhere."""
USUAL_HALFWAY_MM = 4.5
"""From the sac's centre half the way to the disc, where the disc was not found."""
FORWARDS: Vector = (0.0, -1.0, 0.0)


def region_finder(card: Card) -> RegionFinder:
    """Return what finds regions for a bundle, as far as its card believes its looks."""
    spread_mm = card.landmarks.largest_spread_mm if card.landmarks else MAX_SPREAD_MM
    return RegionFinder(card.preprocessing, spread_mm)


@dataclass(frozen=True, slots=True)
class Seen:
    """A slice and what was found on it."""

    header: ImageHeader
    found: AxialFound | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class RegionFinder:
    """How regions are found; the bundle knows how far its looks may disagree."""

    spec: Preprocessing
    max_spread_mm: float = MAX_SPREAD_MM

    def believed(self, found: AxialFound | None) -> AxialFound | None:
        """Return what was found, None where it is nothing or the looks disagree.

        A look that does not find the canal cannot tell whether there is a disc.
        """
        if found is None or found.marks == AxialMarks():
            return None
        if found.spread_mm is not None and found.spread_mm > self.max_spread_mm:
            return None
        return found

    def regions(self, seen: Sequence[Seen], slabs: Sequence[Slab]) -> list[Region]:
        """Return each slice's region, in the order of the slices."""
        own = [self._own(one) for one in seen]
        regions: list[Region] = [
            region or default_region(one.header.rows, one.header.columns, self.spec)
            for one, region in zip(seen, own, strict=True)
        ]
        for slab in slabs:
            places = _Course.of(slab, seen, own)
            for index, position_mm in zip(slab.members, slab.positions_mm, strict=True):
                where = places.at(position_mm)
                if own[index] is None and where is not None:
                    header = seen[index].header
                    point = pixel_of(header, where)
                    regions[index] = self._region(point, RegionOrigin.NEIGHBOURS)
        return regions

    def _own(self, one: Seen) -> Region | None:
        """Return the region that a slice gives by itself."""
        if one.box is not None:
            return self._region(PixelPoint(*one.box.centre), RegionOrigin.DRAWN)
        found = self.believed(one.found)
        if found is None or found.marks.sac_centre is None:
            return None
        sac, margin = found.marks.sac_centre, found.marks.disc_margin
        point = _middle(one.header, sac, margin)
        return self._region(point, RegionOrigin.LANDMARKS, found.spread_mm)

    def _region(
        self, point: PixelPoint, origin: RegionOrigin, spread_mm: float | None = None
    ) -> Region:
        size_mm = self.spec.region_size_mm
        return Region(point.row, point.column, size_mm, origin, spread_mm)


def _middle(
    header: ImageHeader, sac: PixelPoint, margin: PixelPoint | None
) -> PixelPoint:
    """Return the place midway between sac and disc."""
    if margin is None:
        return pixel_of(header, plus(at(header, sac), FORWARDS, USUAL_HALFWAY_MM))
    return PixelPoint((sac.row + margin.row) / 2, (sac.column + margin.column) / 2)


@dataclass(frozen=True, slots=True)
class _Course:
    """How the centres of regions run along a slab, LPS in mm."""

    normal: Vector
    known: tuple[tuple[float, Vector], ...]
    """Position along the slab and centre."""

    @classmethod
    def of(
        cls, slab: Slab, seen: Sequence[Seen], own: Sequence[Region | None]
    ) -> _Course:
        known = [
            (mm, at(seen[index].header, PixelPoint(region.row, region.column)))
            for index, mm in zip(slab.members, slab.positions_mm, strict=True)
            if (region := own[index]) is not None
        ]
        return cls(slab.normal, tuple(known))

    def at(self, position_mm: float) -> Vector | None:
        """Return the centre there: between two neighbours, else beside the nearest."""
        near = [one for one in self.known if _near(one[0], position_mm)]
        above = min((one for one in near if one[0] >= position_mm), default=None)
        below = max((one for one in near if one[0] < position_mm), default=None)
        if above and below:
            share = (position_mm - below[0]) / (above[0] - below[0])
            return plus(below[1], minus(above[1], below[1]), share)
        nearest = above or below
        if nearest is None:
            return None
        rise_mm = position_mm - dot(nearest[1], self.normal)
        return plus(nearest[1], self.normal, rise_mm)


def _near(a_mm: float, b_mm: float) -> bool:
    return abs(a_mm - b_mm) <= MAX_NEIGHBOUR_MM
