"""Solids against distances found by brute force, on points all over their surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from grading.phantom.shapes import Capsule, Ellipse
from grading.phantom.spine.place import Box, Place
from grading.phantom.spine.solids import (
    FAR_MM,
    Clear,
    Complement,
    Ellipsoid,
    Inside,
    Loft,
    Shrunk,
    Solid,
    Tube,
    Whole,
)

PITCH_MM = 0.05
NEAR_MM = 0.4
"""First-order distances are promised near the surface only."""


def place(x: NDArray[np.float64], y: NDArray[np.float64], s_mm: float) -> Place:
    s = np.full_like(x, s_mm)
    return Place(x, y, s, x, y, s)


def plane(solid: Solid, s_mm: float, margin_mm: float = 2.0) -> Place:
    """Return a fine grid across the spine around a solid."""
    box = solid.box()
    x = np.arange(box.x[0] - margin_mm, box.x[1] + margin_mm, PITCH_MM)
    y = np.arange(box.y[0] - margin_mm, box.y[1] + margin_mm, PITCH_MM)
    grid_x, grid_y = np.meshgrid(x, y)
    return place(grid_x, grid_y, s_mm)


def brute_force(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return signed distances to where the inside ends, by the nearest such cell."""
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] != inside[:-1]
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    rows, columns = np.indices(inside.shape)
    cells = np.stack([rows.ravel(), columns.ravel()], -1)
    found = np.asarray(cKDTree(np.argwhere(edge) - 0.25).query(cells)[0])
    distances = found.reshape(inside.shape) * PITCH_MM
    return np.where(inside, -distances, distances)


def bent_tube(**changes: object) -> Tube:
    tables = {
        "s_mm": np.array([-20.0, -5.0, 8.0, 20.0]),
        "x_mm": np.array([0.0, 1.0, -2.0, 3.0]),
        "y_mm": np.array([5.0, 6.0, 4.0, 4.0]),
        "half_width_mm": np.array([3.0, 4.0, 6.0, 5.0]),
        "half_depth_mm": np.array([2.0, 3.0, 3.5, 4.0]),
    }
    return Tube(**{**tables, **changes})  # type: ignore[arg-type]


SOLIDS: dict[str, Solid] = {
    "tube": bent_tube(),
    "square tube": bent_tube(exponent=2.4),
    "turned tube": bent_tube(angle_deg=30.0),
    "loft": Loft(Capsule(-4, 2, 5, 6, 1.5), 0.0, 12.0, 9.0, 1.0),
    "drifting loft": Loft(Ellipse(1, 4, 5, 3), 2.0, 12.0, 9.0, 0.5, (0.1, -0.2)),
    "whole": Whole((bent_tube(), Loft(Capsule(2, 8, 9, 8, 2), 0.0, 9.0, 9.0))),
    "clear": Clear(bent_tube(), Loft(Ellipse(2, 8, 3, 3), 0.0, 9.0, 9.0), 0.6),
    "common": Inside((bent_tube(), Loft(Ellipse(2, 5, 4, 4), 0.0, 9.0, 9.0))),
    "shrunk": Shrunk(bent_tube(), 0.7),
    "grown": Shrunk(bent_tube(), -0.7),
    "ellipsoid": Ellipsoid(1.0, 4.0, 0.0, 6.0, 4.0, 9.0, 12.0),
}


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize("s_mm", [-4.0, 0.0, 6.0])
def test_a_solid_tells_the_distance_to_its_surface(name: str, s_mm: float) -> None:
    solid = SOLIDS[name]
    at = plane(solid, s_mm)

    found = solid.distance(at)

    exact = brute_force(found < 0)
    near = np.abs(exact) < NEAR_MM
    assert near.any()
    away = np.abs(found - exact)[near]
    # Corners between two solids are rounder than the least of both distances.
    assert np.percentile(away, 97) < 0.12
    assert away.max() < NEAR_MM


