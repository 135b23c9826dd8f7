"""Outlines on a plane, read off a grid of signed distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating]
"""(rows, columns) signed distance in mm, negative inside."""
Outline = NDArray[np.float64]
"""(points, 2): row and column, in pixels."""


def outline(field: Field) -> Outline:
    """Return where a field crosses zero between two neighbouring grid points."""
    inside = field < 0
    return np.concatenate(
        [
            _crossings(field, inside, axis=0),
            _crossings(field, inside, axis=1),
        ]
    )


def last_crossing(field: Field) -> NDArray[np.float64]:
    """Return, per column, the row at which the inside ends for good; else NaN."""
    inside = field < 0
    rows = field.shape[0]
    last = rows - 1 - inside[::-1].argmax(axis=0)
    held = inside.any(axis=0) & (last < rows - 1)
    return _between(field, np.where(held, last, 0), held)


def first_crossing(field: Field) -> NDArray[np.float64]:
    """Return, per column, the row at which the inside first begins; else NaN."""
    first: NDArray[np.float64] = field.shape[0] - 1 - last_crossing(field[::-1])
    return first


def coverage(field: Field, pitch_mm: float) -> Field:
    """Return the share of each grid cell inside, by its distance."""
    share: Field = np.clip(0.5 - field / pitch_mm, 0, 1)
    return share


def least_gap(a: Outline, b: Outline, pitch_mm: float) -> float:
    """Return the least distance between two outlines in mm; infinite without one."""
    if not len(a) or not len(b):
        return float("inf")
    index = nearest(a, b)
    return float(np.hypot(*(a[index[0]] - b[index[1]]))) * pitch_mm


def nearest(a: Outline, b: Outline) -> tuple[int, int]:
    """Return the indices of the two points nearest each other."""
    squares = (a[:, np.newaxis, 0] - b[np.newaxis, :, 0]) ** 2
    squares += (a[:, np.newaxis, 1] - b[np.newaxis, :, 1]) ** 2
    i, j = np.unravel_index(int(squares.argmin()), squares.shape)
    return int(i), int(j)


def _crossings(field: Field, inside: NDArray[np.bool_], axis: int) -> Outline:
    here = [slice(None), slice(None)]
    there = [slice(None), slice(None)]
    here[axis], there[axis] = slice(None, -1), slice(1, None)
    low, high = tuple(here), tuple(there)
    at = np.argwhere(inside[low] != inside[high])
    if not len(at):
        return np.empty((0, 2))
    a = field[low][at[:, 0], at[:, 1]].astype(np.float64)
    b = field[high][at[:, 0], at[:, 1]].astype(np.float64)
    points = at.astype(np.float64)
    points[:, axis] += a / (a - b)
    return points


def _between(
    field: Field, last: NDArray[np.intp], held: NDArray[np.bool_]
) -> NDArray[np.float64]:
    columns = np.arange(field.shape[1])
    a = field[last, columns].astype(np.float64)
    b = field[np.minimum(last + 1, field.shape[0] - 1), columns].astype(np.float64)
    rise = np.where(held, b - a, 1.0)
    return np.where(held, last - a / rise, np.nan)
