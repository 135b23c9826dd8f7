"""Draw the two traversing roots, and what stands behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grading.grades import Grade
from grading.phantom.misfit import MisfitError
from grading.phantom.ranges import (
    ASYMMETRY,
    ROOT_DIAMETER_MM,
    ROOT_X_MM,
    ROOT_Y_MM,
    Range,
)
from grading.phantom.section.anatomy import Root
from grading.phantom.section.frame import Frame
from grading.phantom.section.gauge import clearance_mm
from grading.phantom.shapes import Ellipse, Shape, Union

FAT_LAYER_MM = 1.0
"""Least fat between disc material and a root that nothing touches."""
CONTACT_MM = (0.0, 0.2)
IN_PLACE_MM = (-0.35, 0.35)
DISPLACED_MM = (1.5, 4.0)
COMPRESSED_SHIFT_MM = (-2.5, 6.0)
"""A root between a bulge and a facet moves forwards, before a herniation back."""
BONE_MM = 0.1
"""Least distance of a root from the facets."""
MERGED_SHARE = 0.25
"""How many compressed roots cannot be told from the disc material."""


def draw_roots(
    lnrc: Grade, frame: Frame, material: Shape, side: int, rng: np.random.Generator
) -> tuple[tuple[Root, Root], tuple[Ellipse, ...]]:
    """Draw both roots and what stands behind them, the worse one on ``side``."""
    radius_mm = float(rng.uniform(*ROOT_DIAMETER_MM)) / 2
    x_mm = float(rng.uniform(*ROOT_X_MM))
    worse, walls = _draw_worse_root(
        lnrc, _resting(side * x_mm, radius_mm, side, frame, rng), frame, material, rng
    )
    other = _resting(
        -side * x_mm * float(rng.uniform(*ASYMMETRY)), radius_mm, -side, frame, rng
    )
    resting_mm = worse.resting_y_mm + float(rng.uniform(-0.3, 0.3))
    other = replace(other, y_mm=resting_mm, resting_y_mm=resting_mm)
    gap_mm = clearance_mm(other, material)
    if gap_mm < FAT_LAYER_MM:
        if lnrc == Grade.GRADE_0:
            raise MisfitError("the other root is not free")
        other = _touching(other, material, float(rng.uniform(*CONTACT_MM)))
        if abs(other.y_mm - other.resting_y_mm) > 0.4:
            raise MisfitError("the other root would be displaced")
    beside = Union(tuple(facet.superior_process() for facet in frame.facets))
    for root in (worse, other):
        if not root.merged and clearance_mm(root, beside) < BONE_MM:
            raise MisfitError("the root lies in bone")
        if not ROOT_Y_MM[0] <= root.resting_y_mm + frame.bulge_mm <= ROOT_Y_MM[1]:
            raise MisfitError("the root would rest elsewhere")
    walls = walls + _draw_harmless_wall(other, frame, material, rng)
    roots = (other, worse) if side == 1 else (worse, other)
    return roots, walls


def _resting(
    x_mm: float, radius_mm: float, side: int, frame: Frame, rng: np.random.Generator
) -> Root:
    y_mm = float(rng.uniform(*ROOT_Y_MM)) - frame.bulge_mm
    return Root(side, x_mm, y_mm, radius_mm, radius_mm, y_mm, radius_mm)


def _draw_worse_root(
    lnrc: Grade,
    root: Root,
    frame: Frame,
    material: Shape,
    rng: np.random.Generator,
) -> tuple[Root, tuple[Ellipse, ...]]:
    if lnrc == Grade.GRADE_0:
        if clearance_mm(root, material) < FAT_LAYER_MM:
            raise MisfitError("the root is not free")
        return root, _draw_harmless_wall(root, frame, material, rng)
    gap_mm = float(rng.uniform(*CONTACT_MM))
    if lnrc == Grade.GRADE_3:
        return _draw_compressed_root(root, frame, material, gap_mm, rng)
    shifts_mm = DISPLACED_MM if lnrc == Grade.GRADE_2 else IN_PLACE_MM
    root = _rested(_touching(root, material, gap_mm), shifts_mm, frame, rng)
    if clearance_mm(root, Union(frame.flavum)) < 0.7:
        raise MisfitError("no fat behind the root")
    return root, _draw_harmless_wall(root, frame, material, rng)


def _draw_compressed_root(
    root: Root,
    frame: Frame,
    material: Shape,
    gap_mm: float,
    rng: np.random.Generator,
) -> tuple[Root, tuple[Ellipse, ...]]:
    """Flatten a root against a wall, or lose it in the disc material."""
    if rng.random() < MERGED_SHARE:
        touching = _touching(root, material, -1.3 * root.half_thickness_mm)
        merged = replace(touching, merged=True)
        return _rested(merged, COMPRESSED_SHIFT_MM, frame, rng), ()
    flat = replace(
        root,
        half_width_mm=root.half_width_mm * float(rng.uniform(1.0, 1.4)),
        half_thickness_mm=root.half_thickness_mm * float(rng.uniform(0.28, 0.48)),
    )
    flat = _touching(flat, material, gap_mm)
    flat = _rested(flat, COMPRESSED_SHIFT_MM, frame, rng)
    depth_mm = float(rng.uniform(1.5, 3.0))
    wall = Ellipse(
        flat.x_mm + root.side * float(rng.uniform(0, 2)),
        flat.y_mm + flat.half_thickness_mm + depth_mm + float(rng.uniform(0, 0.15)),
        float(rng.uniform(3, 5)),
        depth_mm,
    )
    return flat, (wall,)


def _rested(
    root: Root, shifts_mm: Range, frame: Frame, rng: np.random.Generator
) -> Root:
    """Return the root with a resting place that is usual and fits the shift."""
    nearest = max(ROOT_Y_MM[0] - frame.bulge_mm, root.y_mm - shifts_mm[1])
    farthest = min(ROOT_Y_MM[1] - frame.bulge_mm, root.y_mm - shifts_mm[0])
    if nearest > farthest:
        raise MisfitError("the root would rest elsewhere")
    return replace(root, resting_y_mm=float(rng.uniform(nearest, farthest)))


def _touching(root: Root, material: Shape, gap_mm: float) -> Root:
    """Return the root moved along y until it is ``gap_mm`` behind the material."""
    coarse = _last_blocked(root, material, gap_mm, np.arange(-3.0, 20.0, 0.5))
    fine = np.arange(coarse, coarse + 0.55, 0.05)
    y_mm = _last_blocked(root, material, gap_mm, fine) + 0.05
    return replace(root, y_mm=y_mm)


def _last_blocked(
    root: Root, material: Shape, gap_mm: float, heights: NDArray[np.float64]
) -> float:
    """Return the greatest height, of increasing ones, that is too near."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    y = heights[:, np.newaxis] + root.half_thickness_mm * np.sin(angle)
    x = np.broadcast_to(root.x_mm + root.half_width_mm * np.cos(angle), y.shape)
    blocked = np.flatnonzero(material.distance(x, y).min(axis=1) < gap_mm)
    if not len(blocked) or blocked[-1] + 1 >= len(heights):
        raise MisfitError("the root finds no place")
    return float(heights[blocked[-1]])


def _draw_harmless_wall(
    root: Root, frame: Frame, material: Shape, rng: np.random.Generator
) -> tuple[Ellipse, ...]:
    """Draw, now and then, an osteophyte that leaves the root alone."""
    if rng.random() > 0.2:
        return ()
    depth_mm = float(rng.uniform(1.5, 3.0))
    wall = Ellipse(
        root.x_mm + root.side * float(rng.uniform(0, 2)),
        root.y_mm + root.half_thickness_mm + depth_mm + float(rng.uniform(1.0, 3.0)),
        float(rng.uniform(3, 5)),
        depth_mm,
    )
    blocked = material.distance(np.array(wall.x), np.array(wall.y)) < wall.half_width
    if wall.y > frame.facet_line_mm + 2 or blocked:
        return ()
    return (wall,)
