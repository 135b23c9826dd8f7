"""Where slices seem to be missing inside a series: geometry only, pure functions.

Slices of one slab are evenly spaced, so two neighbours that lie twice or three times
as far apart as the others have lost what lay between them. What is missing at an end
of a slab leaves no gap; only somebody who has counted the slices can tell.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from grading.headers import ImageHeader, Vector
from grading.levels.slabs import SAME_PLACE_MM, Slab, slabs

MAX_UNEVENNESS = 0.15
"""Of the usual spacing: positions are written in hundredths of a mm, gaps between
slices are tenths of it."""
MAX_MISSING_BESIDE = 2
"""Three slices and more between two parallel runs are the way to the next disc: discs
lie 34 to 38 mm apart, and a slab covers half of that or more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in a series where slices seem to be missing."""

    series_instance_uid: str
    slices: int
    """How many would fit there."""
    gap_mm: float
    spacing_mm: float
    """Usual in this place."""


def gaps(images: Sequence[ImageHeader]) -> list[Gap]:
    """Return the gaps inside slabs; the order of the images does not matter.

    Images without position or orientation must have been left out before.
    """
    return [
        Gap(uid, slices, step_mm, spacing_mm)
        for uid, groups in _parallel(images).items()
        if (spacing_mm := _usual_spacing_mm(groups))
        for group in groups
        for step_mm in _steps_mm(group)
        if (slices := _missing(step_mm, spacing_mm))
    ]


def evenly_spaced(images: Sequence[ImageHeader]) -> bool:
    """Tell whether each series is evenly spaced inside its slabs, without a gap.

    A slice in the place of another, a second echo say, breaks no spacing.
    """
    return all(
        abs(step_mm - spacing_mm) <= MAX_UNEVENNESS * spacing_mm
        for groups in _parallel(images).values()
        if (spacing_mm := _usual_spacing_mm(groups))
        for group in groups
        for step_mm in _steps_mm(group)
        if step_mm <= (MAX_MISSING_BESIDE + 1.5) * spacing_mm
    )


def _parallel(images: Sequence[ImageHeader]) -> dict[str, list[list[Slab]]]:
    """Return each series' slabs in groups of one normal, cranial to caudal."""
    together: dict[str, dict[Vector, list[Slab]]] = {}
    for slab in slabs(images):
        uid = images[slab.members[0]].key.series_instance_uid
        together.setdefault(uid, {}).setdefault(slab.normal, []).append(slab)
    return {
        uid: [sorted(group, key=_height) for group in by_normal.values()]
        for uid, by_normal in together.items()
    }


def _height(slab: Slab) -> float:
    return -slab.positions_mm[0]


def _steps_mm(group: Sequence[Slab]) -> list[float]:
    """Return the ways from each place to the next one below, within and between."""
    positions_mm = [mm for slab in group for mm in slab.positions_mm]
    steps = (a - b for a, b in itertools.pairwise(positions_mm))
    return [step for step in steps if step > SAME_PLACE_MM]


def _usual_spacing_mm(groups: Sequence[Sequence[Slab]]) -> float | None:
    """Return the median inside all slabs of a series: a short slab has too few."""
    spacings = [
        step for group in groups for slab in group for step in _steps_mm([slab])
    ]
    return statistics.median(spacings) if spacings else None


def _missing(step_mm: float, spacing_mm: float) -> int:
    """Return how many slices fit between; 0 where it is another slab's distance."""
    steps = step_mm / spacing_mm
    slices = round(steps) - 1
    fits = abs(steps - round(steps)) <= MAX_UNEVENNESS
    return slices if fits and 1 <= slices <= MAX_MISSING_BESIDE else 0
