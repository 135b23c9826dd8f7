"""Signed distances of plane shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.phantom.shapes import (
    Between,
    Capsule,
    Ellipse,
    Outside,
    Shape,
    Shrunken,
    Union,
)

SHAPES: dict[str, Shape] = {
    "ellipse": Ellipse(3, -2, 7, 4, 25.0),
    "superellipse": Ellipse(3, -2, 7, 4, exponent=2.4),
    "tapered": Ellipse(3, -2, 7, 4, taper=0.2),
    "capsule": Capsule(-3, 1, 6, 5, 1.5),
    "union": Union((Ellipse(3, -2, 7, 4), Capsule(-9, 1, 2, 8, 1.5))),
    "shrunken": Shrunken(Ellipse(3, -2, 7, 4), 1.0),
}


@settings(max_examples=60, deadline=None)
@given(
    half_width=st.floats(1, 30),
    half_depth=st.floats(1, 30),
    angle_deg=st.floats(-90, 90),
    exponent=st.sampled_from([1.6, 2.0, 2.4]),
    turn=st.floats(0, 2 * np.pi),
)
def test_a_superellipse_is_negative_inside_zero_on_its_outline_and_positive_outside(
    half_width: float,
    half_depth: float,
    angle_deg: float,
    exponent: float,
    turn: float,
) -> None:
    shape = Ellipse(3, -2, half_width, half_depth, angle_deg, exponent)
    cosine, sine = np.cos(turn), np.sin(turn)
    norm = (abs(cosine) ** exponent + abs(sine) ** exponent) ** (1 / exponent)
    along, across = half_width * cosine / norm, half_depth * sine / norm
    angle = np.deg2rad(angle_deg)
    dx = along * np.cos(angle) - across * np.sin(angle)
    dy = along * np.sin(angle) + across * np.cos(angle)
    share = np.array([0.9, 1.0, 1.1])

    inner, outline, outer = shape.distance(3 + share * dx, -2 + share * dy)

    assert inner < 0 < outer
    assert outline == pytest.approx(0, abs=1e-3)


def test_a_capsule_measures_the_distance_to_its_segment() -> None:
    capsule = Capsule(0, 0, 10, 0, 2)

    found = capsule.distance(np.array([5.0, -3.0, 14.0, 5.0]), np.array([5.0, 0, 3, 1]))

    np.testing.assert_allclose(found, [3, 1, 3, -1])


def test_a_tapered_ellipse_is_narrower_behind_than_in_front() -> None:
    shape = Ellipse(0, 0, 6, 4, taper=0.2)
    x = np.arange(-9, 9, 0.01)

    front, back = (
        np.ptp(x[shape.distance(x, np.full_like(x, y)) < 0]) for y in (-2.0, 2.0)
    )

    plain = Ellipse(0, 0, 6, 4)
    width = np.ptp(x[plain.distance(x, np.full_like(x, 2.0)) < 0])
    assert front == pytest.approx(1.1 * width, abs=0.03)
    assert back == pytest.approx(0.9 * width, abs=0.03)


def test_a_shape_between_obstacles_keeps_its_distance() -> None:
    wide, post = Ellipse(0, 0, 10, 10), Ellipse(0, 12, 4, 4)
    shape = Between(wide, Union((post, Outside(wide))), clearance_mm=1.0)

    found = shape.distance(np.array([2.0, 0.0, 9.5]), np.array([0.0, 7.5, 0.0]))

    assert found[0] < 0
    assert (found[1:] > 0).all()


@pytest.mark.parametrize("name", SHAPES)
def test_a_box_holds_its_shape(name: str) -> None:
    shape = SHAPES[name]
    x, y = np.meshgrid(np.arange(-20, 20, 0.1), np.arange(-20, 20, 0.1))

    inside = shape.distance(x, y) < 0

    left, right, front, back = shape.box()
    assert inside.any()
    assert left <= x[inside].min()
    assert x[inside].max() <= right
    assert front <= y[inside].min()
    assert y[inside].max() <= back
