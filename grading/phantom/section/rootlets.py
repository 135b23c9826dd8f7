"""Place the cauda equina inside a sac as a stenosis grade has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.grades import Grade
from grading.phantom.definitions import SEPARATE_GAP_MM
from grading.phantom.misfit import MisfitError
from grading.phantom.ranges import ROOTLET_COUNT, Range
from grading.phantom.section.anatomy import Rootlets
from grading.phantom.section.gauge import BUNDLE_RIM_MM
from grading.phantom.shapes import Shape

STEP_MM = 0.3
"""Between two places that a rootlet can take."""
BEHIND_FLUID_MM = 2.05
"""Anterior fluid of a normal sac: the 2 mm of its definition, and a grid step."""
AT_THE_WALL_MM = 0.6
"""Obliterated: within the 0.7 mm of its definition."""
SAFE_GAP_MM = SEPARATE_GAP_MM + 0.08
CLUMPED_SHARE = (0.34, 0.66)
CLUMPS = (2, 4)

Distances = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a rootlet can lie; one entry per place."""

    x_mm: Distances
    y_mm: Distances
    depth_mm: Distances
    """Below the nearest wall of the sac."""
    behind_mm: Distances
    """Behind the sac's front wall."""
    radius_mm: float
    """Of the rootlets."""

    def __len__(self) -> int:
        return len(self.x_mm)

    def only(self, mask: NDArray[np.bool_]) -> Places:
        """Return the places that a mask keeps."""
        return Places(
            self.x_mm[mask],
            self.y_mm[mask],
            self.depth_mm[mask],
            self.behind_mm[mask],
            self.radius_mm,
        )

    def away_mm(self, index: int) -> Distances:
        """Return the distance of every place from one of them."""
        away: Distances = np.hypot(
            self.x_mm - self.x_mm[index], self.y_mm - self.y_mm[index]
        )
        return away

    def taken(self, indices: list[int], *, bundled: bool = False) -> Rootlets:
        """Return the rootlets at some of the places."""
        return Rootlets(self.x_mm[indices], self.y_mm[indices], self.radius_mm, bundled)

    def bar(self, order: Distances, index: int) -> None:
        """Close, in ``order``, the places too near to one that is taken."""
        order[self.away_mm(index) < 2 * self.radius_mm + SAFE_GAP_MM] = np.inf


def draw_rootlets(
    lccs: Grade,
    sac: Shape,
    counts: Range,
    radius_mm: float,
    rng: np.random.Generator,
) -> Rootlets:
    """Place the rootlets as a stenosis grade has them.

    Grade 0: behind, with fluid in front. 1: apart, up to the front wall. 2: some
    in two to four clumps. 3: one bundle.

    Raises
    ------
    MisfitError
        The sac is too small for as many rootlets as there are.
    """
    count = round(float(rng.uniform(*counts)))
    places = find_places(sac, radius_mm)
    if len(places) < count:
        raise MisfitError("no room for the rootlets")
    if lccs is Grade.GRADE_3:
        chosen = rng.choice(len(places), count, replace=False)
        return places.taken(chosen.tolist(), bundled=True)
    if lccs is Grade.GRADE_0:
        dorsal = places.only(places.behind_mm > BEHIND_FLUID_MM + places.radius_mm)
        return dorsal.taken(_crescent(dorsal, count, rng))
    first = _frontmost(places, rng)
    if lccs is Grade.GRADE_1:
        order = rng.random(len(places))
        return places.taken(_fill(places, order, first, [], count))
    return places.taken(_clumped(places, first, count, rng))


def find_places(sac: Shape, radius_mm: float) -> Places:
    """Return every place where a rootlet of that radius lies inside the sac."""
    left, right, front, back = sac.box()
    x, y = np.meshgrid(np.arange(left, right, STEP_MM), np.arange(front, back, STEP_MM))
    distance = sac.distance(x, y)
    first = np.where(distance < 0, y, np.inf).min(axis=0)
    inside = distance < -(radius_mm + BUNDLE_RIM_MM)
    behind = y - np.where(np.isfinite(first), first, 0)
    return Places(x[inside], y[inside], -distance[inside], behind[inside], radius_mm)


def _crescent(dorsal: Places, count: int, rng: np.random.Generator) -> list[int]:
    """Choose places along the back wall first: rootlets settle there."""
    if not len(dorsal):
        raise MisfitError("no room for the rootlets")
    order = rng.random(len(dorsal))
    order = order + dorsal.depth_mm * float(rng.uniform(0.0, 0.6)) - 0.05 * dorsal.y_mm
    return _fill(dorsal, order, int(order.argmin()), [], count)


def _frontmost(places: Places, rng: np.random.Generator) -> int:
    """Pick a place at the front wall, in the middle of the sac."""
    x = places.x_mm
    middle = np.abs(x - x.mean()) < np.ptp(x) / 5
    near = places.behind_mm - places.radius_mm < AT_THE_WALL_MM
    candidates = np.flatnonzero(middle & near)
    if not len(candidates):
        raise MisfitError("no place at the front wall")
    return int(rng.choice(candidates))


def _fill(
    places: Places, order: Distances, first: int, chosen: list[int], count: int
) -> list[int]:
    """Add places to the chosen ones, in order, each with fluid around it."""
    index = first
    while np.isfinite(order[index]) and len(chosen) < count:
        chosen.append(index)
        places.bar(order, index)
        index = int(order.argmin())
    if len(chosen) < ROOTLET_COUNT[0]:
        raise MisfitError("no room for that many rootlets")
    return chosen


def _clumped(
    places: Places, first: int, count: int, rng: np.random.Generator
) -> list[int]:
    """Choose some places in clumps and the others apart from them."""
    together = round(count * float(rng.uniform(*CLUMPED_SHARE)))
    clumps = int(rng.integers(CLUMPS[0], CLUMPS[1] + 1))
    sizes = together // clumps + (np.arange(clumps) < together % clumps)
    order = rng.random(len(places))
    chosen: list[int] = []
    index = first
    for size in np.maximum(sizes, 2):
        if not np.isfinite(order[index]):
            raise MisfitError("no room for the clumps")
        members = _clump(places, index, order, int(size))
        chosen.extend(members)
        for member in members:
            places.bar(order, member)
        index = int(order.argmin())
    return _fill(places, order, index, chosen, count)


def _clump(places: Places, centre: int, order: Distances, size: int) -> list[int]:
    """Choose the nearest free places that overlap by at most a quarter."""
    members: list[int] = []
    for index in np.argsort(places.away_mm(centre)):
        if not np.isfinite(order[index]):
            continue
        away = places.away_mm(int(index))[members]
        if (away >= 1.5 * places.radius_mm).all():
            members.append(int(index))
        if len(members) == size:
            return members
    raise MisfitError("no room for a clump")
