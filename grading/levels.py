"""Which slices belong together: geometry only, pure functions.

Until disc levels are found on a sagittal series, every spatially separate slab of
slices is a group of its own and its level stays undetermined.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from grading.headers import ImageHeader, Vector

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
    axis = _mean_normal([slab.normal for slab in found])
    return sorted(found, key=lambda slab: -_height(images, slab, axis))


def centre_lps_mm(image: ImageHeader) -> Vector:
    """Return the image's centre in patient coordinates (PS3.3 C.7.6.2.1.1)."""
    if not (
        image.position_lps_mm
        and image.row_direction
        and image.column_direction
        and image.spacing_mm
    ):
        raise ValueError("an image without geometry has no centre")
    along_row = (image.columns - 1) / 2 * image.spacing_mm[1]
    along_column = (image.rows - 1) / 2 * image.spacing_mm[0]
    x, y, z = (
        start + along_row * row + along_column * column
        for start, row, column in zip(
            image.position_lps_mm,
            image.row_direction,
            image.column_direction,
            strict=True,
        )
    )
    return (x, y, z)


def _side_by_side(a: ImageHeader, b: ImageHeader) -> bool:
    same_series = a.key.series_instance_uid == b.key.series_instance_uid
    return same_series and _tilt_deg(_normal(a), _normal(b)) <= MAX_TILT_DEG


def _split_at_gaps(images: Sequence[ImageHeader], group: list[int]) -> list[Slab]:
    normal = _normal(images[group[0]])
    placed = sorted(
        ((_dot(centre_lps_mm(images[index]), normal), index) for index in group),
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
        _dot(centre_lps_mm(images[index]), axis) for index in slab.members
    )


def _normal(image: ImageHeader) -> Vector:
    normal = image.normal
    if normal is None:
        raise ValueError("an image without orientation belongs to no slab")
    return normal


def _mean_normal(normals: Sequence[Vector]) -> Vector:
    x, y, z = (statistics.fmean(component) for component in zip(*normals, strict=True))
    return (x, y, z)


def _dot(a: Vector, b: Vector) -> float:
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def _tilt_deg(a: Vector, b: Vector) -> float:
    return math.degrees(math.acos(min(1.0, abs(_dot(a, b)))))
