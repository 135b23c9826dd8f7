"""One axial T2-weighted slice of the phantom from one seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from grading.grades import AxialMarks, Level
from grading.phantom.image.render import render
from grading.phantom.image.scan import draw_scan
from grading.phantom.image.tissues import draw_constitution, draw_tissues
from grading.phantom.measure import SliceTruth, crossed_disc, measure
from grading.phantom.prevalence import WantedGrades, draw_wanted
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Spine
from grading.phantom.spine.spine import draw_spine
from grading.phantom.studies.draw import draw_scanner
from grading.phantom.studies.habits import HABITS, Role
from grading.phantom.studies.protocol import LUMBAR, SeriesPlan, plan_series
from grading.phantom.studies.sequences import draw_sequence

PLANS = 50
"""How often a protocol is planned anew until one of its slices shows what is wanted;
blocks leave out the upper discs, and slabs some of all."""


class Split(IntEnum):
    """What a slice is for; sets of one seed never share a slice."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True, slots=True)
class PhantomSlice:
    """An axial T2-weighted slice whose grades were measured on its geometry."""

    pixels: NDArray[np.float32]
    """(rows, columns), stored values: whole numbers from 0."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    truth: SliceTruth
    marks: AxialMarks
    """The truth's landmarks, in pixels."""


def draw_slice(
    seed: tuple[int, ...],
    *,
    domain: Domain = Domain.INTERNAL,
    prevalence: Prevalence = Prevalence.BALANCED,
    wanted: WantedGrades | None = None,
) -> PhantomSlice:
    """Draw one slice of a patient of its own; the same arguments, the same bytes.

    Parameters
    ----------
    seed
        Such as (seed of the set, its `Split`, index of the slice).
    wanted
        The grades to show; drawn from the prevalence where None.

    Raises
    ------
    ValueError
        No anatomy can show the grades wanted.
    """
    streams = np.random.SeedSequence(seed).spawn(3)
    patient, technologist, scanning = (np.random.default_rng(one) for one in streams)
    grades = wanted or draw_wanted(prevalence, patient)
    level = LUMBAR[int(patient.integers(len(LUMBAR)))]
    spine = draw_spine({level: grades}, patient)
    constitution = draw_constitution(domain, patient)
    plan, cut, truth = _find_slice(spine, level, grades, domain, technologist)
    _, field_tesla = draw_scanner(HABITS[domain], technologist)
    sequence = draw_sequence(plan.role, HABITS[domain], field_tesla, scanning)
    tissues = draw_tissues(constitution, sequence, domain, scanning)
    scan = draw_scan(domain, sequence, cut.spacing_mm[0], scanning)
    return PhantomSlice(
        pixels=render(spine, cut, plan.thickness_mm, tissues, scan, scanning),
        spacing_mm=cut.spacing_mm,
        truth=truth,
        marks=truth.landmarks.marks(cut),
    )


def _find_slice(
    spine: Spine,
    level: Level,
    wanted: WantedGrades,
    domain: Domain,
    rng: np.random.Generator,
) -> tuple[SeriesPlan, Cut, SliceTruth]:
    """Plan axial series until one of their slices shows the grades at the level."""
    for _ in range(PLANS):
        plan = next(
            one for one in plan_series(spine, domain, rng) if one.role is Role.AXIAL_T2
        )
        for cut in _shuffled(plan, rng):
            crossed = crossed_disc(spine, cut)
            if crossed is None or crossed[0].level is not level:
                continue
            truth = measure(spine, cut)
            if truth is not None and truth.grades == wanted.all:
                return plan, cut, truth
    raise ValueError(f"no slice in {PLANS} plans shows {wanted} at {level}")


def _shuffled(plan: SeriesPlan, rng: np.random.Generator) -> Iterator[Cut]:
    cuts = [cut for stack in plan.stacks for cut in stack.cuts]
    for index in rng.permutation(len(cuts)):
        yield cuts[index]