@pytest.mark.parametrize("name", SOLIDS)
def test_a_box_holds_its_solid(name: str) -> None:
    solid = SOLIDS[name]
    for s_mm in (-19.9, -9.0, 0.0, 7.0, 19.9):
        at = plane(solid, s_mm, margin_mm=4.0)

        inside = solid.distance(at) < 0

        assert not (inside & ~solid.box().holds(at)).any()


def test_a_tube_is_as_wide_and_deep_as_its_tables_between_knots() -> None:
    tube = bent_tube()

    inside = tube.distance(plane(tube, 14.0)) < 0

    at = plane(tube, 14.0)
    wide, deep = np.ptp(at.x[inside]), np.ptp(at.y[inside])
    assert wide == pytest.approx(2 * 5.5, abs=0.1)
    assert deep == pytest.approx(2 * 3.75, abs=0.1)
    assert at.x[inside].mean() == pytest.approx(0.5, abs=0.05)


def test_a_tapered_tube_is_wider_in_front_than_behind() -> None:
    tube = bent_tube(taper=np.full(4, 0.3))
    at = plane(tube, 0.0)

    inside = tube.distance(at) < 0

    front, back = (
        np.ptp(at.x[inside & (np.abs(at.y - y_mm) < PITCH_MM)]) for y_mm in (3.2, 6.8)
    )
    assert front > back * 1.2


def test_nothing_lies_beyond_the_ends_of_a_tube_or_a_loft() -> None:
    for solid in (SOLIDS["tube"], SOLIDS["loft"]):
        low, high = solid.box().s
        for s_mm in (low - 0.1, high + 0.1):
            assert (solid.distance(plane(solid, s_mm)) > 0).all()


def test_a_loft_is_thinner_towards_its_ends() -> None:
    loft = Loft(Ellipse(0, 0, 5, 3), 0.0, 10.0, 5.0, thinning_mm=1.0)

    areas = [int((loft.distance(plane(loft, s)) < 0).sum()) for s in (0.0, 4.9, -4.9)]

    assert areas[0] > areas[2] > areas[1]


def test_what_is_clear_of_an_obstacle_keeps_its_distance() -> None:
    solid, obstacle = bent_tube(), Loft(Ellipse(2, 8, 3, 3), 0.0, 9.0, 9.0)
    at = plane(solid, 0.0)

    clear = Clear(solid, obstacle, 0.6).distance(at) < 0

    assert clear.any()
    assert (brute_force(obstacle.distance(at) < 0)[clear] > 0.45).all()


@dataclass(frozen=True)
class Ball:
    """The exact distance, to compare with."""

    x: float
    y: float
    radius: float

    def distance(self, at: Place) -> NDArray[np.float64]:
        return np.asarray(np.hypot(at.x - self.x, at.y - self.y) - self.radius)

    def box(self) -> Box:
        reach = self.radius
        return Box((self.x - reach, self.x + reach), (self.y - reach, self.y + reach))


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(-20, 20),
    y=st.floats(-20, 20),
    balls=st.lists(
        st.tuples(st.floats(-15, 15), st.floats(-15, 15), st.floats(0.5, 4)),
        min_size=1,
        max_size=5,
    ),
)
def test_a_whole_is_as_near_as_its_nearest_part_or_far(
    x: float, y: float, balls: list[tuple[float, float, float]]
) -> None:
    parts = [Ball(*ball) for ball in balls]
    at = place(np.array([x]), np.array([y]), 0.0)

    found = float(Whole(tuple(parts)).distance(at)[0])

    nearest = min(float(part.distance(at)[0]) for part in parts)
    # What is more than NEAR_MM away by its box may be left out.
    assert found == pytest.approx(nearest) or (found == FAR_MM and nearest > 2.9)


def test_a_complement_is_everything_else() -> None:
    tube = bent_tube()
    at = plane(tube, 0.0)

    np.testing.assert_array_equal(Complement(tube).distance(at), -tube.distance(at))
