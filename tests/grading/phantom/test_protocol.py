"""Series as a technologist plans them, on spines of every posture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.grades import Level
from grading.phantom.ranges import ACQUISITIONS, Domain
from grading.phantom.spine.cut import Points
from grading.phantom.spine.parts import Spine
from grading.phantom.studies.habits import Role
from grading.phantom.studies.protocol import SeriesPlan, plan_series
from grading.phantom.studies.stacks import (
    BACK,
    LEFT,
    UP,
    Frame,
    Pixels,
    axial_frame,
    coronal_frame,
    sagittal_frame,
    stack,
)
from tests.grading.phantom.drawn import bare_spine

SPINES = [bare_spine(seed) for seed in range(4)]
SEEDS = st.integers(0, 2**32)
DOMAINS = st.sampled_from(list(Domain))
SPINE = st.sampled_from(SPINES)


def planned(spine: Spine, domain: Domain, seed: int) -> dict[Role, SeriesPlan]:
    plans = plan_series(spine, domain, np.random.default_rng(seed))
    return {plan.role: plan for plan in plans}


def places(spine: Spine) -> dict[Level, float]:
    return {space.level: space.s_mm for space in spine.discs}


@given(spine=SPINE, domain=DOMAINS, seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_every_study_has_its_five_series_and_fits_what_scanners_do(
    spine: Spine, domain: Domain, seed: int
) -> None:
    plans = planned(spine, domain, seed)

    assert list(plans) == list(Role)
    for plan in plans.values():
        assert plan.spacing_mm > plan.thickness_mm
        assert 3.0 <= plan.thickness_mm <= 8.0
    axial = plans[Role.AXIAL_T2].stacks[0].cuts[0]
    low, high = ACQUISITIONS[domain].spacing_mm
    assert low <= axial.spacing_mm[0] <= high
    assert 149 <= axial.columns * axial.spacing_mm[1] <= 301


@given(spine=SPINE, domain=DOMAINS, seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_axial_slices_pass_through_the_lowest_three_discs_at_least(
    spine: Spine, domain: Domain, seed: int
) -> None:
    plan = planned(spine, domain, seed)[Role.AXIAL_T2]

    cuts = [cut for stack in plan.stacks for cut in stack.cuts]
    for level in (Level.L3_L4, Level.L4_L5, Level.L5_S1):
        margin = spine.axis.locate(0.0, 0.0, places(spine)[level])
        nearest = min(abs(float(cut.depth_mm(margin))) for cut in cuts)
        assert nearest <= plan.spacing_mm / 2 + 1.5, level


@given(spine=SPINE, domain=DOMAINS, seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_slabs_lie_along_their_discs_and_blocks_in_one_direction(
    spine: Spine, domain: Domain, seed: int
) -> None:
    plan = planned(spine, domain, seed)[Role.AXIAL_T2]

    if len(plan.stacks) == 1:
        assert 18 <= len(plan.stacks[0].cuts) <= 26
        assert np.dot(plan.stacks[0].cuts[0].normal, UP) > 0.98
        return
    assert len(plan.stacks) in (3, 5)
    for space, slab in zip(spine.discs[-len(plan.stacks) :], plan.stacks, strict=True):
        tilt = np.dot(slab.cuts[0].normal, spine.axis.direction(space.s_mm))
        assert 3 <= len(slab.cuts) <= 5
        assert np.rad2deg(np.arccos(tilt)) < 18.0, space.level


@given(spine=SPINE, domain=DOMAINS, seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_sagittal_images_show_t11_to_s2(
    spine: Spine, domain: Domain, seed: int
) -> None:
    plan = planned(spine, domain, seed)[Role.SAGITTAL_T2]

    cut = plan.stacks[0].cuts[len(plan.stacks[0].cuts) // 2]
    at = places(spine)
    for s_mm in (at[Level.T12_L1] + 35, at[Level.L5_S1] - 40):
        row, column = cut.pixel(spine.axis.locate(0.0, -15.0, s_mm))
        assert 0 <= row < cut.rows
        assert 0 <= column < cut.columns


def test_the_same_seed_plans_the_same_study() -> None:
    spine = SPINES[0]

    assert planned(spine, Domain.INTERNAL, 5) == planned(spine, Domain.INTERNAL, 5)
    assert planned(spine, Domain.INTERNAL, 5) != planned(spine, Domain.INTERNAL, 6)


@pytest.mark.parametrize(
    ("frame", "along_row", "along_column"),
    [
        (axial_frame(UP), LEFT, BACK),
        (sagittal_frame(UP), BACK, -UP),
        (coronal_frame(), LEFT, -UP),
    ],
    ids=["axial", "sagittal", "coronal"],
)
def test_images_are_seen_as_radiologists_see_them(
    frame: Frame, along_row: Points, along_column: Points
) -> None:
    assert np.allclose(frame.along_row, along_row)
    assert np.allclose(frame.along_column, along_column)


def test_a_stack_runs_cranial_to_caudal_right_to_left_and_front_to_back() -> None:
    pixels, centre = Pixels(8, 1.0), np.zeros(3)

    ends = [
        np.subtract(cuts[-1].centre_mm, cuts[0].centre_mm)
        for cuts in (
            stack(frame, centre, pixels, 3, 5.0).cuts
            for frame in (axial_frame(UP), sagittal_frame(UP), coronal_frame())
        )
    ]

    assert np.allclose(ends, [-10 * UP, 10 * LEFT, 10 * BACK])


@given(tilt=st.floats(-40, 40), turn=st.floats(-10, 10))
@settings(max_examples=30, deadline=None)
def test_a_frame_stays_at_right_angles_however_it_is_tilted_and_turned(
    tilt: float, turn: float
) -> None:
    normal = np.array([0.1, -np.sin(np.deg2rad(tilt)), np.cos(np.deg2rad(tilt))])
    normal /= np.linalg.norm(normal)

    frame = axial_frame(normal, turn)

    assert np.allclose(frame.normal, normal, atol=1e-8)
    assert abs(np.dot(frame.along_row, frame.along_column)) < 1e-8
