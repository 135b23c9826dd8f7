"""Straighten all points of a cut at the price of a few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grading.phantom.spine.axis import Axis
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.place import Place
from grading.preprocess import sampling_weights

KNOT_MM = 3.0
"""Between the points that are straightened one by one. The frame bends with radii
of 80 mm and more and warps over 45 mm, so that linear steps between them stray by
less than 0.03 mm."""


def place_of(axis: Axis, cut: Cut, knot_mm: float = KNOT_MM) -> Place:
    """Return where every pixel of a cut lies; arrays are (rows, columns) float32."""
    by_row, row_knots = _interpolation(cut.rows, cut.spacing_mm[0], knot_mm)
    by_column, column_knots = _interpolation(cut.columns, cut.spacing_mm[1], knot_mm)
    rows, columns = np.meshgrid(row_knots, column_knots, indexing="ij")
    few = axis.straighten(cut.at(rows, columns))

    def spread(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(by_row @ values @ by_column.T, np.float32)

    return Place(
        spread(few.x),
        spread(few.y),
        spread(few.s),
        spread(few.left),
        spread(few.back),
        spread(few.up),
    )


def _interpolation(
    count: int, spacing_mm: float, knot_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (count, knots) weights, and the knots in pixels of the axis."""
    step = max(1.0, knot_mm / spacing_mm)
    knots = max(2, int(np.ceil((count - 1) / step)) + 1)
    offsets = np.arange(knots, dtype=np.float64) - (knots - 1) / 2
    places = offsets * step + (count - 1) / 2
    first, weights = sampling_weights(knots, (knots - 1) / 2, 1 / step, count)
    matrix = np.zeros((count, knots))
    matrix[:, first : first + weights.shape[1]] = weights
    return matrix, places
