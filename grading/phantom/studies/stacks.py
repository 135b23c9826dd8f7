"""Parallel planes as a technologist lays them: where, how tilted, how many.

Axial images are seen from the feet and sagittal ones from the left; a coronal one
faces the viewer (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grading.phantom.spine.cut import Cut, Points, Vector, vector

LEFT: Points = np.array([1.0, 0.0, 0.0])
BACK: Points = np.array([0.0, 1.0, 0.0])
UP: Points = np.array([0.0, 0.0, 1.0])

POSITION_DIGITS = 6
COSINE_DIGITS = 9
"""A decimal string holds 16 characters (PS3.5 6.2): cuts are rounded to what a header
can say, so that pixels, truth and header lie in one plane."""


@dataclass(frozen=True, slots=True)
class Frame:
    """How the planes of a stack lie; both are unit vectors at right angles."""

    along_row: Vector
    along_column: Vector

    @property
    def normal(self) -> Points:
        """along_row x along_column: the direction in which the stack's cuts follow."""
        return np.cross(self.along_row, self.along_column)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A square image's matrix."""

    side: int
    spacing_mm: float


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel cuts: cranial to caudal, right to left or front to back."""

    cuts: tuple[Cut, ...]


def axial_frame(normal: Points, turn_deg: float = 0.0) -> Frame:
    """Return the frame of planes across ``normal``, which points to the head.

    Rows run to the patient's left, turned within the plane from left towards back.
    """
    up = _unit(normal)
    left = _unit(LEFT - (LEFT @ up) * up)
    back = np.cross(up, left)
    turn = np.deg2rad(turn_deg)
    along_row = np.cos(turn) * left + np.sin(turn) * back
    return _frame(along_row, np.cross(up, along_row))


def sagittal_frame(spine: Points) -> Frame:
    """Return the frame of planes along ``spine``, the direction towards the head."""
    up = _unit(spine - (spine @ BACK) * BACK)
    return _frame(BACK, -up)


def coronal_frame() -> Frame:
    """Return the frame of planes along the patient's left and the long axis."""
    return _frame(LEFT, -UP)


def stack(
    frame: Frame, centre_mm: Points, pixels: Pixels, count: int, step_mm: float
) -> Stack:
    """Return so many cuts around ``centre_mm``, ``step_mm`` apart.

    Cranial to caudal, right to left or front to back, whichever the frame is for.
    """
    normal = frame.normal
    follow = 1.0 if normal @ (LEFT + BACK - UP) > 0 else -1.0
    offsets = follow * (np.arange(count) - (count - 1) / 2) * step_mm
    return Stack(
        tuple(_cut(frame, centre_mm + offset * normal, pixels) for offset in offsets)
    )


def _cut(frame: Frame, centre_mm: Points, pixels: Pixels) -> Cut:
    cut = Cut.centred(
        vector(centre_mm),
        frame.along_row,
        frame.along_column,
        (pixels.spacing_mm, pixels.spacing_mm),
        (pixels.side, pixels.side),
    )
    position = np.round(cut.position_mm, POSITION_DIGITS)
    return replace(cut, position_mm=vector(position))


def _frame(along_row: Points, along_column: Points) -> Frame:
    return Frame(
        vector(np.round(along_row, COSINE_DIGITS)),
        vector(np.round(along_column, COSINE_DIGITS)),
    )


def _unit(direction: Points) -> Points:
    unit: Points = direction / np.linalg.norm(direction)
    return unit
