"""Draw phantom patients to learn from: many slices of each, every plan another scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from grading.grades import AxialMarks, Grade, Side
from grading.phantom.contour import coverage
from grading.phantom.image.render import render
from grading.phantom.image.scan import Scan, draw_scan
from grading.phantom.image.scene import Scene
from grading.phantom.image.tissues import (
    Constitution,
    Tissues,
    draw_constitution,
    draw_tissues,
)
from grading.phantom.measure import SliceTruth, measure, pixel_of
from grading.phantom.prevalence import draw_wanted
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.slices import Split
from grading.phantom.spine.column import DiscBody
from grading.phantom.spine.cut import Cut, Vector, vector
from grading.phantom.spine.grid import place_of
from grading.phantom.spine.parts import Spine
from grading.phantom.spine.spine import draw_spine
from grading.phantom.studies.draw import draw_scanner
from grading.phantom.studies.habits import HABITS, Role
from grading.phantom.studies.protocol import LUMBAR, SeriesPlan, plan_series
from grading.phantom.studies.sequences import draw_sequence
from grading.training.lessons.lesson import (
    AxialLesson,
    PatientLesson,
    SagittalLesson,
)
from grading.training.workers import processes

AXIAL_PLANS = 2
"""Of each patient; each is scanned with settings of its own."""
BETWEEN_SHARE = 0.3
"""Of the axial slices that pass through no disc and are kept."""
SAGITTAL_IMAGES = 3
SAGITTAL_REACH_MM = 12.0
"""How far from the spine's midline a sagittal image may lie that shows the canal."""
S1_CENTRE_BELOW_MM = 14.0
"""From the sacrum's upper end to the middle of S1, along the spine."""
SAC_PITCH_MM = 0.5


@dataclass(frozen=True, slots=True)
class PatientSet:
    """Which phantom patients: fixed by its fields, so a set can be drawn again."""

    seed: int
    split: Split
    patients: int
    domain: Domain = Domain.INTERNAL
    prevalence: Prevalence = Prevalence.BALANCED

    @property
    def words(self) -> str:
        """What tells the set from another, whatever the number of its patients."""
        return f"{self.domain} domain, {self.prevalence} grades, seed {self.seed}"


def draw_patients(patients: PatientSet, workers: int) -> Iterator[PatientLesson]:
    """Draw a set's patients in order, on several processes."""
    draw = partial(draw_patient, patients)
    if workers <= 1:
        yield from map(draw, range(patients.patients))
        return
    with processes(workers) as pool:
        yield from pool.map(draw, range(patients.patients))


