"""Signed distances of solids: negative inside, in millimetres.

First-order, as the plane shapes they are built from: right on the surface and
close near it; far away only the sign holds. Distances are taken within the
plane across the spine, which is where coverage and clearance are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grading.phantom.shapes import TINY_MM, Shape
from grading.phantom.spine.place import Box, Place, Plane

Table = NDArray[np.float64]

FAR_MM = 1e3
NEAR_MM = 3.0
"""Solids farther than this from every point asked for are left out of a whole: far
more than any clearance that is read."""


class Solid(Protocol):
    """Anything with an inside."""

    def distance(self, at: Place) -> Plane:
        """Return the signed distance of each point, negative inside."""
        ...

    def box(self) -> Box:
        """Return a cuboid that holds the solid."""
        ...


@dataclass(frozen=True, slots=True)
class Tube:
    """A superellipse across the spine whose centre and size change along it.

    Each table has one row per knot of ``s_mm``; between knots they are linear, and
    beyond the first and the last knot there is nothing.
    """

    s_mm: Table
    """(knots,), increasing."""
    x_mm: Table
    y_mm: Table
    half_width_mm: Table
    half_depth_mm: Table
    exponent: float = 2.0
    angle_deg: float = 0.0
    """From left towards back."""
    taper: Table | None = None
    """By how much of its width it is narrower behind; see `shapes.Ellipse`."""

    def distance(self, at: Place) -> Plane:
        """Return the level set over the length of its gradient across the spine."""
        x, y, half_width, half_depth = (
            np.interp(at.s, self.s_mm, table).astype(at.s.dtype, copy=False)
            for table in (
                self.x_mm,
                self.y_mm,
                self.half_width_mm,
                self.half_depth_mm,
            )
        )
        dx, dy = at.x - x, at.y - y
        if self.angle_deg:
            cosine = float(np.cos(np.deg2rad(self.angle_deg)))
            sine = float(np.sin(np.deg2rad(self.angle_deg)))
            dx, dy = cosine * dx + sine * dy, cosine * dy - sine * dx
        if self.taper is not None:
            share = np.clip(dy / half_depth, -1, 1)
            narrow = np.interp(at.s, self.s_mm, self.taper).astype(dx.dtype)
            dx = dx / (1 - narrow * share)
        across = superellipse(dx, dy, half_width, half_depth, self.exponent)
        return between(across, at.s, float(self.s_mm[0]), float(self.s_mm[-1]))

    def box(self) -> Box:
        """Return the cuboid around every knot."""
        reach = self.half_width_mm, self.half_depth_mm
        if self.taper is not None:
            reach = self.half_width_mm * (1 + self.taper), self.half_depth_mm
        if self.angle_deg:
            # A superellipse reaches farthest along its diagonal.
            both = np.maximum(*reach) * max(1.0, 2 ** (0.5 - 1 / self.exponent))
            reach = both, both
        return Box(
            (
                float((self.x_mm - reach[0]).min()),
                float((self.x_mm + reach[0]).max()),
            ),
            (
                float((self.y_mm - reach[1]).min()),
                float((self.y_mm + reach[1]).max()),
            ),
            (float(self.s_mm[0]), float(self.s_mm[-1])),
        )


@dataclass(frozen=True, slots=True)
class Loft:
    """A plane shape drawn out along the spine, thinner towards its ends."""

    shape: Shape
    s_mm: float
    """Where the shape is itself."""
    below_mm: float
    """How far it reaches towards the feet."""
    above_mm: float
    thinning_mm: float = 0.0
    """How far its outline has moved inwards at either end."""
    drift: tuple[float, float] = (0.0, 0.0)
    """How far it moves along x and y per millimetre towards the head."""

    def distance(self, at: Place) -> Plane:
        """Return the shape's distance, moved inwards away from its middle."""
        ds = at.s - self.s_mm
        x, y = at.x, at.y
        if any(self.drift):
            x, y = x - self.drift[0] * ds, y - self.drift[1] * ds
        across = self.shape.distance(x, y)
        if self.thinning_mm:
            share = np.where(ds > 0, ds / self.above_mm, ds / self.below_mm)
            across = across + self.thinning_mm * share * share
        return between(
            across, at.s, self.s_mm - self.below_mm, self.s_mm + self.above_mm
        )

    def box(self) -> Box:
        """Return the cuboid around the shape on all its way."""
        left, right, front, back = self.shape.box()
        reach = max(self.below_mm, self.above_mm)
        dx, dy = abs(self.drift[0]) * reach, abs(self.drift[1]) * reach
        return Box(
            (left - dx, right + dx),
            (front - dy, back + dy),
            (self.s_mm - self.below_mm, self.s_mm + self.above_mm),
        )


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid, blunt along the spine, whose two ends reach differently far."""

    x_mm: float
    y_mm: float
    s_mm: float
    half_width_mm: float
    half_depth_mm: float
    below_mm: float
    above_mm: float
    bluntness: float = 2.0
    """2 is the plain ellipsoid; at 4 it keeps its section over most of its length."""

    def distance(self, at: Place) -> Plane:
        """Return the level set over the length of its gradient."""
        ds = at.s - self.s_mm
        along = np.where(ds > 0, ds / self.above_mm, -ds / self.below_mm)
        dx = (at.x - self.x_mm) / self.half_width_mm
        dy = (at.y - self.y_mm) / self.half_depth_mm
        level = np.sqrt(dx * dx + dy * dy + along**self.bluntness) + TINY_MM
        slope = np.sqrt(
            (dx / self.half_width_mm) ** 2
            + (dy / self.half_depth_mm) ** 2
            + (along / min(self.below_mm, self.above_mm)) ** 2
        )
        distance: Plane = (level - 1) * level / (slope + TINY_MM)
        return distance

    def box(self) -> Box:
        """Return the cuboid around it."""
        return Box(
            (self.x_mm - self.half_width_mm, self.x_mm + self.half_width_mm),
            (self.y_mm - self.half_depth_mm, self.y_mm + self.half_depth_mm),
            (self.s_mm - self.below_mm, self.s_mm + self.above_mm),
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """Several solids as one."""

    solids: tuple[Solid, ...]

    def distance(self, at: Place) -> Plane:
        """Return the distance to the nearest; `FAR_MM` where none is near."""
        nearest: Plane = np.full(at.shape, FAR_MM, at.s.dtype)
        if not nearest.size:
            return nearest
        held = Box.around(at)
        for one in self.solids:
            if one.box().meets(held, NEAR_MM):
                nearest = np.minimum(nearest, one.distance(at))
        return nearest

    def box(self) -> Box:
        """Return the cuboid around all."""
        boxes = [one.box() for one in self.solids]
        return Box(
            (min(box.x[0] for box in boxes), max(box.x[1] for box in boxes)),
            (min(box.y[0] for box in boxes), max(box.y[1] for box in boxes)),
            (min(box.s[0] for box in boxes), max(box.s[1] for box in boxes)),
        )


@dataclass(frozen=True, slots=True)
class Clear:
    """A solid kept clear of others, such as a sac that gives way to a herniation."""

    solid: Solid
    obstacles: Solid
    clearance_mm: float

    def distance(self, at: Place) -> Plane:
        """Return the distance to the solid or to the obstacles' halo."""
        distance: Plane = np.maximum(
            self.solid.distance(at), self.clearance_mm - self.obstacles.distance(at)
        )
        return distance

    def box(self) -> Box:
        """Return the cuboid around the solid before it gives way."""
        return self.solid.box()


