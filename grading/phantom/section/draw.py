"""Draw an anatomy that shows the grades asked for, by rejection.

The parts are drawn towards the wanted grades, but it is `grading.phantom.section.gauge`
that says what became of them; an anatomy with any other grade, or too close to a
cut, is thrown away.
"""

from __future__ import annotations

import numpy as np

from grading.grades import Finding, Grade, Level
from grading.phantom.misfit import MisfitError
from grading.phantom.prevalence import WantedGrades, possible
from grading.phantom.ranges import (
    HERNIATION_BASE_MM,
    ROOTLETS,
    SAC_DEVIATION_MM,
    LevelDimensions,
    Range,
)
from grading.phantom.section.anatomy import Anatomy, Herniation, Root, Zone
from grading.phantom.section.frame import SAC_TAPER, Build, Frame, draw_frame, normal
from grading.phantom.section.gauge import Truth, measure
from grading.phantom.section.rootlets import draw_rootlets
from grading.phantom.section.roots import FAT_LAYER_MM, draw_roots
from grading.phantom.section.sac import draw_sac
from grading.phantom.shapes import Ellipse, Outside, Shape, Union

ATTEMPTS = 500
"""The rarest combination needs about 150 in the mean; some builds cannot show it."""
ROOT_TO_SAC_MM = 0.5

UNDRAWN_FLUID_MM = (0.7, 2.0)
UNDRAWN_AGGREGATION = ((0.1, 0.3), (0.7, 1.0))
UNDRAWN_GAP_MM = (0.3, FAT_LAYER_MM - 0.05)
"""Between the drawn grades; the gap's ends allow for the rounding of a contact."""
MOST_BUNDLE_FLUID = 0.1
"""Share of the sac around the bundle of grade 3 (Lee)."""


def draw_anatomy(
    wanted: WantedGrades, level: Level, build: Build, rng: np.random.Generator
) -> tuple[Anatomy, Truth]:
    """Draw an anatomy whose measured grades are the wanted ones.

    Raises
    ------
    ValueError
        The anatomy cannot show the combination.
    MisfitError
        This build does not show it, as far as was tried.
    """
    if not possible(wanted.ldh, wanted.lccs, wanted.lnrc):
        raise ValueError(f"{wanted} cannot be: see `prevalence.possible`")
    for _ in range(ATTEMPTS):
        try:
            anatomy = _propose(wanted, level, build, rng)
        except MisfitError:
            continue
        truth = measure(anatomy)
        if truth.grades == (wanted.ldh, wanted.lccs, wanted.lnrc) and distinct(truth):
            return anatomy, truth
    raise MisfitError(f"no anatomy in {ATTEMPTS} attempts shows {wanted}")


def distinct(truth: Truth) -> bool:
    """Say whether every measure lies where grades are drawn, not near a cut."""
    bundled = truth.grade(Finding.LCCS) is Grade.GRADE_3
    return not (
        _between(truth.anterior_fluid_mm, UNDRAWN_FLUID_MM)
        or any(_between(truth.aggregation, undrawn) for undrawn in UNDRAWN_AGGREGATION)
        or (bundled and truth.fluid_share >= MOST_BUNDLE_FLUID)
        or any(
            _between(root.gap_mm, UNDRAWN_GAP_MM) for root in (truth.right, truth.left)
        )
    )


def _between(value: float, limits: Range) -> bool:
    return limits[0] < value < limits[1]


