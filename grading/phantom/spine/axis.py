"""The curve that a spine follows, and the frame that straightens it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.phantom.spine.cut import Points
from grading.phantom.spine.place import Place, Plane

STEP_MM = 1.0
"""Between the knots of the tables."""
NEWTON_ROUNDS = 6
SETTLED_MM = 1e-6
LEAST_SLOPE = 0.25
"""Beyond the centre of the curve's curvature the foot of a point is not unique;
there the frame is squeezed rather than folded."""

Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wave:
    """One plane wave of the gentle warp that keeps outlines from being perfect."""

    rate: tuple[float, float, float]
    """Radians per mm along x, y and s."""
    phase: float
    amplitude_mm: tuple[float, float]
    """Along x and y."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The back of the vertebral bodies as a curve with a frame; one row per knot."""

    s: Table
    """(knots,), evenly spaced by `STEP_MM`, increasing towards the head."""
    position: Table
    """(knots, 3) LPS in mm."""
    along: Table
    """(knots, 3) unit vectors towards the head."""
    bend: Table
    """(knots, 3) derivative of ``along``."""
    left: Table
    """(knots, 3) unit vectors towards the vertebra's left."""
    back: Table
    """(knots, 3) unit vectors towards its back."""
    warp: tuple[Wave, ...]

    def straighten(self, points: Points) -> Place:
        """Return the points in both frames.

        Parameters
        ----------
        points
            (..., 3) LPS in mm.
        """
        s = np.interp(points[..., 2], self.position[:, 2], self.s)
        for _ in range(NEWTON_ROUNDS):
            offset = points - self._at(self.position, s)
            ahead = _dot(offset, self._at(self.along, s))
            slope = 1.0 - _dot(offset, self._at(self.bend, s))
            step = ahead / np.maximum(slope, LEAST_SLOPE)
            s = s + step
            if np.abs(step).max(initial=0.0) < SETTLED_MM:
                break
        offset = points - self._at(self.position, s)
        x = _dot(offset, self._at(self.left, s))
        y = _dot(offset, self._at(self.back, s))
        dx, dy = self._warped(x, y, s)
        return Place(x + dx, y + dy, s, points[..., 0], points[..., 1], points[..., 2])

    def locate(self, x: Plane | float, y: Plane | float, s: Plane | float) -> Points:
        """Return where points of the straightened frame lie in the patient.

        Returns
        -------
        NDArray
            (..., 3) LPS in mm.
        """
        x, y, s = np.broadcast_arrays(
            np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(s, float)
        )
        unwarped_x, unwarped_y = x, y
        for _ in range(NEWTON_ROUNDS):  # the warp's slope is far below 1
            dx, dy = self._warped(unwarped_x, unwarped_y, s)
            unwarped_x, unwarped_y = x - dx, y - dy
        points: Points = (
            self._at(self.position, s)
            + unwarped_x[..., np.newaxis] * self._at(self.left, s)
            + unwarped_y[..., np.newaxis] * self._at(self.back, s)
        )
        return points

    def direction(self, s: float) -> Points:
        """Return the unit vector towards the head at ``s``: a disc's normal."""
        along = self._at(self.along, np.array(s))
        unit: Points = along / np.linalg.norm(along)
        return unit

    def leftwards(self, s: float) -> Points:
        """Return the unit vector towards the vertebra's left at ``s``."""
        left = self._at(self.left, np.array(s))
        unit: Points = left / np.linalg.norm(left)
        return unit

    def _warped(self, x: Plane, y: Plane, s: Plane) -> tuple[Plane, Plane]:
        dx, dy = np.zeros_like(x), np.zeros_like(x)
        for wave in self.warp:
            a, b, c = wave.rate
            swing = np.sin(a * x + b * y + c * s + wave.phase)
            dx = dx + wave.amplitude_mm[0] * swing
            dy = dy + wave.amplitude_mm[1] * swing
        return dx, dy

    def _at(self, table: Table, s: Plane) -> Table:
        """Interpolate a table linearly; beyond its ends the last step goes on."""
        place = (s - self.s[0]) / STEP_MM
        knot = np.clip(np.floor(place), 0, len(self.s) - 2).astype(np.intp)
        share = (place - knot)[..., np.newaxis]
        lower = table[knot]
        value: Table = lower + share * (table[knot + 1] - lower)
        return value


def _dot(a: Table, b: Table) -> Table:
    product: Table = np.einsum("...i,...i->...", a, b)
    return product


def bent_axis(
    s: Table, tilt_deg: Table, lean_deg: Table, turn_deg: Table, warp: tuple[Wave, ...]
) -> Axis:
    """Integrate an axis from its angles; it passes through the origin at s = 0.

    Parameters
    ----------
    s
        (knots,) evenly spaced by `STEP_MM`, with 0 among them.
    tilt_deg
        Forward lean of the direction towards the head: a disc's tilt, positive at
        L5/S1.
    lean_deg
        Sideways lean towards the left: scoliosis.
    turn_deg
        Rotation of the vertebrae about the axis, from left towards back.
    """
    tilt, lean, turn = (np.deg2rad(angle) for angle in (tilt_deg, lean_deg, turn_deg))
    along = np.stack(
        [np.sin(lean), -np.sin(tilt) * np.cos(lean), np.cos(tilt) * np.cos(lean)], -1
    )
    position = np.cumsum(along, axis=0) * STEP_MM
    position -= [np.interp(0.0, s, position[:, i]) for i in range(3)]
    level_left = np.cross([0.0, 1.0, 0.0], along)
    level_left /= np.linalg.norm(level_left, axis=1, keepdims=True)
    level_back = np.cross(along, level_left)
    cosine, sine = np.cos(turn)[:, np.newaxis], np.sin(turn)[:, np.newaxis]
    return Axis(
        s=s,
        position=position,
        along=along,
        bend=np.gradient(along, STEP_MM, axis=0),
        left=cosine * level_left + sine * level_back,
        back=cosine * level_back - sine * level_left,
        warp=warp,
    )
