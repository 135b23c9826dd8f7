"""Solids that stand upright in the patient, beside a spine that bends.

Skin, muscles, vessels and organs do not lean with each disc. Their frame is the
patient's, but for x: that is the straightened one, so that they keep their
distance from a spine that curves sideways or turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.phantom.spine.axis import Axis
from grading.phantom.spine.place import Box, Place, Plane
from grading.phantom.spine.solids import Solid, Table

BOX_STEP_MM = 15.0
"""Between the points that a box in the straightened frame is read from."""
BOX_MARGIN_MM = 8.0
"""What the straightened frame can curve, turn and warp between such points."""
CORNER_MM = 2.0
"""What the corner of a turned superellipse can reach past its longer half axis."""
REGULAR_BACK_MM = 70.0
"""Farther behind the spine the straightened frame is squeezed, where a lordosis
is deep, and no box is read there."""


@dataclass(frozen=True, slots=True)
class Upright:
    """A solid whose x, y and s mean: across the spine, posterior and superior."""

    solid: Solid
    side: int
    """1 as drawn, -1 mirrored: everything paired is drawn on the left."""
    straightened_box: Box

    def distance(self, at: Place) -> Plane:
        """Return the distance in the upright frame."""
        return self.solid.distance(
            Place(self.side * at.x, at.back, at.up, at.left, at.back, at.up)
        )

    def box(self) -> Box:
        """Return a cuboid of the straightened frame."""
        return self.straightened_box


def upright(solid: Solid, axis: Axis, side: int = 1) -> Upright:
    """Return a solid given in the upright frame as one of the spine's.

    Its box must be finite: that of the straightened frame is found from it.
    """
    box = solid.box()
    x = box.x if side > 0 else (-box.x[1], -box.x[0])
    left = np.interp(box.s, axis.position[:, 2], axis.position[:, 0])
    reach = (x[0] + left.min() - BOX_MARGIN_MM, x[1] + left.max() + BOX_MARGIN_MM)
    points = np.stack(
        np.meshgrid(_steps(reach), _steps(box.y), _steps(box.s)), axis=-1
    ).reshape(-1, 3)
    at = axis.straighten(points)
    x = x[0] - CORNER_MM, x[1] + CORNER_MM
    y, s = _spread(at.y), _spread(at.s)
    if y[1] > REGULAR_BACK_MM:
        y = y[0], np.inf
    return Upright(solid, side, Box(x, y, s))


def _steps(limits: tuple[float, float]) -> Table:
    count = int(np.ceil((limits[1] - limits[0]) / BOX_STEP_MM)) + 1
    return np.linspace(*limits, max(count, 2))


def _spread(values: Plane) -> tuple[float, float]:
    return float(values.min()) - BOX_MARGIN_MM, float(values.max()) + BOX_MARGIN_MM
