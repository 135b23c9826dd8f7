"""Draw one whole study from its key: a patient, the scans, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.image.render import render
from grading.phantom.image.scan import draw_scan
from grading.phantom.image.scene import Scene
from grading.phantom.image.tissues import (
    Constitution,
    draw_constitution,
    draw_tissues,
)
from grading.phantom.measure import SliceTruth, level_cut, measure
from grading.phantom.prevalence import draw_wanted
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Spine
from grading.phantom.spine.spine import draw_spine
from grading.phantom.studies.drawn import (
    DrawnImage,
    DrawnSeries,
    DrawnStudy,
    StudyKey,
    Writing,
)
from grading.phantom.studies.habits import HABITS, Habits, Role
from grading.phantom.studies.protocol import LUMBAR, SeriesPlan, draw_one, plan_series
from grading.phantom.studies.sequences import draw_sequence
from grading.phantom.studies.vendors import MANNERS

AXIAL = (Role.AXIAL_T2, Role.AXIAL_T1)

Measure = Callable[[Cut], SliceTruth | None]
Picture = Callable[..., NDArray[np.float32]]
"""`render`, but for the cut and the slice's generator."""


def draw_study(key: StudyKey, roles: Collection[Role] = frozenset(Role)) -> DrawnStudy:
    """Draw one study; the same key gives the same study, in any process.

    Parameters
    ----------
    roles
        Series to draw; those left out change nothing in the others.

    Raises
    ------
    ValueError
        No anatomy can show the grades that the prevalence asks for.
    """
    anatomy, planning, scanning = _seed(key).spawn(3)
    patient = np.random.default_rng(anatomy)
    wanted = {level: draw_wanted(key.prevalence, patient) for level in LUMBAR}
    spine = draw_spine(wanted, patient)
    constitution = draw_constitution(key.domain, patient)
    technologist = np.random.default_rng(planning)
    plans = plan_series(spine, key.domain, technologist)
    writing, field_tesla = draw_scanner(HABITS[key.domain], technologist)
    # Series often share their planes, which are measured once.
    measured = cache(partial(measure, spine))
    examination = Examination(
        Scene.of(spine), constitution, key.domain, field_tesla, measured
    )
    return DrawnStudy(
        key=key,
        writing=writing,
        spine=spine,
        wanted=wanted,
        measured=measured_levels(spine),
        series=tuple(
            examination.scan(plan, stream)
            for plan, stream in zip(plans, scanning.spawn(len(plans)), strict=True)
            if plan.role in roles
        ),
    )


def draw_scanner(habits: Habits, rng: np.random.Generator) -> tuple[Writing, float]:
    """Draw who made the scanner, how it writes, and its field strength in tesla."""
    manner = MANNERS[draw_one(habits.manners, rng)]
    enhanced = bool(rng.random() < habits.enhanced_share)
    writing = Writing(
        manner=manner,
        enhanced=manner.enhanced and enhanced,
        syntax=draw_one(habits.syntaxes, rng),
    )
    return writing, draw_one(manner.fields_tesla, rng)


def measured_levels(spine: Spine) -> Mapping[Level, SliceTruth]:
    """Measure every disc on the plane through its middle."""
    found = (measure(spine, level_cut(spine, space)) for space in spine.discs)
    return {truth.level: truth for truth in found if truth is not None}


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """One patient in one scanner."""

    scene: Scene
    constitution: Constitution
    domain: Domain
    field_tesla: float
    measure: Measure

    def scan(self, plan: SeriesPlan, stream: np.random.SeedSequence) -> DrawnSeries:
        """Image one series."""
        rng = np.random.default_rng(stream)
        sequence = draw_sequence(plan.role, HABITS[self.domain], self.field_tesla, rng)
        tissues = draw_tissues(self.constitution, sequence, self.domain, rng)
        spacing_mm = plan.stacks[0].cuts[0].spacing_mm[0]
        scan = draw_scan(self.domain, sequence, spacing_mm, rng)
        picture = partial(
            render,
            self.scene,
            thickness_mm=plan.thickness_mm,
            tissues=tissues,
            scan=scan,
        )
        return DrawnSeries(
            role=plan.role,
            thickness_mm=plan.thickness_mm,
            spacing_mm=plan.spacing_mm,
            sequence=sequence,
            phase_along_rows=scan.phase_along_rows,
            images=tuple(self._images(plan, picture, stream)),
        )

    def _images(
        self, plan: SeriesPlan, picture: Picture, stream: np.random.SeedSequence
    ) -> Iterator[DrawnImage]:
        """Yield a series' images; each has a stream of its own."""
        planned = list(_planned(plan))
        streams = stream.spawn(len(planned))
        for (number, place, cut), own in zip(planned, streams, strict=True):
            pixels = picture(cut=cut, rng=np.random.default_rng(own))
            truth = self.measure(cut) if plan.role in AXIAL else None
            yield DrawnImage(cut, number, place, pixels, truth)


def _planned(plan: SeriesPlan) -> Iterator[tuple[int, int, Cut]]:
    """Yield every cut with its stack's number and its place in it, from 0."""
    for number, stack in enumerate(plan.stacks):
        for place, cut in enumerate(stack.cuts):
            yield number, place, cut


def _seed(key: StudyKey) -> np.random.SeedSequence:
    """Return the start of a study's streams; no two keys share one."""
    domain = list(Domain).index(key.domain)
    prevalence = list(Prevalence).index(key.prevalence)
    return np.random.SeedSequence((key.seed, domain, prevalence, key.number))
