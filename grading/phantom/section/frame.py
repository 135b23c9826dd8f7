"""Draw the parts that do not depend on each other: disc, canal, facets, flavum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.grades import Grade, Level
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
    ROOTLET_DIAMETER_MM,
    THICKENED_FLAVUM_MM,
    LevelDimensions,
    Range,
)
from grading.phantom.section.anatomy import Disc, Facet
from grading.phantom.shapes import Capsule, Ellipse

THICKENED_FLAVUM_SHARE = (0.15, 0.4, 0.6, 0.7)
"""How often the flavum is thickened, by LCCS grade."""
NARROW_CANAL_SHARE = 0.6
"""How often a stenosis of grade 2 or 3 has a narrow bony canal as well."""


LEVEL_VARIATION_MM = 0.7
"""How much one patient's levels differ from each other; a choice."""
LINE_VARIATION_MM = 1.5
KNOB_FRONT = (0.42, 0.62)
"""Where the superior process begins, over D: height of the lateral recess; a choice."""
SAC_TAPER = (0.0, 0.4)
"""How much narrower the sac is behind than in the middle: round to triangular."""
LATERAL_BULGE_MM = (0.6, 2.0)
"""How far a bulging disc's margin comes back at its sides; a choice."""


@dataclass(frozen=True, slots=True)
class Build:
    """What one patient's levels have in common; differences from the means in mm."""

    size: float
    disc_width_mm: float
    disc_depth_mm: float
    canal_depth_mm: float
    canal_width_mm: float
    facet_edge_mm: float
    """From the midline: absolute."""
    facet_line_mm: float
    """D: absolute."""
    rootlet_radius_mm: float


def draw_build(rng: np.random.Generator) -> Build:
    """Draw a patient."""
    return Build(
        size=float(rng.uniform(*LEVEL_SCALE)),
        disc_width_mm=normal(0.0, DISC_WIDTH_DEVIATION_MM, rng),
        disc_depth_mm=normal(0.0, DISC_DEPTH_DEVIATION_MM, rng),
        canal_depth_mm=normal(0.0, CANAL_DEVIATION_MM, rng),
        canal_width_mm=normal(0.0, CANAL_DEVIATION_MM, rng),
        facet_edge_mm=float(rng.uniform(*FACET_EDGE_X_MM)),
        facet_line_mm=float(rng.uniform(*FACET_LINE_MM)),
        rootlet_radius_mm=float(rng.uniform(*ROOTLET_DIAMETER_MM)) / 2,
    )


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


def draw_frame(
    wanted: WantedGrades, level: Level, build: Build, rng: np.random.Generator
) -> Frame:
    """Draw disc, canal, facets, flavum and posterior fat of one level."""
    dimensions = LEVELS[level]
    disc = Disc(
        build.size * dimensions.disc_width_mm + build.disc_width_mm,
        build.size * dimensions.disc_depth_mm + build.disc_depth_mm,
        _draw_outline(wanted, dimensions, rng),
    )
    bulge_mm = _draw_bulge(wanted, rng)
    line_mm = _near(build.facet_line_mm, LINE_VARIATION_MM, FACET_LINE_MM, rng)
    height_mm = line_mm * float(rng.uniform(*HERNIATION_SHARE[wanted.ldh]))
    depth_mm = _draw_canal_depth(wanted, dimensions, line_mm, build, rng)
    if wanted.ldh == Grade.GRADE_3:
        depth_mm = max(depth_mm, height_mm + 3.0)
    if depth_mm > dimensions.canal_depth_mm + 2 * CANAL_DEVIATION_MM:
        raise MisfitError("the canal would be wider than any")
    canal = Ellipse(
        0,
        depth_mm / 2 - 0.5,
        (dimensions.canal_width_mm + build.canal_width_mm) / 2,
        depth_mm / 2 + 0.5,
        exponent=2.4,
    )
    facets = _draw_facets(dimensions, line_mm, build, rng)
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


def _near(value: float, reach: float, limits: Range, rng: np.random.Generator) -> float:
    """Draw close to a patient's own value, and within what is usual."""
    return float(np.clip(value + rng.uniform(-reach, reach), *limits))


def _draw_outline(
    wanted: WantedGrades, dimensions: LevelDimensions, rng: np.random.Generator
) -> float:
    outline_mm = normal(dimensions.outline_mm, 0.3, rng)
    if wanted.ldh == Grade.GRADE_0 and wanted.lnrc > Grade.GRADE_0:
        # Without a herniation it is a bulge to the sides that meets a root.
        return max(outline_mm, 0.0) + float(rng.uniform(*LATERAL_BULGE_MM))
    return outline_mm


def _draw_bulge(wanted: WantedGrades, rng: np.random.Generator) -> float:
    if wanted.ldh == Grade.GRADE_0 and wanted.lnrc > Grade.GRADE_0:
        # Without a herniation only a bulge brings the disc to a root.
        return float(rng.uniform(0.5, BULGE_MM[1]))
    return float(rng.uniform(*BULGE_MM))


def _draw_canal_depth(
    wanted: WantedGrades,
    dimensions: LevelDimensions,
    line_mm: float,
    build: Build,
    rng: np.random.Generator,
) -> float:
    least_mm = max(line_mm + 3, NARROWEST_CANAL_DEPTH_MM)
    if wanted.lccs >= Grade.GRADE_2 and rng.random() < NARROW_CANAL_SHARE:
        return float(rng.uniform(least_mm, max(least_mm, dimensions.canal_depth_mm)))
    usual_mm = dimensions.canal_depth_mm + build.canal_depth_mm
    return max(least_mm, normal(usual_mm, LEVEL_VARIATION_MM, rng))


def _draw_facets(
    dimensions: LevelDimensions,
    line_mm: float,
    build: Build,
    rng: np.random.Generator,
) -> tuple[Facet, Facet]:
    edge_mm = _near(build.facet_edge_mm, LEVEL_VARIATION_MM, FACET_EDGE_X_MM, rng)
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
            knob_front_mm=line_mm * float(rng.uniform(*KNOB_FRONT)),
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
