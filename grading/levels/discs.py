"""Discs in order along the spine, counted up from the sacrum: geometry only.

Nothing is counted where the sacrum or the disc above it was not found: a name is
worse than none if it may be the neighbour's.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from grading.errors import GradingError
from grading.grades import Level
from grading.headers import Vector
from grading.levels.geometry import dot, length_mm, minus, plus, unit
from grading.levels.sightings import Place, across_mm

MAX_SACRUM_GAP = 0.9
"""From the middle of S1 to the disc above in usual gaps: L5/S1 lies at 0.6 of a gap,
the middle of L5 at 1.1, and L4/L5 at 1.6."""
DOUBLE_GAP = (1.6, 2.5)
"""A gap of so many usual ones lacks one disc; a wider one lacks who knows how many."""
TWIN_GAP = 0.65
"""Two discs closer than this share of a usual gap cannot both be discs: half a gap
above a disc lies the middle of a vertebra."""
HALF_DEPTH_MM = 17.0
"""From a disc's middle to its posterior margin, where the margin was not found."""
USUAL_GAP_MM = 34.0
"""Between the middles of neighbouring discs, where there are no others to compare."""
USUAL_GAPS_MM = (28.0, 44.0)
"""What is usual in some adult; a chain whose gaps are not so is mostly no discs."""
COUNTED_UP = tuple(reversed(Level))
UP: Vector = (0.0, 0.0, 1.0)
BACK: Vector = (0.0, 1.0, 0.0)


class LevelsUndetermined(GradingError):
    """The discs cannot be named; the message says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Disc:
    """One disc in the patient, LPS in mm."""

    centre: Vector
    margin: Vector
    """Midpoint of the posterior margin."""
    level: Level | None
    """None above T12/L1."""
    gap_above: bool = False
    """The disc above was counted although nobody found it."""


@dataclass(frozen=True, slots=True)
class DiscChain:
    """The discs of one spine, cranial to caudal; the last one lies on the sacrum."""

    discs: tuple[Disc, ...]

    @property
    def levels(self) -> tuple[Level, ...]:
        """Those with a name, cranial to caudal."""
        return tuple(disc.level for disc in self.discs if disc.level)


def chain(places: Sequence[Place], sacrum: Vector | None) -> DiscChain:
    """Order discs along the spine and count them up from the sacrum.

    Discs below the sacrum's first body are those between sacral bodies and left out.

    Raises
    ------
    LevelsUndetermined
        The sacrum or the disc above it was not found.
    """
    if sacrum is None:
        raise LevelsUndetermined("the sacrum was not found on the sagittal images")
    upwards = _without_twins(_upwards(places, sacrum))
    if not upwards or _off_sacrum(upwards, sacrum) > MAX_SACRUM_GAP:
        raise LevelsUndetermined(
            "the disc above the sacrum was not found on the sagittal images"
        )
    discs = _counted(upwards, sacrum)
    return DiscChain(tuple(reversed(discs)))


def disagreement_mm(a: DiscChain, b: DiscChain, side: Vector) -> float:
    """Return how far two chains differ about the same level, seen along ``side``.

    Infinite where they name no level in common.
    """
    known = {disc.level: disc.centre for disc in a.discs if disc.level}
    return max(
        (
            across_mm(known[disc.level], disc.centre, side)
            for disc in b.discs
            if disc.level in known
        ),
        default=math.inf,
    )


def _upwards(places: Sequence[Place], sacrum: Vector) -> list[Place]:
    """Return the discs above the sacrum, the lowest first.

    None where all lie below it: those between sacral bodies tell no way upwards.
    """
    if not places:
        return []
    highest = max(places, key=lambda place: dot(place.centre, UP))
    way = minus(highest.centre, sacrum)
    if dot(way, UP) <= 0:
        return []
    axis = unit(way)
    above = [place for place in places if dot(minus(place.centre, sacrum), axis) > 0]
    return sorted(above, key=lambda place: dot(place.centre, axis))


def _gaps_mm(upwards: Sequence[Place]) -> list[float]:
    return [
        length_mm(minus(upper.centre, lower.centre))
        for lower, upper in itertools.pairwise(upwards)
    ]


def _usual_gap_mm(upwards: Sequence[Place]) -> float:
    gaps_mm = _gaps_mm(upwards)
    if len(gaps_mm) < 2:
        return USUAL_GAP_MM
    least, most = USUAL_GAPS_MM
    return min(max(statistics.median(gaps_mm), least), most)


def _off_sacrum(upwards: Sequence[Place], sacrum: Vector) -> float:
    """Return how far the lowest disc lies from the sacrum, in usual gaps."""
    return length_mm(minus(upwards[0].centre, sacrum)) / _usual_gap_mm(upwards)


def _without_twins(upwards: list[Place]) -> list[Place]:
    """Of two discs too close to each other keep the one that is surer."""
    kept = list(upwards)
    while True:
        limit_mm = TWIN_GAP * _usual_gap_mm(kept)
        close = [n for n, gap in enumerate(_gaps_mm(kept)) if gap < limit_mm]
        if not close:
            return kept
        lower, upper = kept[close[0]], kept[close[0] + 1]
        kept.remove(min(upper, lower, key=lambda place: place.weight))


def _counted(upwards: Sequence[Place], sacrum: Vector) -> list[Disc]:
    """Name the discs, the lowest first, up to a gap too wide to count across."""
    usual_mm = _usual_gap_mm(upwards)
    margins = _margins(upwards, sacrum)
    discs = [_disc(upwards[0], margins[0], 0)]
    number = 0
    for index, gap_mm in enumerate(_gaps_mm(upwards), start=1):
        share = gap_mm / usual_mm
        if share > DOUBLE_GAP[1]:
            break
        if share > DOUBLE_GAP[0]:
            number += 1
            discs[-1] = replace(discs[-1], gap_above=True)
        number += 1
        discs.append(_disc(upwards[index], margins[index], number))
    return discs


def _disc(place: Place, margin: Vector, number: int) -> Disc:
    return Disc(
        centre=place.centre,
        margin=place.margin or margin,
        level=COUNTED_UP[number] if number < len(COUNTED_UP) else None,
    )


def _margins(upwards: Sequence[Place], sacrum: Vector) -> list[Vector]:
    """Go backwards from each disc's middle, across the spine's course there.

    The course is that from the neighbour below to the one above; below the lowest disc
    lies the sacrum, without which a disc tilted as L5/S1 would miss by 3 mm.
    """
    middles = [sacrum, *(place.centre for place in upwards)]
    return [
        _behind(middles[n], middles[n - 1], middles[min(n + 1, len(middles) - 1)])
        for n in range(1, len(middles))
    ]


def _behind(middle: Vector, lower: Vector, upper: Vector) -> Vector:
    course = unit(minus(upper, lower)) if upper != lower else UP
    backwards = unit(plus(BACK, course, -dot(BACK, course)))
    return plus(middle, backwards, HALF_DEPTH_MM)
