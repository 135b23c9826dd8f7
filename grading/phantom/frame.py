"""Draw the parts that do not depend on each other: disc, canal, facets, flavum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.grades import Grade, Level
from grading.phantom.anatomy import Disc, Facet
from grading.phantom.misfit import MisfitError
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import (
    ASYMMETRY,
    BULGE_MM,
    CANAL_DEVIATION_MM,
    DISC_DEPTH_DEVIATION_MM,
    DISC_WIDTH_DEVIATION_MM,
    FACET_EDGE_X_MM,
    FACET_LINE_MM,
    FLAVUM_DEVIATION_MM,
    HERNIATION_SHARE,
    JOINT_GAP_MM,
    JOINT_LENGTH_MM,
    LEVEL_SCALE,
    LEVELS,
    NARROWEST_CANAL_DEPTH_MM,
    POSTERIOR_FAT_DEPTH_MM,
    POSTERIOR_FAT_WIDTH_MM,
    THICKENED_FLAVUM_MM,
    LevelDimensions,
)
from grading.phantom.shapes import Capsule, Ellipse

THICKENED_FLAVUM_SHARE = (0.15, 0.4, 0.6, 0.7)
"""How often the flavum is thickened, by LCCS grade."""
NARROW_CANAL_SHARE = 0.6
"""How often a stenosis of grade 2 or 3 has a narrow bony canal as well."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The parts that do not depend on each other."""

    level: Level
    dimensions: LevelDimensions
    disc: Disc
    bulge_mm: float
    herniation_mm: float
    facets: tuple[Facet, Facet]
    flavum: tuple[Capsule, Capsule]
    canal: Ellipse
    canal_depth_mm: float
    facet_line_mm: float
    posterior_fat: Ellipse


def draw_frame(wanted: WantedGrades, rng: np.random.Generator) -> Frame:
    level = list(LEVELS)[int(rng.integers(len(LEVELS)))]
    dimensions = LEVELS[level]
    scale = float(rng.uniform(*LEVEL_SCALE))
    disc = Disc(
        scale * normal(dimensions.disc_width_mm, DISC_WIDTH_DEVIATION_MM, rng),
        scale * normal(dimensions.disc_depth_mm, DISC_DEPTH_DEVIATION_MM, rng),
        normal(dimensions.outline_mm, 0.3, rng),
    )
    bulge_mm = _draw_bulge(wanted, rng)
    line_mm = float(rng.uniform(*FACET_LINE_MM))
    height_mm = line_mm * float(rng.uniform(*HERNIATION_SHARE[wanted.ldh]))
    depth_mm = _draw_canal_depth(wanted, dimensions, line_mm, rng)
    if wanted.ldh == Grade.GRADE_3:
        depth_mm = max(depth_mm, height_mm + 3.0)
    if depth_mm > dimensions.canal_depth_mm + 2 * CANAL_DEVIATION_MM:
        raise MisfitError("the canal would be wider than any")
    canal = Ellipse(
        0,
        depth_mm / 2 - 0.5,
        normal(dimensions.canal_width_mm, CANAL_DEVIATION_MM, rng) / 2,
        depth_mm / 2 + 0.5,
        exponent=2.4,
    )
    facets = _draw_facets(dimensions, line_mm, rng)
    flavum_mm = _draw_flavum(wanted.lccs, dimensions, rng)
    return Frame(
        level=level,
        dimensions=dimensions,
        disc=disc,
        bulge_mm=bulge_mm,
        herniation_mm=height_mm,
        facets=facets,
        flavum=(
            _flavum(facets[0], depth_mm, flavum_mm),
            _flavum(facets[1], depth_mm, flavum_mm * float(rng.uniform(*ASYMMETRY))),
        ),
        canal=canal,
        canal_depth_mm=depth_mm,
        facet_line_mm=line_mm,
        posterior_fat=_draw_posterior_fat(depth_mm, rng),
    )


def normal(mean: float, deviation: float, rng: np.random.Generator) -> float:
    """Draw within two standard deviations."""
    return mean + deviation * float(np.clip(rng.standard_normal(), -2, 2))


def _draw_bulge(wanted: WantedGrades, rng: np.random.Generator) -> float:
    if wanted.ldh == Grade.GRADE_0 and wanted.lnrc > Grade.GRADE_0:
        # Without a herniation only a bulge brings the disc to a root.
        return float(rng.uniform(0.5, BULGE_MM[1]))
    return float(rng.uniform(*BULGE_MM))


def _draw_canal_depth(
    wanted: WantedGrades,
    dimensions: LevelDimensions,
    line_mm: float,
    rng: np.random.Generator,
) -> float:
    least_mm = max(line_mm + 3, NARROWEST_CANAL_DEPTH_MM)
    if wanted.lccs >= Grade.GRADE_2 and rng.random() < NARROW_CANAL_SHARE:
        return float(rng.uniform(least_mm, max(least_mm, dimensions.canal_depth_mm)))
    return max(least_mm, normal(dimensions.canal_depth_mm, CANAL_DEVIATION_MM, rng))


def _draw_facets(
    dimensions: LevelDimensions, line_mm: float, rng: np.random.Generator
) -> tuple[Facet, Facet]:
    edge_mm = float(rng.uniform(*FACET_EDGE_X_MM))
    length_mm = float(rng.uniform(*JOINT_LENGTH_MM))
    thickness_mm = float(rng.uniform(3.0, 5.0))
    angle_deg = normal(dimensions.joint_angle_deg, 4.0, rng)
    fluid = bool(rng.random() < 0.5)

    def facet(side: int) -> Facet:
        return Facet(
            side=side,
            edge_x_mm=side * edge_mm * float(rng.uniform(*ASYMMETRY)),
            edge_y_mm=line_mm * float(rng.uniform(0.97, 1.03)),
            angle_deg=angle_deg + float(rng.uniform(-4, 4)),
            length_mm=length_mm * float(rng.uniform(*ASYMMETRY)),
            gap_mm=float(rng.uniform(*JOINT_GAP_MM)),
            thickness_mm=thickness_mm * float(rng.uniform(*ASYMMETRY)),
            fluid=fluid,
        )

    return facet(-1), facet(1)


def _draw_flavum(
    lccs: Grade, dimensions: LevelDimensions, rng: np.random.Generator
) -> float:
    thickened = rng.random() < THICKENED_FLAVUM_SHARE[lccs]
    if thickened:
        return float(rng.uniform(*THICKENED_FLAVUM_MM))
    return normal(dimensions.flavum_mm, FLAVUM_DEVIATION_MM, rng)


def _flavum(facet: Facet, canal_depth_mm: float, thickness_mm: float) -> Capsule:
    """Span the flavum from the facet's edge to the midline, inside the bone."""
    inwards_mm = thickness_mm / 2
    return Capsule(
        facet.edge_x_mm + facet.side * (1.0 - inwards_mm * 0.3),
        facet.edge_y_mm + 1.0,
        facet.side * 1.2,
        canal_depth_mm - 0.3 * thickness_mm,
        inwards_mm,
    )


def _draw_posterior_fat(depth_mm: float, rng: np.random.Generator) -> Ellipse:
    fat_mm = min(float(rng.uniform(*POSTERIOR_FAT_DEPTH_MM)), 0.35 * depth_mm)
    if rng.random() < 0.2:
        # The sac itself fills the triangle, as it does in wide canals.
        fat_mm = 1.0
    return Ellipse(
        0,
        depth_mm,
        float(rng.uniform(*POSTERIOR_FAT_WIDTH_MM)) / 2,
        fat_mm,
        exponent=1.6,
    )