@dataclass(frozen=True, slots=True)
class Inside:
    """What several solids have in common."""

    solids: tuple[Solid, ...]

    def distance(self, at: Place) -> Plane:
        """Return the distance to the farthest."""
        return reduce(np.maximum, [one.distance(at) for one in self.solids])

    def box(self) -> Box:
        """Return the cuboid common to all."""
        boxes = [one.box() for one in self.solids]
        return Box(
            (max(box.x[0] for box in boxes), min(box.x[1] for box in boxes)),
            (max(box.y[0] for box in boxes), min(box.y[1] for box in boxes)),
            (max(box.s[0] for box in boxes), min(box.s[1] for box in boxes)),
        )


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A solid whose surface is moved inwards, or outwards where negative."""

    solid: Solid
    by_mm: float

    def distance(self, at: Place) -> Plane:
        """Return the distance to the moved surface."""
        return self.solid.distance(at) + self.by_mm

    def box(self) -> Box:
        """Return the solid's cuboid, grown where the solid grows."""
        box, grown = self.solid.box(), max(0.0, -self.by_mm)
        return Box(
            (box.x[0] - grown, box.x[1] + grown),
            (box.y[0] - grown, box.y[1] + grown),
            (box.s[0] - grown, box.s[1] + grown),
        )


@dataclass(frozen=True, slots=True)
class Complement:
    """Everything that a solid is not."""

    solid: Solid

    def distance(self, at: Place) -> Plane:
        """Return the distance with its sign turned."""
        return -self.solid.distance(at)

    def box(self) -> Box:
        """Return all space."""
        return Box()


def superellipse(
    dx: Plane,
    dy: Plane,
    half_width: Plane | float,
    half_depth: Plane | float,
    exponent: float,
) -> Plane:
    """Return the first-order distance to a superellipse around the origin."""
    along, across = np.abs(dx) / half_width, np.abs(dy) / half_depth
    distance: Plane
    if exponent == 2.0:  # by far the most common, and powers are slow
        level = np.sqrt(along * along + across * across) + TINY_MM
        slope = np.hypot(along / half_width, across / half_depth) + TINY_MM
        distance = (level - 1) * level / slope
        return distance
    level = (along**exponent + across**exponent) ** (1 / exponent) + TINY_MM
    slope = np.hypot(
        along ** (exponent - 1) / half_width, across ** (exponent - 1) / half_depth
    )
    distance = (level - 1) * level ** (exponent - 1) / (slope + TINY_MM)
    return distance


def between(across: Plane, s: Plane, low: float, high: float) -> Plane:
    """Return a distance across the spine, cut off at two ends along it."""
    beyond = np.maximum(low - s, s - high)
    distance: Plane = np.maximum(across, beyond)
    return distance