def draw_patient(patients: PatientSet, number: int) -> PatientLesson:
    """Draw one patient; the same set and number give the same bytes.

    Raises
    ------
    ValueError
        No anatomy can show the grades that the prevalence asks for.
    """
    seed = np.random.SeedSequence(
        (
            patients.seed,
            int(patients.split),
            list(Domain).index(patients.domain),
            list(Prevalence).index(patients.prevalence),
            number,
        )
    )
    rng = np.random.default_rng(seed)
    wanted = {level: draw_wanted(patients.prevalence, rng) for level in LUMBAR}
    spine = draw_spine(wanted, rng)
    model = _Model(
        spine, Scene.of(spine), draw_constitution(patients.domain, rng), patients.domain
    )
    axial: list[AxialLesson] = []
    for _ in range(AXIAL_PLANS):
        axial.extend(_axial_lessons(model, rng))
    return PatientLesson(number, tuple(axial), tuple(_sagittal_lessons(model, rng)))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A patient who lies still for as many scans as are wanted."""

    spine: Spine
    scene: Scene
    constitution: Constitution
    domain: Domain

    def plan(self, role: Role, rng: np.random.Generator) -> SeriesPlan:
        """Return one of the series of a freshly planned study."""
        plans = plan_series(self.spine, self.domain, rng)
        return next(plan for plan in plans if plan.role is role)

    def scanning(
        self, plan: SeriesPlan, rng: np.random.Generator
    ) -> tuple[Tissues, Scan]:
        """Draw what one series of images has in common."""
        habits = HABITS[self.domain]
        _, field_tesla = draw_scanner(habits, rng)
        sequence = draw_sequence(plan.role, habits, field_tesla, rng)
        tissues = draw_tissues(self.constitution, sequence, self.domain, rng)
        spacing_mm = plan.stacks[0].cuts[0].spacing_mm[0]
        return tissues, draw_scan(self.domain, sequence, spacing_mm, rng)


def _axial_lessons(model: _Model, rng: np.random.Generator) -> Iterator[AxialLesson]:
    plan = model.plan(Role.AXIAL_T2, rng)
    tissues, scan = model.scanning(plan, rng)
    for stack in plan.stacks:
        for cut in stack.cuts:
            truth = measure(model.spine, cut)
            if truth is None and rng.random() > BETWEEN_SHARE:
                continue
            marks = _marks(model.spine, cut, truth)
            if marks is None:
                continue
            yield AxialLesson(
                pixels=render(
                    model.scene, cut, plan.thickness_mm, tissues, scan, rng
                ).astype(np.uint16),
                spacing_mm=cut.spacing_mm,
                marks=marks,
                grades=truth.grades if truth else None,
                roots=_roots(truth) if truth else {},
            )


def _sagittal_lessons(
    model: _Model, rng: np.random.Generator
) -> Iterator[SagittalLesson]:
    plan = model.plan(Role.SAGITTAL_T2, rng)
    tissues, scan = model.scanning(plan, rng)
    middle = model.spine.axis.locate(0.0, 0.0, model.spine.discs[-3].s_mm)
    cuts = [
        cut
        for cut in plan.stacks[0].cuts
        if abs(float(cut.depth_mm(middle))) <= SAGITTAL_REACH_MM
    ]
    discs = disc_centres(model.spine)
    sacrum = _sacrum(model.spine)
    for index in rng.permutation(len(cuts))[:SAGITTAL_IMAGES]:
        cut = cuts[index]
        yield SagittalLesson(
            pixels=render(
                model.scene, cut, plan.thickness_mm, tissues, scan, rng
            ).astype(np.uint16),
            spacing_mm=cut.spacing_mm,
            discs=tuple(pixel_of(cut, point) for point in discs),
            sacrum=pixel_of(cut, sacrum),
        )


def disc_centres(spine: Spine) -> tuple[Vector, ...]:
    """Return the middle of every disc, the thoracic ones too: LPS in mm, from above."""
    bodies = [
        part.solid
        for part in spine.parts
        if part.name.startswith("annulus ") and isinstance(part.solid, DiscBody)
    ]
    bodies.sort(key=lambda body: -body.s_mm)
    return tuple(
        vector(spine.axis.locate(0.0, -body.disc.depth_mm / 2, body.s_mm))
        for body in bodies
    )


def _sacrum(spine: Spine) -> Vector:
    depth_mm = spine.discs[-1].section.disc.depth_mm
    s_mm = spine.sacrum_s_mm - S1_CENTRE_BELOW_MM
    return vector(spine.axis.locate(0.0, -0.4 * depth_mm, s_mm))


def _marks(spine: Spine, cut: Cut, truth: SliceTruth | None) -> AxialMarks | None:
    return truth.landmarks.marks(cut) if truth else _between_discs(spine, cut)


def _between_discs(spine: Spine, cut: Cut) -> AxialMarks | None:
    """Return the sac's centre on a plane through no disc; None below the sac's end."""
    at = place_of(spine.axis, _coarse(cut))
    inside = coverage(spine.sac.distance(at), SAC_PITCH_MM)
    total = float(inside.sum())
    if total < 1.0:
        return None
    row = float(inside.sum(axis=1) @ np.arange(inside.shape[0])) / total
    column = float(inside.sum(axis=0) @ np.arange(inside.shape[1])) / total
    centre = _coarse(cut).at(row, column)
    return AxialMarks(sac_centre=pixel_of(cut, vector(centre)))


def _coarse(cut: Cut) -> Cut:
    """Return the same field of view on a grid of `SAC_PITCH_MM`."""
    rows, columns = (
        round(length * spacing / SAC_PITCH_MM)
        for length, spacing in zip((cut.rows, cut.columns), cut.spacing_mm, strict=True)
    )
    return Cut(
        cut.position_mm,
        cut.along_row,
        cut.along_column,
        (SAC_PITCH_MM, SAC_PITCH_MM),
        rows,
        columns,
    )


def _roots(truth: SliceTruth) -> Mapping[Side, Grade]:
    return {Side.RIGHT: truth.right.grade, Side.LEFT: truth.left.grade}
