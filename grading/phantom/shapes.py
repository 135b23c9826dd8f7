"""Signed distances of plane shapes: negative inside, in millimetres.

Distances of ellipses are first-order: exact on the outline, close near it, which
is where coverage, contact and clearance are read. Deep inside only the sign holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating]
"""Coordinates or distances in mm; any shape, x and y alike."""

TINY_MM = 1e-6
"""Keeps a division by the length of a vanishing vector defined."""


class Shape(Protocol):
    """Anything with an inside."""

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the signed distance of each point, negative inside."""
        ...

    def box(self) -> tuple[float, float, float, float]:
        """Return left, right, front and back of a rectangle that holds the shape."""
        ...


@dataclass(frozen=True, slots=True)
class Ellipse:
    """A superellipse, turned about its centre; exponent 2 is the plain ellipse."""

    x: float
    y: float
    half_width: float
    half_depth: float
    angle_deg: float = 0.0
    """From the x axis towards the y axis."""
    exponent: float = 2.0
    taper: float = 0.0
    """By how much of its width it is narrower behind, and wider in front."""

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the level set divided by the length of its gradient."""
        angle = np.deg2rad(self.angle_deg)
        dx, dy = x - self.x, y - self.y
        if self.taper:
            dx = dx / tapered(dy / self.half_depth, self.taper)
        along = np.abs(np.cos(angle) * dx + np.sin(angle) * dy) / self.half_width
        across = np.abs(np.cos(angle) * dy - np.sin(angle) * dx) / self.half_depth
        n = self.exponent
        distance: Plane
        if n == 2.0:  # by far the most common, and powers are slow
            level = np.sqrt(along * along + across * across) + TINY_MM
            slope = np.hypot(along / self.half_width, across / self.half_depth)
            distance = (level - 1) * level / (slope + TINY_MM)
            return distance
        level = (along**n + across**n) ** (1 / n) + TINY_MM
        slope = np.hypot(
            along ** (n - 1) / self.half_width, across ** (n - 1) / self.half_depth
        )
        distance = (level - 1) * level ** (n - 1) / (slope + TINY_MM)
        return distance

    def box(self) -> tuple[float, float, float, float]:
        """Return the square around the longer half axis."""
        reach = max(self.half_width * (1 + self.taper), self.half_depth)
        return self.x - reach, self.x + reach, self.y - reach, self.y + reach


def tapered(share: Plane, taper: float) -> Plane:
    """Return the width at a share of the depth, from -1 in front to 1 behind."""
    width: Plane = 1 - taper * np.clip(share, -1, 1)
    return width


@dataclass(frozen=True, slots=True)
class Capsule:
    """A segment with rounded ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    radius: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the exact distance to the segment, less the radius."""
        ux, uy = self.x1 - self.x0, self.y1 - self.y0
        share = ((x - self.x0) * ux + (y - self.y0) * uy) / (ux * ux + uy * uy)
        share = np.clip(share, 0, 1)
        return (
            np.hypot(x - self.x0 - share * ux, y - self.y0 - share * uy) - self.radius
        )

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around both ends."""
        left, right = sorted((self.x0, self.x1))
        front, back = sorted((self.y0, self.y1))
        reach = self.radius
        return left - reach, right + reach, front - reach, back + reach


@dataclass(frozen=True, slots=True)
class Union:
    """Wherever any of the shapes is."""

    shapes: tuple[Shape, ...]

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance to the nearest; far away where there is none."""
        nearest = np.full(np.broadcast_shapes(x.shape, y.shape), 1e3)
        for shape in self.shapes:
            nearest = np.minimum(nearest, shape.distance(x, y))
        return nearest

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around all."""
        boxes = [shape.box() for shape in self.shapes]
        return (
            min(box[0] for box in boxes),
            max(box[1] for box in boxes),
            min(box[2] for box in boxes),
            max(box[3] for box in boxes),
        )


@dataclass(frozen=True, slots=True)
class Between:
    """A shape kept clear of others, such as a sac that gives way to a herniation."""

    shape: Shape
    obstacles: Shape
    clearance_mm: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance to the shape or to the obstacles' halo."""
        distance: Plane = np.maximum(
            self.shape.distance(x, y), self.clearance_mm - self.obstacles.distance(x, y)
        )
        return distance

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around the shape before it gives way."""
        return self.shape.box()


@dataclass(frozen=True, slots=True)
class Shrunken:
    """A shape whose outline is moved inwards."""

    shape: Shape
    by_mm: float

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance to the moved outline."""
        return self.shape.distance(x, y) + self.by_mm

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around the shape before it shrinks."""
        return self.shape.box()


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that a shape is not."""

    shape: Shape

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance with its sign turned."""
        return -self.shape.distance(x, y)

    def box(self) -> tuple[float, float, float, float]:
        """Return the whole plane."""
        return -np.inf, np.inf, -np.inf, np.inf
