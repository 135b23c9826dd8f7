"""Find where on a slice a surface lies, before its distance is worked out in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from grading.phantom.image.canvas import Window
from grading.phantom.image.gathered import Sides, span, spans, windows
from grading.phantom.image.lattice import Field, enlarge, knots
from grading.phantom.image.scene import Surface
from grading.phantom.image.view import View
from grading.phantom.spine.place import Place
from grading.phantom.spine.solids import Tube

SURVEY_MM = 2.5
"""Between the points of a survey. Of coarse surfaces it is all that is read: their
radii are such that a linear step strays by less than 0.1 mm."""
FINE_MM = 1.5
"""The most between points at which the distance of a fine, smooth surface is read."""
FINE_SHARE = 1 / 16
"""The same over its smaller side. What is small or has kinks is read at every pixel."""
OVERSTATED = 1.6
"""By what first-order distances may exceed true ones, a step from a surface."""
SMALL_POINTS = 100
"""Surfaces that fill fewer points of the survey are worked out without one."""

EMPTY = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A window of the image that a surface passes through, or fills."""

    surface: Surface
    window: Window
    depth: Field
    """The survey's distances over the window, (rows, columns); empty without one."""
    near_mm: float
    """Deeper than this, all pixels between four points of the survey are inside."""
    size_mm: float
    """The smaller side of the whole surface on the slice."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        return _shape(self.window)

    @property
    def filled(self) -> bool:
        """Whether every pixel lies deep inside all of the surface's shells."""
        inward_mm = max(shell.inward_mm for shell in self.surface.shells)
        outermost_mm = float(self.depth.max(initial=-np.inf))
        return self.depth.size > 0 and outermost_mm + inward_mm < -self.near_mm


