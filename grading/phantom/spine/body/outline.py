"""The outline of a body that lies on its back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.phantom.spine.place import Box, Place, Plane
from grading.phantom.spine.solids import Table

LEAST_SHARE = 0.02
"""Of a half axis: nearer to the middle the gradient would vanish."""
FURROW_HALF_WIDTH_MM = 17.0
"""Of the groove over the spinous processes, a bell curve; a choice."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A body across its length: flat behind, round in front, grooved at the spine.

    Tables have one row per knot of ``up_mm`` and go on unchanged beyond them.
    """

    up_mm: Table
    x_mm: Table
    """The midline, LPS."""
    front_mm: Table
    middle_mm: Table
    """Where it is widest; layers nest only if they share it."""
    back_mm: Table
    half_width_mm: Table
    furrow_mm: float = 0.0

    def distance(self, at: Place) -> Plane:
        """Return the first-order distance across the body."""
        x, middle, half_width, before, after = (
            np.interp(at.up, self.up_mm, table).astype(at.up.dtype, copy=False)
            for table in (
                self.x_mm,
                self.middle_mm,
                self.half_width_mm,
                self.middle_mm - self.front_mm,
                self.back_mm - self.middle_mm,
            )
        )
        dx, dy = at.left - x, at.back - middle
        behind = dy > 0
        half_depth = np.where(behind, after, before)
        distance = _flattened(dx, dy, half_width, half_depth, behind)
        if self.furrow_mm:
            dent = self.furrow_mm * np.exp(-0.5 * (dx / FURROW_HALF_WIDTH_MM) ** 2)
            # Fading inwards, or it would hollow out the middle of the body.
            distance = distance + dent * (np.maximum(dy, 0) / half_depth) ** 2
        return distance

    def box(self) -> Box:
        """Return all space: far from the spine no box of its frame is of use."""
        return Box()


def _flattened(
    dx: Plane,
    dy: Plane,
    half_width: Plane,
    half_depth: Plane,
    behind: NDArray[np.bool_],
) -> Plane:
    """Return the distance to an ellipse, and to a superellipse of exponent 4 behind.

    Both meet with one tangent at the flanks. Powers are spelled out: they are slow,
    and the whole image is asked for.
    """
    across = np.maximum(np.abs(dx) / half_width, LEAST_SHARE)
    deep = np.maximum(np.abs(dy) / half_depth, LEAST_SHARE)
    steep_x = np.where(behind, across * across * across, across)
    steep_y = np.where(behind, deep * deep * deep, deep)
    level = np.sqrt(steep_x * across + steep_y * deep)
    level = np.where(behind, np.sqrt(level), level)
    slope = np.hypot(steep_x / half_width, steep_y / half_depth)
    raised = np.where(behind, level * level * level, level)
    distance: Plane = (level - 1) * raised / slope
    return distance
