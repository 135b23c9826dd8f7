"""Whole spines: every tissue among its neighbours, every grade as it was wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grading.grades import Grade, Level
from grading.phantom.measure import level_cut, measure
from grading.phantom.prevalence import WantedGrades
from grading.phantom.spine.parts import NOTHING, Part, Spine
from grading.phantom.spine.solids import Ellipsoid, Shrunk
from grading.phantom.spine.spine import draw_spine
from grading.phantom.spine.tissues import Tissue
from tests.grading.phantom.labels import pixel_points, window
from tests.grading.phantom.planes import disc_plane, draw_patient
from tests.grading.phantom.properties import (
    SAGITTAL_X_MM,
    faults_of_disc,
    faults_of_sagittal,
    faults_of_sizes,
)

SEVERE = WantedGrades(Grade.GRADE_3, Grade.GRADE_3, Grade.GRADE_3)
ROOT_ONLY = WantedGrades(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_1)


@pytest.fixture(scope="module")
def spine() -> Spine:
    return draw_patient(5, 0)[0]


def test_no_rootlet_stands_out_of_a_sac_that_a_herniation_dents() -> None:
    spine, _ = draw_patient(2, 1794)  # it did, two knots apart

    assert list(faults_of_disc(spine, spine.discs[1])) == []


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    study=st.integers(0, 10_000),
    disc=st.integers(0, 5),
    x_mm=st.sampled_from(SAGITTAL_X_MM),
)
def test_no_tissue_lies_outside_its_neighbours(
    study: int, disc: int, x_mm: float
) -> None:
    spine, _ = draw_patient(2, study)

    faults = [
        *faults_of_sizes(spine),
        *faults_of_disc(spine, spine.discs[disc]),
        *faults_of_sagittal(spine, x_mm),
    ]

    assert faults == []


def test_a_tissue_outside_its_neighbours_is_noticed(spine: Spine) -> None:
    """Marrow in the fluid, and a root in a vertebra: the check can fail."""
    disc = spine.discs[4]
    blob = Ellipsoid(0.0, 8.0, disc.s_mm, 6.0, 6.0, 9.0, 9.0)
    stray = replace(
        spine,
        parts=(
            *spine.parts,
            Part("stray", Tissue.MARROW, blob),
            Part("shrunk", Tissue.MARROW, Ellipsoid(0, 90, 0, -1.0, 1.0, 1.0, 1.0)),
        ),
    )

    faults = [*faults_of_disc(stray, disc), *faults_of_sizes(stray)]

    assert any("FLUID's border touches MARROW" in fault for fault in faults)
    assert any("shrunk: half_width_mm is -1" in fault for fault in faults)


def test_a_sac_that_runs_through_the_disc_is_noticed(spine: Spine) -> None:
    disc = spine.discs[4]
    wide = replace(spine, sac=Shrunk(spine.sac, -4.0))

    faults = list(faults_of_disc(wide, disc))

    assert any("the sac runs through the disc" in fault for fault in faults)


def test_every_level_shows_the_grades_wanted_and_others_are_normal() -> None:
    wanted = {Level.L4_L5: SEVERE, Level.L2_L3: ROOT_ONLY}

    spine = draw_spine(wanted, np.random.default_rng(8))

    normal = (Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_0)
    for space in spine.discs:
        truth = measure(spine, level_cut(spine, space))
        expected = wanted[space.level].all if space.level in wanted else normal
        assert truth is not None
        assert truth.grades == expected, space.level


def test_grades_that_no_anatomy_can_show_are_refused() -> None:
    impossible = WantedGrades(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_2)

    with pytest.raises(ValueError, match="cannot be"):
        draw_spine({Level.L3_L4: impossible}, np.random.default_rng(0))


def test_the_same_seed_draws_the_same_spine(spine: Spine) -> None:
    again, _ = draw_patient(5, 0)
    plane = disc_plane(spine, spine.discs[3])
    points = pixel_points(window(plane, np.array(plane.position_mm), 60.0, 1.0))

    assert spine.part_at(points).tobytes() == again.part_at(points).tobytes()
    assert [part.name for part in spine.parts] == [part.name for part in again.parts]


def test_another_seed_draws_another_spine(spine: Spine) -> None:
    other, _ = draw_patient(5, 1)

    assert spine.discs[3].section.facet_line_mm != other.discs[3].section.facet_line_mm


def test_discs_are_counted_up_from_the_sacrum(spine: Spine) -> None:
    levels = [space.level for space in spine.discs]
    heights = [space.s_mm for space in spine.discs]

    assert levels == list(Level)
    assert heights == sorted(heights, reverse=True)
    assert spine.sacrum_s_mm < heights[-1]
    assert heights[1] < spine.conus_s_mm


def test_what_is_painted_later_lies_on_top(spine: Spine) -> None:
    disc = spine.discs[3]
    blob = Ellipsoid(0.0, -15.0, disc.s_mm, 3.0, 3.0, 3.0, 3.0)
    covered = replace(spine, parts=(*spine.parts, Part("blob", Tissue.LIVER, blob)))
    middle = spine.axis.locate(0.0, -15.0, disc.s_mm)

    assert Tissue(int(spine.tissue_at(middle[np.newaxis])[0])) is Tissue.NUCLEUS
    assert Tissue(int(covered.tissue_at(middle[np.newaxis])[0])) is Tissue.LIVER


def test_there_is_only_air_outside_the_body(spine: Spine) -> None:
    outside = np.array([[400.0, 0.0, 0.0], [0.0, -500.0, 0.0]])

    assert (spine.part_at(outside) == NOTHING).all()
    assert (spine.tissue_at(outside) == Tissue.AIR).all()
