"""Points seen in two frames: the patient's, and the straightened spine's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]
"""Coordinates or distances in mm, of any shape."""


@dataclass(frozen=True, slots=True)
class Place:
    """Points of any shape; all six arrays are alike.

    The straightened frame follows the spine: ``s`` runs along the back of the
    vertebral bodies towards the head, ``x`` to the left and ``y`` to the back,
    both perpendicular to it, so that a healthy spine's discs are all alike in it.
    """

    x: Plane
    y: Plane
    s: Plane
    left: Plane
    back: Plane
    up: Plane
    """LPS in mm."""

    def __getitem__(self, index: Any) -> Place:
        """Return some of the points; a window, a mask, anything numpy takes."""
        return Place(
            self.x[index],
            self.y[index],
            self.s[index],
            self.left[index],
            self.back[index],
            self.up[index],
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each array."""
        return self.x.shape


@dataclass(frozen=True, slots=True)
class Box:
    """A cuboid of the straightened frame that holds a solid; infinite by default."""

    x: tuple[float, float] = (-np.inf, np.inf)
    y: tuple[float, float] = (-np.inf, np.inf)
    s: tuple[float, float] = (-np.inf, np.inf)

    @classmethod
    def around(cls, at: Place) -> Box:
        """Return the cuboid that holds some points; there must be one."""
        x, y, s = (
            (float(values.min()), float(values.max())) for values in (at.x, at.y, at.s)
        )
        return cls(x, y, s)

    def holds(self, at: Place, margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Say of each point whether it lies inside or within the margin."""
        held: NDArray[np.bool_] = _within(at.x, self.x, margin_mm)
        held &= _within(at.y, self.y, margin_mm)
        held &= _within(at.s, self.s, margin_mm)
        return held

    def meets(self, other: Box, margin_mm: float) -> bool:
        """Say whether two cuboids come within the margin of each other."""
        pairs = ((self.x, other.x), (self.y, other.y), (self.s, other.s))
        return all(
            a[0] < b[1] + margin_mm and b[0] < a[1] + margin_mm for a, b in pairs
        )


def _within(
    values: Plane, limits: tuple[float, float], margin_mm: float
) -> NDArray[np.bool_]:
    return (values > limits[0] - margin_mm) & (values < limits[1] + margin_mm)