class Survey:
    """A lattice over the central plane of a slice."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._stride = view.stride(SURVEY_MM)
        self._step_mm = self._stride * view.pixel_mm
        # From a pixel of an outer plane to the nearest point of the lattice.
        farthest_mm = np.hypot(np.sqrt(0.5) * self._step_mm, view.reach_mm)
        self._near_mm = OVERSTATED * float(farthest_mm)
        self._at = view.knots(self._stride)
        self._spans = spans(self._at)

    def frames(self, boxes: Sides) -> Iterator[tuple[int, Window]]:
        """Yield, by their index, the parts of the survey that cuboids can lie near."""
        return windows(boxes, self._spans, self._near_mm)

    def find(self, surface: Surface, box: Sides, frame: Window) -> Piece | None:
        """Return where on the slice a surface lies, None if it does not.

        Parameters
        ----------
        box
            (3, 2): of the surface.
        frame
            Where on the survey the box can lie.
        """
        if isinstance(surface.solid, Tube):
            box = self._stretch(surface.solid, frame, surface.grown_mm)
            narrowed = _held(self._at, frame, box, self._near_mm)
            if narrowed is None:
                return None
            frame = narrowed
        if surface.fine and prod(_shape(frame)) < SMALL_POINTS:
            margin_mm = self._view.pixel_mm + self._view.reach_mm
            window = _held(self._view.centre(), self._window(frame), box, margin_mm)
            if window is None:
                return None
            return Piece(surface, window, EMPTY, self._near_mm, 0.0)
        return self._surveyed(surface, frame)

    def _surveyed(self, surface: Surface, frame: Window) -> Piece | None:
        depth = np.asarray(surface.solid.distance(self._at[frame]), np.float32)
        near = depth < self._near_mm + surface.grown_mm
        rows, columns = np.asarray(near.any(axis=1)), np.asarray(near.any(axis=0))
        if not rows.any():
            return None
        found = _grown(span(rows, columns), depth.shape)
        window = self._window(_within(frame, found))
        size_mm = min(depth.shape) * self._step_mm - 2 * self._near_mm
        return Piece(surface, window, depth[found], self._near_mm, size_mm)

    def spread(self, piece: Piece, values: Field) -> Field:
        """Return at each pixel what is given at each point, (1, rows, columns)."""
        rows, columns = piece.shape
        return enlarge(values, self._stride)[np.newaxis, :rows, :columns]

    def fine_distance(self, piece: Piece) -> Field:
        """Return the distance at each pixel of each plane, (planes, rows, columns)."""
        step_mm = min(FINE_MM, FINE_SHARE * piece.size_mm)
        stride = self._view.stride(step_mm) if piece.surface.smooth else 1
        rows, columns = piece.shape
        at = self._view.at[
            :, _lattice(piece.window[0], stride), _lattice(piece.window[1], stride)
        ]
        distance = np.asarray(piece.surface.solid.distance(at), np.float32)
        return enlarge(distance, stride)[:, :rows, :columns]

    def _stretch(self, tube: Tube, frame: Window, grown_mm: float) -> Sides:
        """Return the cuboid around the part of a tube that the slice can cross."""
        s = self._at.s[frame]
        low_mm, high_mm = (
            float(s.min()) - self._near_mm,
            float(s.max()) + self._near_mm,
        )
        inner = tube.s_mm[(tube.s_mm > low_mm) & (tube.s_mm < high_mm)]
        knots_mm = np.concatenate([[low_mm], inner, [high_mm]])
        x, y, half_width, half_depth = (
            np.interp(knots_mm, tube.s_mm, table)
            for table in (tube.x_mm, tube.y_mm, tube.half_width_mm, tube.half_depth_mm)
        )
        if tube.angle_deg:
            half_width = half_depth = np.maximum(half_width, half_depth)
        return np.array(
            [
                [(x - half_width).min(), (x + half_width).max()],
                [(y - half_depth).min(), (y + half_depth).max()],
                [tube.s_mm[0], tube.s_mm[-1]],
            ],
            np.float32,
        ) + np.array([-grown_mm, grown_mm], np.float32)

    def _window(self, frame: Window) -> Window:
        """Return the pixels between points; those on the last ones belong further."""
        rows, columns = (
            slice(
                min(self._stride * one.start, limit),
                min(self._stride * max(one.stop - 1, one.start + 1), limit),
            )
            for one, limit in zip(
                frame, (self._view.rows, self._view.columns), strict=True
            )
        )
        return rows, columns


def _lattice(pixels: slice, stride: int) -> slice:
    """Return every so many pixels, from the first to the last or beyond."""
    reach = stride * (knots(pixels.stop - pixels.start, stride) - 1) + 1
    return slice(pixels.start, pixels.start + reach, stride)


def _shape(frame: Window) -> tuple[int, int]:
    rows, columns = frame
    return rows.stop - rows.start, columns.stop - columns.start


def _held(at: Place, frame: Window, box: Sides, margin_mm: float) -> Window | None:
    """Return the part of a frame whose points lie in a cuboid or near it."""
    part = at[frame]
    near = np.ones(part.shape, np.bool_)
    for values, (low, high) in zip((part.x, part.y, part.s), box, strict=True):
        near &= (values > low - margin_mm) & (values < high + margin_mm)
    rows, columns = np.asarray(near.any(axis=1)), np.asarray(near.any(axis=0))
    return _within(frame, span(rows, columns)) if rows.any() else None


def _grown(frame: Window, shape: tuple[int, ...]) -> Window:
    """Return a frame with one point more on each side, where there is one."""
    rows, columns = (
        slice(max(one.start - 1, 0), min(one.stop + 1, count))
        for one, count in zip(frame, shape, strict=True)
    )
    return rows, columns


def _within(frame: Window, inner: Window) -> Window:
    """Return a part of a frame, given by its rows and columns in it."""
    rows, columns = (
        slice(one.start + part.start, one.start + part.stop)
        for one, part in zip(frame, inner, strict=True)
    )
    return rows, columns
