"""Outlines read off grids of distances: finer than the grids."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from grading.phantom.contour import (
    coverage,
    first_crossing,
    last_crossing,
    least_gap,
    nearest,
    outline,
)

PITCH_MM = 0.25


def circle(row: float, column: float, radius: float) -> NDArray[np.float64]:
    """Return the distance in pixels to a circle, on a grid of 80 x 80."""
    rows, columns = np.indices((80, 80))
    return np.asarray(np.hypot(rows - row, columns - column) - radius)


def test_an_outline_lies_on_the_circle() -> None:
    points = outline(circle(40, 30, 12.3))

    away = np.hypot(points[:, 0] - 40, points[:, 1] - 30)
    assert len(points) > 80
    np.testing.assert_allclose(away, 12.3, atol=0.02)


def test_the_first_and_last_crossing_are_front_and_back() -> None:
    field = circle(40.2, 30, 12.3)

    assert first_crossing(field)[30] == pytest.approx(40.2 - 12.3, abs=0.02)
    assert last_crossing(field)[30] == pytest.approx(40.2 + 12.3, abs=0.02)
    assert np.isnan(last_crossing(field)[60])


def test_what_leaves_the_grid_has_no_crossing_there() -> None:
    assert np.isnan(last_crossing(circle(75, 40, 12))[40])
    assert np.isnan(first_crossing(circle(5, 40, 12))[40])


def test_coverage_sums_up_to_the_area() -> None:
    covered = coverage(circle(40, 40, 15) * PITCH_MM, PITCH_MM)

    assert covered.sum() == pytest.approx(np.pi * 15**2, rel=2e-3)
    assert covered.min() == 0
    assert covered.max() == 1


def test_the_least_gap_is_the_distance_between_two_circles() -> None:
    one, other = outline(circle(40, 20, 10)), outline(circle(40, 60, 15))

    assert least_gap(one, other, PITCH_MM) == pytest.approx(15 * PITCH_MM, abs=0.01)
    i, j = nearest(one, other)
    assert one[i] == pytest.approx((40, 30), abs=1)
    assert other[j] == pytest.approx((40, 45), abs=1)


def test_there_is_no_gap_to_nothing() -> None:
    nothing = outline(np.ones((9, 9)))

    assert least_gap(outline(circle(40, 20, 10)), nothing, PITCH_MM) == np.inf
