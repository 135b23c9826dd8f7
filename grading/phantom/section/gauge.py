"""Grades read off the final geometry, by the definitions of the three scales.

LDH after MSU, LCCS after Lee, LNRC after Pfirrmann, as ``docs/phantom.md`` puts
them into numbers. Nothing here knows which grade was wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.grades import Finding, Grade
from grading.phantom.definitions import (
    SEPARATE_GAP_MM,
    grade_canal,
    grade_herniation,
    grade_root,
)
from grading.phantom.section.anatomy import Anatomy, Root
from grading.phantom.shapes import Shape, Union

BUNDLE_RIM_MM = 0.09
"""Fluid left around a bundle: under a tenth of a stenosed sac."""

GRID_MM = 0.25
OUTLINE_POINTS = 48


@dataclass(frozen=True, slots=True)
class RootMeasures:
    """One side's root."""

    gap_mm: float
    """From the disc material; zero or less where they touch."""
    shift_mm: float
    """Backwards from where it would rest."""
    wall_gap_mm: float
    """From the facet, flavum or osteophyte behind it."""
    thickness_share: float
    """Of the thickness at rest."""
    grade: Grade


@dataclass(frozen=True, slots=True)
class Truth:
    """What was measured on one slice."""

    grades: tuple[Grade, Grade, Grade]
    """LDH, LCCS, LNRC: the order of `Finding`."""
    facet_line_mm: float
    herniation_mm: float
    herniation_share: float
    anterior_fluid_mm: float
    aggregation: float
    fluid_share: float
    sac_area_mm2: float
    right: RootMeasures
    left: RootMeasures

    def grade(self, finding: Finding) -> Grade:
        """Return the slice's grade of one finding; of two sides the worse."""
        return self.grades[list(Finding).index(finding)]


def measure(anatomy: Anatomy) -> Truth:
    """Measure everything on one slice."""
    line_mm = anatomy.facet_line_mm
    height_mm = herniation_height_mm(anatomy)
    area_mm2, fluid_share = sac_area(anatomy)
    front_mm = anterior_fluid_mm(anatomy)
    share = aggregation(anatomy)
    right, left = (measure_root(anatomy, root) for root in anatomy.roots)
    return Truth(
        grades=(
            grade_herniation(height_mm / line_mm),
            grade_canal(front_mm, share),
            max(right.grade, left.grade),
        ),
        facet_line_mm=line_mm,
        herniation_mm=height_mm,
        herniation_share=height_mm / line_mm,
        anterior_fluid_mm=front_mm,
        aggregation=share,
        fluid_share=fluid_share,
        sac_area_mm2=area_mm2,
        right=right,
        left=left,
    )


def herniation_height_mm(anatomy: Anatomy) -> float:
    """Return how far material reaches past the disc margin; 0 without any."""
    lost = [root.shape() for root in anatomy.roots if root.merged]
    shapes = (*anatomy.herniation.shapes(), *lost) if anatomy.herniation else (*lost,)
    if not shapes:
        return 0.0
    material = Union(shapes)
    left, right, _, back = material.box()
    x, y = np.meshgrid(
        np.arange(left, right, GRID_MM), np.arange(-4.0, back + GRID_MM, GRID_MM / 5)
    )
    past = y - anatomy.disc.margin(x)
    inside = material.distance(x, y) <= 0
    return max(0.0, float(past[inside].max(initial=0.0)))


def sac_area(anatomy: Anatomy) -> tuple[float, float]:
    """Return the area of the sac in mm2, and the share of it that is fluid."""
    left, right, front, back = anatomy.sac.box()
    x, y = np.meshgrid(np.arange(left, right, GRID_MM), np.arange(front, back, GRID_MM))
    inside = anatomy.sac.distance(x, y) < 0
    rootlets = anatomy.rootlets
    filled = np.zeros_like(inside)
    if rootlets.bundled:
        filled = anatomy.sac.distance(x, y) < -BUNDLE_RIM_MM
    for rootlet_x, rootlet_y in zip(rootlets.x_mm, rootlets.y_mm, strict=True):
        filled |= np.hypot(x - rootlet_x, y - rootlet_y) < rootlets.radius_mm
    pixels = int(inside.sum())
    fluid = int((inside & ~filled).sum())
    return pixels * GRID_MM**2, fluid / max(1, pixels)


def anterior_fluid_mm(anatomy: Anatomy) -> float:
    """Return the gap between the sac's front and the nearest rootlet behind it.

    Only the middle half of the sac counts: at its corners the front wall bends
    round to the rootlets of any sac.
    """
    rootlets = anatomy.rootlets
    left, right, front, back = anatomy.sac.box()
    y = np.arange(front - 1, back, GRID_MM / 5)
    inside = anatomy.sac.distance(rootlets.x_mm[:, np.newaxis], y[np.newaxis]) < 0
    wall = np.where(inside.any(axis=1), y[inside.argmax(axis=1)], np.nan)
    middle = np.abs(rootlets.x_mm - (left + right) / 2) <= (right - left) / 4
    gaps = (rootlets.y_mm - rootlets.radius_mm - wall)[middle & np.isfinite(wall)]
    return max(0.0, float(gaps.min(initial=back - front)))


def aggregation(anatomy: Anatomy) -> float:
    """Return q: the share of rootlets with no fluid seen to their neighbour."""
    rootlets = anatomy.rootlets
    gaps = np.hypot(
        rootlets.x_mm[:, np.newaxis] - rootlets.x_mm,
        rootlets.y_mm[:, np.newaxis] - rootlets.y_mm,
    )
    np.fill_diagonal(gaps, np.inf)
    return float((gaps.min(axis=1) - 2 * rootlets.radius_mm < SEPARATE_GAP_MM).mean())


def measure_root(anatomy: Anatomy, root: Root) -> RootMeasures:
    """Measure one root against the disc material in front and the wall behind."""
    gap_mm = clearance_mm(root, anatomy.disc_material())
    wall_gap_mm = clearance_mm(root, anatomy.posterior_wall())
    shift_mm = root.y_mm - root.resting_y_mm
    thickness_share = (
        0.0 if root.merged else root.half_thickness_mm / root.resting_radius_mm
    )
    return RootMeasures(
        gap_mm=gap_mm,
        shift_mm=shift_mm,
        wall_gap_mm=wall_gap_mm,
        thickness_share=thickness_share,
        grade=grade_root(gap_mm, shift_mm, wall_gap_mm, thickness_share),
    )


def clearance_mm(root: Root, other: Shape) -> float:
    """Return the least distance from the root's outline to another shape."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    x = root.x_mm + root.half_width_mm * np.cos(angle)
    y = root.y_mm + root.half_thickness_mm * np.sin(angle)
    return float(other.distance(x, y).min())
