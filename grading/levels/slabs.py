"""Which slices were laid together: geometry only, pure functions.

A slab is a technologist's word more than the spine's: mostly it is angled to one
disc, but a block through several is a slab too. `grading.levels` tells the discs.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from grading.headers import ImageHeader, Vector
from grading.levels.geometry import centre_lps_mm, dot, mean, normal_of, tilt_deg

MAX_TILT_DEG = 1.5
"""Slices of one slab are parallel; scanners write their cosines to 1e-6."""
MAX_GAP_RATIO = 1.5
"""A gap of more than 1.5 usual spacings separates two parallel slabs."""
SAME_PLACE_MM = 0.1
"""Slices closer than this lie in one place: none is acquired so thin."""


@dataclass(frozen=True, slots=True)
class Slab:
    """Parallel, evenly spaced slices, usually angled to one disc."""

    normal: Vector
    members: tuple[int, ...]
    """Indices into the images given, cranial to caudal."""
    positions_mm: tuple[float, ...]
    """Of each member along ``normal``, increasing towards the head."""

    @property
    def length_mm(self) -> float:
        """From the first slice's centre to the last one's."""
        return abs(self.positions_mm[0] - self.positions_mm[-1])


def slabs(images: Sequence[ImageHeader]) -> list[Slab]:
    """Group images into slabs, cranial to caudal.

    First by series, since a repeated series lies between the slices of the first;
    then by normal, then by gap: tilt alone merges parallel slabs. Images without
    position or orientation must have been left out before.
    """
    if not images:
        return []
    groups: list[list[int]] = []
    for index, image in enumerate(images):
        for group in groups:
            if _side_by_side(images[group[0]], image):
                group.append(index)
                break
        else:
            groups.append([index])
    found = [slab for group in groups for slab in _split_at_gaps(images, group)]
    axis = mean([slab.normal for slab in found])
    return sorted(found, key=lambda slab: -_height(images, slab, axis))


def _side_by_side(a: ImageHeader, b: ImageHeader) -> bool:
    same_series = a.key.series_instance_uid == b.key.series_instance_uid
    return same_series and tilt_deg(normal_of(a), normal_of(b)) <= MAX_TILT_DEG


def _split_at_gaps(images: Sequence[ImageHeader], group: list[int]) -> list[Slab]:
    normal = normal_of(images[group[0]])
    placed = sorted(
        ((dot(centre_lps_mm(images[index]), normal), index) for index in group),
        key=lambda pair: -pair[0],
    )
    gaps = [a[0] - b[0] for a, b in itertools.pairwise(placed)]
    # A repeated or second echo lies where the first one does: that is no spacing.
    spacings = [gap for gap in gaps if gap > SAME_PLACE_MM]
    limit = MAX_GAP_RATIO * statistics.median(spacings) if spacings else math.inf
    runs = [[placed[0]]]
    for gap, place in zip(gaps, placed[1:], strict=True):
        if gap > limit:
            runs.append([])
        runs[-1].append(place)
    return [
        Slab(normal, tuple(index for _, index in run), tuple(mm for mm, _ in run))
        for run in runs
    ]


def _height(images: Sequence[ImageHeader], slab: Slab, axis: Vector) -> float:
    """Return the slab's mean height along the spine's axis, in mm."""
    return statistics.fmean(
        dot(centre_lps_mm(images[index]), axis) for index in slab.members
    )
