"""One body in the making: where it is, how large, muscular, stout and old."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.phantom.spine.body.stations import Anchor, Course, Stations, resized
from grading.phantom.spine.body.upright import Upright, upright
from grading.phantom.spine.solids import Solid, Tube, Whole

Pair = tuple[Tube, Tube]
"""Right and left, both drawn on the left, in the upright frame."""
SIDES = ((-1, "right"), (1, "left"))
SIZE = (0.94, 1.07)
"""Of lengths across the body; a choice that keeps to the ranges of the discs."""
MUSCLE = (0.90, 1.08)
"""Half widths of muscles over the typical ones; a choice."""
MUSCLE_LOST = 0.10
"""Share of a muscle's half width that age takes; a choice."""
ASYMMETRY = 0.04
"""Sides differ by up to twice this: 3 to 8 per cent."""


@dataclass(frozen=True, slots=True)
class Torso:
    """A body, and the generator that its structures are drawn from."""

    stations: Stations
    size: float
    muscle: float
    stoutness: float
    """0 lean, 1 obese."""
    older: float
    """0 a young adult, 1 an old one."""
    rng: np.random.Generator

    def between(self, lean: float, stout: float) -> float:
        """Return a length between a lean body's and a stout one's."""
        return lean + self.stoutness * (stout - lean)

    def draw(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def draw_tube(
        self,
        course: Course,
        anchor: Anchor,
        exponent: float = 2.0,
        angle_deg: float = 0.0,
        thickness: float = 1.0,
    ) -> Tube:
        """Draw what takes a typical course on one side of a body of this size."""
        own = thickness * (1 + self.draw(-ASYMMETRY, ASYMMETRY))
        course = resized(course, self.size, own)
        return self.stations.tube(course, anchor, exponent, angle_deg)

    def draw_pair(
        self,
        course: Course,
        anchor: Anchor,
        exponent: float = 2.0,
        angle_deg: float = 0.0,
        thickness: float = 1.0,
    ) -> Pair:
        """Draw the right and the left one of something, not quite alike."""
        right, left = (
            self.draw_tube(course, anchor, exponent, angle_deg, thickness)
            for _ in SIDES
        )
        return right, left

    def place(self, solid: Solid, side: int = 1) -> Upright:
        """Return a solid of the upright frame, drawn on the left, as the spine's."""
        return upright(solid, self.stations.axis, side)

    def pair(self, solids: tuple[Solid, Solid]) -> Solid:
        """Return a right and a left one, both drawn on the left, as one solid."""
        right, left = solids
        return Whole((self.place(right, -1), self.place(left)))


def draw_torso(stations: Stations, older: float, rng: np.random.Generator) -> Torso:
    """Draw a body of a given age."""
    return Torso(
        stations=stations,
        size=float(rng.uniform(*SIZE)),
        muscle=float(rng.uniform(*MUSCLE)) * (1 - MUSCLE_LOST * older),
        # More lean bodies than stout ones, but some of all.
        stoutness=float(rng.beta(1.6, 2.4)),
        older=older,
        rng=rng,
    )
