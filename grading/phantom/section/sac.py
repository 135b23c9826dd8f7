"""Fit a dural sac into what disc, flavum and roots leave free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grading.grades import Grade
from grading.phantom.misfit import MisfitError
from grading.phantom.ranges import SAC_AREA_MM2
from grading.phantom.shapes import Between, Ellipse, Shape

GRID_MM = 0.5
WALL_MM = 0.35
"""Between the sac and whatever it gives way to."""
SQUARENESS = 2.2
PULL_TO_NOMINAL = 0.15
"""How much clearance a sac gives up to stay near where it belongs."""
FITTING_ROUNDS = 6
AREA_TOLERANCE = 0.06

Points = NDArray[np.float64]


def draw_sac(
    lccs: Grade,
    nominal: tuple[float, float],
    aspect: float,
    taper: float,
    obstacles: Shape,
    rng: np.random.Generator,
) -> tuple[Between, Ellipse]:
    """Draw a sac of the area that a stenosis grade asks for, and its body.

    Parameters
    ----------
    nominal
        x and y of its centre where nothing pushes it.
    aspect
        Depth over width.
    taper
        How much narrower it is behind, from 0 round to 0.4 triangular.

    Raises
    ------
    MisfitError
        That much room is not there, or the room is in several pieces.
    """
    wanted_mm2 = float(rng.uniform(*SAC_AREA_MM2[lccs]))
    x, y = _grid(nominal)
    free = obstacles.distance(x, y)
    radius = np.sqrt(wanted_mm2 / np.pi)
    score = np.minimum(free, radius) - PULL_TO_NOMINAL * np.hypot(
        x - nominal[0], y - nominal[1]
    )
    centre = np.unravel_index(int(score.argmax()), score.shape)
    half_width, half_depth = radius / np.sqrt(aspect), radius * np.sqrt(aspect)
    for _ in range(FITTING_ROUNDS):
        body = Ellipse(
            float(x[centre]),
            float(y[centre]),
            float(half_width),
            float(half_depth),
            exponent=SQUARENESS,
            taper=taper,
        )
        inside = np.maximum(body.distance(x, y), WALL_MM - free) < 0
        area_mm2 = float(inside.sum()) * GRID_MM**2
        if abs(area_mm2 / wanted_mm2 - 1) < AREA_TOLERANCE:
            if not in_one_piece(inside):
                raise MisfitError("the sac is in pieces")
            return Between(body, obstacles, WALL_MM), body
        grow = np.clip(np.sqrt(wanted_mm2 / max(area_mm2, 1.0)), 0.7, 1.4)
        half_width, half_depth = half_width * grow, half_depth * grow
    raise MisfitError("no room for a sac of that area")


def in_one_piece(inside: NDArray[np.bool_]) -> bool:
    """Say whether every pixel inside can be reached from every other."""
    reached = np.zeros_like(inside)
    reached.flat[int(inside.argmax())] = True
    count = 0
    while (grown := int(reached.sum())) > count:
        count = grown
        for _ in range(4):
            reached[1:] |= reached[:-1]
            reached[:-1] |= reached[1:]
            reached[:, 1:] |= reached[:, :-1]
            reached[:, :-1] |= reached[:, 1:]
            reached &= inside
    return count >= int(inside.sum())


def _grid(nominal: tuple[float, float]) -> tuple[Points, Points]:
    x = np.arange(-14.0, 14.0 + GRID_MM, GRID_MM)
    y = np.arange(-1.0, max(24.0, nominal[1] + 12.0), GRID_MM)
    grid_x, grid_y = np.meshgrid(x, y)
    return grid_x, grid_y
