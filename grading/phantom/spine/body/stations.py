"""Heights along the trunk, and courses that structures take through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from grading.grades import Level
from grading.phantom.spine.axis import Axis, Table
from grading.phantom.spine.solids import Tube

ABOVE_MM = 28.0
"""From one station to the next above T12/L1: thoracic vertebrae are lower."""
BELOW_MM = 21.0
"""And below L5/S1, where the sacrum leans by some 45 degrees."""
SACRAL_BEND = 6.6
"""Below this station the back of a sacrum no longer recedes."""
KNOT_MM = 4.0
ANCHOR_MM = 40.0
"""Over which the line that a course follows is rounded."""
SMOOTHING_MM = 20.0
"""Courses bend smoothly; a choice."""
DISC_DEPTH_MM = 34.0
"""From the back of a vertebra to what lies in front of it."""

Row = tuple[float, float, float, float, float]
"""Station, x, y, half width, half depth; in mm but for the station.

Stations count the discs, from 0 at T12/L1 to 5 at L5/S1; fractions lie within the
vertebra below, what is less than 0 or more than 5 in the chest and the pelvis.
"""
Course = Sequence[Row]
"""Cranial to caudal."""


class Anchor(Enum):
    """What the y of a course counts from, at the same height; back is positive."""

    BACK = "the back of the vertebral bodies"
    FRONT = "the front of the vertebral bodies"


@dataclass(frozen=True, slots=True)
class Stations:
    """Where the stations are in one patient."""

    axis: Axis
    number: Table
    """(stations,) increasing, so caudal last."""
    up_mm: Table
    """(stations,) LPS."""
    front_up_mm: Table
    """(knots,) increasing."""
    front_mm: Table
    """(knots,) how far back the front of the spine lies at ``front_up_mm``."""

    def up(self, station: float | Table) -> Table:
        """Return the height of stations."""
        return np.asarray(np.interp(station, self.number, self.up_mm))

    def line(self, anchor: Anchor, up_mm: Table) -> Table:
        """Return how far back an anchor lies at some heights."""
        if anchor is Anchor.FRONT:
            return np.interp(up_mm, self.front_up_mm, self.front_mm)
        position = self.axis.position
        above = np.maximum(up_mm, self.up(SACRAL_BEND))
        return np.interp(above, position[:, 2], position[:, 1])

    def midline(self, up_mm: Table) -> Table:
        """Return how far left the spine lies at some heights, LPS."""
        position = self.axis.position
        return np.interp(up_mm, position[:, 2], position[:, 0])

    def table(self, values: Mapping[float, float], up_mm: Table) -> Table:
        """Return a number given at some stations for any height, smoothly."""
        stations = np.array(sorted(values))
        known = np.array([values[station] for station in stations])
        return smoothed(np.interp(-up_mm, -self.up(stations), known))

    def tube(
        self,
        course: Course,
        anchor: Anchor,
        exponent: float = 2.0,
        angle_deg: float = 0.0,
    ) -> Tube:
        """Return what takes a course, in the upright frame: its s is a height."""
        rows = np.array(course)[::-1]
        known = self.up(rows[:, 0])
        count = int((known[-1] - known[0]) / KNOT_MM) + 2
        up = np.linspace(known[0], known[-1], count)
        x, y, half_width, half_depth = (
            smoothed(np.interp(up, known, rows[:, column])) for column in range(1, 5)
        )
        y = y + rounded(self.line(anchor, up), ANCHOR_MM)
        return Tube(up, x, y, half_width, half_depth, exponent, angle_deg)


def find_stations(axis: Axis, disc_s_mm: Mapping[Level, float]) -> Stations:
    """Find the stations of one patient along the spine."""
    discs = [float(axis.locate(0, 0, disc_s_mm[level])[2]) for level in Level]
    above = discs[0] + ABOVE_MM * np.arange(8, 0, -1)
    below = discs[-1] - BELOW_MM * np.arange(1, 9)
    front = axis.locate(0, -DISC_DEPTH_MM, axis.s)
    return Stations(
        axis=axis,
        number=np.arange(-8.0, len(discs) + 8),
        up_mm=np.concatenate([above, discs, below]),
        front_up_mm=np.maximum.accumulate(front[:, 2]),
        front_mm=front[:, 1],
    )


def resized(course: Course, size: float, thickness: float = 1.0) -> Course:
    """Return a course in a larger or smaller body, and a thicker structure on it."""
    across = size * thickness
    return [
        (station, x * size, y * size, half_width * across, half_depth * across)
        for station, x, y, half_width, half_depth in course
    ]


def smoothed(values: Table) -> Table:
    """Round off the corners of a course whose knots are `KNOT_MM` apart."""
    return rounded(values, SMOOTHING_MM)


def rounded(values: Table, length_mm: float) -> Table:
    """Smooth a table with knots `KNOT_MM` apart over some length."""
    half = int(length_mm / KNOT_MM / 2)
    window = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")
