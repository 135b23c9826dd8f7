"""Studies without a renderer: real plans on a bare spine, noise for pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from grading.grades import Grade, Level
from grading.phantom.measure import Landmarks, RootTruth, SliceTruth, crossed_disc
from grading.phantom.prevalence import WantedGrades
from grading.phantom.section.draw import draw_anatomy
from grading.phantom.section.frame import draw_build
from grading.phantom.spine.cut import Cut, Vector, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.place import Box, Place, Plane
from grading.phantom.spine.posture import Posture, draw_posture
from grading.phantom.studies.drawn import (
    DrawnImage,
    DrawnSeries,
    DrawnStudy,
    StudyKey,
    Writing,
)
from grading.phantom.studies.habits import HABITS, Role, Syntax
from grading.phantom.studies.protocol import LUMBAR, SeriesPlan, plan_series
from grading.phantom.studies.sequences import draw_sequence
from grading.phantom.studies.vendors import MANNERS

NORMAL = WantedGrades(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_0)
COARSER = 8
"""Pixels are so much larger than planned: tests need no fine noise."""
BRIGHTEST = 4000


@dataclass(frozen=True, slots=True)
class Nothing:
    """A structure that is nowhere."""

    def distance(self, at: Place) -> Plane:
        return np.full(at.shape, 1e3)

    def box(self) -> Box:
        return Box()


@cache
def bare_spine(seed: int = 1) -> Spine:
    """Return a spine of which only axis and discs' places are real."""
    rng = np.random.default_rng(seed)
    posture = draw_posture(rng)
    return Spine(
        axis=posture.axis,
        discs=tuple(_disc_space(level, posture, rng) for level in Level),
        parts=(),
        sac=Nothing(),
        rootlets=(),
        lumbar_vertebrae=5,
        conus_s_mm=100.0,
        sacrum_s_mm=-80.0,
    )


def _disc_space(level: Level, posture: Posture, rng: np.random.Generator) -> DiscSpace:
    nothing = Nothing()
    return DiscSpace(
        level=level,
        s_mm=posture.disc_s_mm[level],
        height_mm=posture.disc_height_mm[level],
        section=draw_anatomy(NORMAL, level, draw_build(rng), rng)[0],
        disc=nothing,
        herniation=None,
        joints=(nothing, nothing),
        walls=nothing,
        roots=(nothing, nothing),
        resting_roots=(nothing, nothing),
        bundle=None,
    )


def noise_study(
    letter: str = "A",
    *,
    enhanced: bool = False,
    syntax: Syntax = Syntax.EXPLICIT,
    key: StudyKey | None = None,
) -> DrawnStudy:
    """Return a study as the named manner writes it."""
    key = key or StudyKey(seed=7, number=1)
    rng = np.random.default_rng((key.seed, key.number))
    spine = bare_spine()
    manner = MANNERS[letter]
    habits = HABITS[key.domain]
    return DrawnStudy(
        key=key,
        writing=Writing(manner, enhanced, syntax),
        spine=spine,
        wanted=dict.fromkeys(LUMBAR, NORMAL),
        measured={level: made_up_truth(level, (0.0, 0.0, 0.0)) for level in LUMBAR},
        series=tuple(
            DrawnSeries(
                role=plan.role,
                thickness_mm=plan.thickness_mm,
                spacing_mm=plan.spacing_mm,
                sequence=draw_sequence(
                    plan.role, habits, next(iter(manner.fields_tesla)), rng
                ),
                phase_along_rows=False,
                images=tuple(_images(plan, spine, rng)),
            )
            for plan in plan_series(spine, key.domain, rng)
        ),
    )


def draw_noise(key: StudyKey) -> DrawnStudy:
    """Draw one study quickly: what the writer takes instead of `draw_study`."""
    return noise_study("BF"[key.number % 2], key=key)


def _images(
    plan: SeriesPlan, spine: Spine, rng: np.random.Generator
) -> Iterator[DrawnImage]:
    for number, stack in enumerate(plan.stacks):
        for place, fine in enumerate(stack.cuts):
            cut = coarse(fine)
            truth = None
            if plan.role in (Role.AXIAL_T2, Role.AXIAL_T1):
                truth = _truth_on(cut, spine)
            yield DrawnImage(cut, number, place, _noise(cut, rng), truth)


def coarse(cut: Cut) -> Cut:
    """Return the same plane and field of view with fewer pixels."""
    made = Cut.centred(
        cut.centre_mm,
        cut.along_row,
        cut.along_column,
        (cut.spacing_mm[0] * COARSER, cut.spacing_mm[1] * COARSER),
        (cut.rows // COARSER, cut.columns // COARSER),
    )
    return replace(made, position_mm=vector(np.round(made.position_mm, 6)))


def _noise(cut: Cut, rng: np.random.Generator) -> NDArray[np.float32]:
    values = rng.integers(0, BRIGHTEST, (cut.rows, cut.columns), endpoint=True)
    return values.astype(np.float32)


def _truth_on(cut: Cut, spine: Spine) -> SliceTruth | None:
    found = crossed_disc(spine, cut)
    if found is None:
        return None
    space, s_mm = found
    return made_up_truth(space.level, vector(spine.axis.locate(0.0, 0.0, s_mm)))


def made_up_truth(level: Level, margin_mm: Vector) -> SliceTruth:
    """Return what was never measured, with the sac 10 mm behind the margin."""
    x, y, z = margin_mm
    root = RootTruth(1.5, 0.1, float("inf"), 1.0, Grade.GRADE_0)
    return SliceTruth(
        level=level,
        off_centre_mm=0.0,
        grades=(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_0),
        facet_line_mm=13.0,
        herniation_mm=0.0,
        herniation_share=0.0,
        anterior_fluid_mm=2.5,
        aggregation=0.0,
        fluid_share=0.8,
        sac_area_mm2=180.0,
        right=root,
        left=root,
        landmarks=Landmarks(
            disc_margin_mm=(x, y, z),
            sac_centre_mm=(x, y + 10, z),
            facet_right_mm=(x - 9, y + 13, z),
            facet_left_mm=(x + 9, y + 13, z),
        ),
    )