def _propose(
    wanted: WantedGrades, level: Level, build: Build, rng: np.random.Generator
) -> Anatomy:
    frame = draw_frame(wanted, level, build, rng)
    side = int(rng.choice((-1, 1)))
    herniation = _draw_herniation(wanted, frame, side, rng)
    material: Shape = Union((frame.disc, herniation)) if herniation else frame.disc
    roots, walls = draw_roots(wanted.lnrc, frame, material, side, rng)
    obstacles = Union(
        (
            material,
            *frame.flavum,
            *(facet.superior_process() for facet in frame.facets),
            *(facet.joint() for facet in frame.facets),
            *walls,
            *(_with_sheath(root) for root in roots),
            frame.posterior_fat,
            Outside(frame.canal),
        )
    )
    sac, body = draw_sac(
        wanted.lccs,
        _nominal_centre(frame, rng),
        _aspect(wanted.lccs, frame.dimensions, rng),
        float(rng.uniform(*SAC_TAPER)),
        obstacles,
        rng,
    )
    return Anatomy(
        level=frame.level,
        disc=frame.disc,
        herniation=herniation,
        zone=_zone(herniation, frame),
        facets=frame.facets,
        flavum=frame.flavum,
        walls=walls,
        canal=frame.canal,
        sac=sac,
        sac_body=body,
        rootlets=draw_rootlets(
            wanted.lccs, sac, ROOTLETS[level], build.rootlet_radius_mm, rng
        ),
        roots=roots,
        posterior_fat=frame.posterior_fat,
        bulge_mm=frame.bulge_mm,
        flavum_mm=2 * frame.flavum[0].radius,
    )


def _draw_herniation(
    wanted: WantedGrades, frame: Frame, side: int, rng: np.random.Generator
) -> Herniation | None:
    height_mm = frame.herniation_mm
    if wanted.ldh == Grade.GRADE_0 and height_mm < 0.1:
        return None
    x_mm = side * float(rng.uniform(*_reach(wanted)))
    base_mm = float(rng.uniform(*HERNIATION_BASE_MM))
    margin_mm = float(frame.disc.margin(np.array(x_mm)))
    wall = Union(frame.flavum).distance(np.array(x_mm), np.array(margin_mm + height_mm))
    if wall < 0.2 or height_mm > frame.canal_depth_mm - 2.0:
        raise MisfitError("the herniation meets the wall")
    return Herniation(
        x_mm=x_mm,
        height_mm=height_mm,
        base_mm=base_mm,
        extruded=height_mm > base_mm * float(rng.uniform(0.5, 1.0)),
        margin_mm=margin_mm,
    )


def _reach(wanted: WantedGrades) -> tuple[float, float]:
    """Return how far from the midline a herniation with these grades may lie."""
    if wanted.ldh == Grade.GRADE_3:
        # Behind the facet line only the middle of the canal is left.
        return 0.0, 5.0
    return (0.0, 5.0) if wanted.lnrc == Grade.GRADE_0 else (2.5, 11.0)


def _zone(herniation: Herniation | None, frame: Frame) -> Zone | None:
    if herniation is None:
        return None
    edge_mm = (frame.facets[1].edge_x_mm - frame.facets[0].edge_x_mm) / 2
    away = abs(herniation.x_mm) / edge_mm
    if away <= 0.5:
        return Zone.CENTRAL
    return Zone.LATERAL if away <= 1 else Zone.FORAMINAL


def _with_sheath(root: Root) -> Ellipse:
    return Ellipse(
        root.x_mm,
        root.y_mm,
        root.half_width_mm + ROOT_TO_SAC_MM,
        root.half_thickness_mm + ROOT_TO_SAC_MM,
    )


def _nominal_centre(frame: Frame, rng: np.random.Generator) -> tuple[float, float]:
    fat_mm = float(rng.uniform(*frame.dimensions.anterior_fat_mm))
    half_mm = normal(frame.dimensions.sac_depth_mm, SAC_DEVIATION_MM, rng) / 2
    return float(rng.uniform(-0.5, 0.5)), fat_mm + half_mm


def _aspect(
    lccs: Grade, dimensions: LevelDimensions, rng: np.random.Generator
) -> float:
    if lccs == Grade.GRADE_3:
        # At most 7 mm deep at the areas drawn.
        return float(rng.uniform(0.45, 0.8))
    usual = dimensions.sac_depth_mm / dimensions.sac_width_mm
    return usual * float(rng.uniform(0.85, 1.15))
