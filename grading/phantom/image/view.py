"""A slice through a spine: where the pixels of its sub-planes lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.phantom.image.lattice import Field, enlarge, knots
from grading.phantom.spine.axis import Axis
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.place import Place, Plane

KNOT_MM = 4.0
"""Between points that are straightened one by one. The spine bends with radii of
80 mm and more and warps over 45 mm, so that linear steps stray by less than
0.06 mm."""
LONGEST_STRIDE = 8
"""Pixels beyond the image that a lattice laid over it may need."""
SUB_PLANES = 3
THICK_MM = 6.0
"""Above it, as in localizers, there are `THICK_SUB_PLANES`."""
THICK_SUB_PLANES = 5


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where every pixel lies, on each of the planes that a slice is averaged over."""

    at: Place
    """(planes, rows, columns) float32, wider than the image by what any lattice over
    it reaches past its last pixel."""
    rows: int
    columns: int
    pixel_mm: float
    """The smaller side of a pixel."""
    reach_mm: float
    """From the central plane to the outermost."""

    @property
    def planes(self) -> int:
        """Each stands for a slab of the slice; they are evenly spaced."""
        return self.at.shape[0]

    def centre(self) -> Place:
        """Return where the pixels of the central plane lie, (rows, columns)."""
        return self.at[self.planes // 2, : self.rows, : self.columns]

    def stride(self, step_mm: float) -> int:
        """Return how many whole pixels fit a step, at least one."""
        return int(np.clip(step_mm / self.pixel_mm, 1, LONGEST_STRIDE))

    def knots(self, stride: int) -> Place:
        """Return the central plane on a lattice that reaches past the image."""
        rows = stride * (knots(self.rows + 1, stride) - 1) + 1
        columns = stride * (knots(self.columns + 1, stride) - 1) + 1
        return self.at[self.planes // 2, :rows:stride, :columns:stride]

    def spread(self, coarse: Field, stride: int) -> Field:
        """Return what was worked out on `knots` at every pixel of the image."""
        return enlarge(coarse, stride)[: self.rows, : self.columns]


def view(axis: Axis, cut: Cut, thickness_mm: float) -> View:
    """Lay a slice through a spine; one without thickness has a single plane."""
    depths_mm = _depths(thickness_mm)
    stride = max(1, int(KNOT_MM / min(cut.spacing_mm)))
    rows, columns = (
        np.arange(knots(count + 1 + LONGEST_STRIDE, stride)) * float(stride)
        for count in (cut.rows, cut.columns)
    )
    middle = cut.at(*np.meshgrid(rows, columns, indexing="ij"))
    outer = np.array(cut.normal) * depths_mm[[0, -1]][:, np.newaxis]
    ends = axis.straighten(middle + outer[:, np.newaxis, np.newaxis])

    def bent(ends: Plane) -> Field:
        """Return a coordinate on all planes, linear between the outer ones."""
        return _through(enlarge(ends.astype(np.float32), stride), len(depths_mm))

    def flat(index: int) -> Field:
        """Return a coordinate of the patient on all planes."""
        steps = (depths_mm * cut.normal[index]).astype(np.float32)
        plane = enlarge(middle[..., index].astype(np.float32), stride)
        return plane + steps[:, np.newaxis, np.newaxis]

    at = Place(bent(ends.x), bent(ends.y), bent(ends.s), flat(0), flat(1), flat(2))
    reach_mm = float(depths_mm[-1])
    return View(at, cut.rows, cut.columns, min(cut.spacing_mm), reach_mm)


def _depths(thickness_mm: float) -> NDArray[np.float64]:
    """Return how deep the planes lie, each in the middle of its part of the slice."""
    planes = SUB_PLANES if thickness_mm <= THICK_MM else THICK_SUB_PLANES
    if thickness_mm <= 0:
        planes = 1
    return thickness_mm * ((np.arange(planes) + 0.5) / planes - 0.5)


def _through(ends: Field, planes: int) -> Field:
    """Return evenly spaced planes from the first to the last, (planes, ...)."""
    through: Field = np.empty((planes, *ends.shape[1:]), ends.dtype)
    for index, share in enumerate(np.linspace(0, 1, planes)):
        through[index] = ends[0] + np.float32(share) * (ends[1] - ends[0])
    return through
