"""The curve of the spine: two frames that say the same of every point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.phantom.spine.axis import Axis
from grading.phantom.spine.cut import Cut, vector
from grading.phantom.spine.grid import place_of
from grading.phantom.spine.posture import draw_posture
from tests.grading.phantom.labels import pixel_points

CANAL_X_MM = st.floats(-30, 30)
CANAL_Y_MM = st.floats(-40, 40)
LUMBAR_S_MM = st.floats(-110, 140)


def axis_of(seed: int) -> Axis:
    return draw_posture(np.random.default_rng(seed)).axis


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), x=CANAL_X_MM, y=CANAL_Y_MM, s=LUMBAR_S_MM)
def test_a_straightened_point_is_located_where_it_was(
    seed: int, x: float, y: float, s: float
) -> None:
    axis = axis_of(seed)

    at = axis.straighten(axis.locate(x, y, s))

    assert (float(at.x), float(at.y), float(at.s)) == pytest.approx((x, y, s), abs=5e-3)


def test_places_keep_where_the_points_lie_in_the_patient() -> None:
    points = np.random.default_rng(0).uniform(-40, 40, (50, 3))

    at = axis_of(3).straighten(points)

    np.testing.assert_array_equal(np.stack([at.left, at.back, at.up], -1), points)


@pytest.mark.parametrize("seed", range(5))
def test_the_frame_is_orthonormal_and_right_handed_along_the_spine(seed: int) -> None:
    axis = axis_of(seed)

    frame = np.stack([axis.left, axis.back, axis.along], axis=1)

    products = frame @ np.swapaxes(frame, 1, 2)
    np.testing.assert_allclose(
        products, np.tile(np.eye(3), (len(frame), 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(frame), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_frame_follows_the_curve(seed: int) -> None:
    axis = axis_of(seed)

    steps = np.diff(axis.position, axis=0)

    lengths = np.linalg.norm(steps, axis=1)
    np.testing.assert_allclose(lengths, np.diff(axis.s), rtol=1e-3)
    headings = np.einsum("ij,ij->i", steps, axis.along[1:]) / lengths
    assert headings.min() > 0.999


def test_left_is_left_back_is_back_and_the_head_is_up() -> None:
    axis = axis_of(1)

    origin = axis.locate(0.0, 0.0, 0.0)

    assert (axis.locate(10.0, 0.0, 0.0) - origin)[0] > 9
    assert (axis.locate(0.0, 10.0, 0.0) - origin)[1] > 9
    assert (axis.locate(0.0, 0.0, 10.0) - origin)[2] > 9
    assert axis.leftwards(0.0)[0] > 0.9
    assert axis.direction(0.0)[2] > 0.9


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 999),
    tilt_deg=st.floats(-30, 30),
    spacing_mm=st.floats(0.25, 0.9),
)
def test_a_grid_is_straightened_like_its_points_one_by_one(
    seed: int, tilt_deg: float, spacing_mm: float
) -> None:
    axis = axis_of(seed)
    tilt = np.deg2rad(tilt_deg)
    cut = Cut.centred(
        vector(axis.locate(0.0, 8.0, -30.0)),
        (1.0, 0.0, 0.0),
        (0.0, float(np.cos(tilt)), float(np.sin(tilt))),
        (spacing_mm, spacing_mm),
        (round(50 / spacing_mm), round(60 / spacing_mm)),
    )

    coarse, exact = place_of(axis, cut), axis.straighten(pixel_points(cut))

    for name in ("x", "y", "s", "left", "back", "up"):
        away = np.abs(getattr(coarse, name) - getattr(exact, name))
        assert away.max() < 0.05, name
