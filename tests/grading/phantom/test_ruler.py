"""The second measurer: right on known shapes, and of one mind with the first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom import definitions
from grading.phantom.measure import measure
from tests.grading.phantom import ruler
from tests.grading.phantom.boundaries import near_cuts
from tests.grading.phantom.comparing import (
    Compared,
    Verdict,
    compare,
    differences,
    plant_errors,
)
from tests.grading.phantom.labels import (
    area_mm2,
    centroid,
    edges,
    first_rows,
    last_rows,
    nearest,
    nearest_stretch,
)
from tests.grading.phantom.planes import (
    disc_plane,
    draw_patient,
    flat_plane,
    planes_near,
)

SEED, STUDY = 21, 0


@pytest.fixture(scope="module")
def slices() -> list[Compared]:
    """Every plane of one patient's two lowest discs that shows them."""
    spine, _ = draw_patient(SEED, STUDY)
    found: list[Compared | None] = []
    for space in spine.discs[-2:]:
        slab = disc_plane(spine, space)
        planes = [slab, slab.shifted(2.0), flat_plane(spine, space, -0.5)]
        found.extend(
            compare(spine, plane, f"{space.level} {number}")
            for number, plane in enumerate(planes)
        )
    return [one for one in found if one is not None]


def disc(radius: float, row: float, column: float) -> NDArray[np.bool_]:
    rows, columns = np.indices((120, 120))
    return np.asarray(np.hypot(rows - row, columns - column) < radius)


def test_both_measurers_agree_on_every_grade_that_is_not_near_a_cut(
    slices: list[Compared],
) -> None:
    assert len(slices) >= 4
    assert [one.name for one in slices if one.wrong] == []


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("r", 0.05),
        ("a mm", 0.25),
        ("sac mm2", 1.5),
        ("root shift mm", 0.05),
        ("thickness share", 0.08),
        ("facet right mm", 0.4),
        ("facet left mm", 0.4),
        ("sac centre mm", 0.05),
    ],
)
def test_both_measurers_find_the_same_lengths(
    slices: list[Compared], name: str, within: float
) -> None:
    away = [
        abs(difference)
        for one in slices
        for value, difference in differences(one)
        if value == name
    ]

    assert away
    assert max(away) < within


def test_planted_errors_are_found_and_nothing_else(slices: list[Compared]) -> None:
    planted, where = plant_errors(slices, 2, np.random.default_rng(4))

    found = {index for index, one in enumerate(planted) if one.wrong}

    assert len(where) == 2
    assert found == where


def test_both_see_no_disc_between_two_discs() -> None:
    spine, _ = draw_patient(SEED, STUDY)
    plane = disc_plane(spine, spine.discs[3]).shifted(16.0)

    assert measure(spine, plane) is None
    assert ruler.read(spine, plane) is None
    assert compare(spine, plane, "a vertebra") is None


def test_a_disc_that_one_measurer_misses_is_wrong_unless_a_cell_away() -> None:
    certain = Compared("far inside", (), None, None, certain_level=True)
    uncertain = Compared("at an endplate", (), None, None, certain_level=False)

    assert certain.verdicts() == (Verdict.WRONG,)
    assert uncertain.verdicts() == (Verdict.WITHIN_A_CELL,)


def test_the_ruler_has_the_cuts_of_the_definitions() -> None:
    assert ruler.LDH_CUTS == (definitions.NO_HERNIATION, definitions.HALF_WAY, 1.0)
    assert ruler.LCCS_FLUID_MM == definitions.OBLITERATED_FLUID_MM
    assert ruler.LCCS_SHARES == (
        definitions.SOME_AGGREGATION,
        definitions.ALL_AGGREGATION,
    )
    assert ruler.TOGETHER_MM == definitions.SEPARATE_GAP_MM
    assert ruler.VISIBLE_ROOTLET_MM2 == definitions.LEAST_ROOTLET_MM2
    assert ruler.FAT_MM == definitions.FAT_LAYER_MM
    assert ruler.DISPLACED_MM == definitions.DEVIATION_MM
    assert ruler.HALF_THICK == definitions.FLATTENED
    assert ruler.VISIBLE_ROOT_SHARE == definitions.LEAST_ROOT_SHARE


@pytest.mark.parametrize("share", np.linspace(0, 1.2, 25))
def test_both_scales_of_herniations_are_one(share: float) -> None:
    assert ruler.herniation_grade(share) == definitions.grade_herniation(share)


@pytest.mark.parametrize("fluid_mm", [0.0, 1.34, 1.35, 2.0])
@pytest.mark.parametrize("together", [0.0, 0.19, 0.2, 0.84, 0.85, 1.0])
def test_both_scales_of_stenosis_are_one(fluid_mm: float, together: float) -> None:
    assert ruler.canal_grade(fluid_mm, together) == definitions.grade_canal(
        fluid_mm, together
    )


@pytest.mark.parametrize("gap_mm", [0.0, 0.59, 0.6])
@pytest.mark.parametrize("shift_mm", [-2.0, 0.94, 0.95])
@pytest.mark.parametrize("wall_gap_mm", [0.0, 0.59, 0.6])
@pytest.mark.parametrize("thickness", [0.0, 0.5, 0.51, 1.0])
def test_both_scales_of_roots_are_one(
    gap_mm: float, shift_mm: float, wall_gap_mm: float, thickness: float
) -> None:
    values = (gap_mm, shift_mm, wall_gap_mm, thickness)

    assert ruler.root_grade(*values) == definitions.grade_root(*values)


def test_a_reading_near_a_cut_has_both_grades() -> None:
    whole = ruler.Reading(1.0, 0.9, 1.1)
    root = ruler.RootReading(
        gap_mm=ruler.Reading.length(0.55),
        shift_mm=ruler.Reading(0.0, -0.1, 0.1),
        wall_gap_mm=ruler.Reading.length(3.0),
        thickness=whole,
        seen=whole,
    )

    assert root.grade == 1
    assert root.possible == {0, 1}


def test_a_reading_far_from_every_cut_has_one_grade(slices: list[Compared]) -> None:
    far = [
        one
        for one in slices
        if one.reading is not None and not list(near_cuts(one.reading))
    ]

    assert far
    assert all(one.clear for one in far)


def test_the_nearest_points_of_two_discs_are_their_gap_apart() -> None:
    one, other = edges(disc(20, 60, 30)), edges(disc(15, 60, 80))

    gap, i, j = nearest(one, other)

    assert gap == pytest.approx(15, abs=1)
    assert one[i] == pytest.approx((60, 50), abs=6)
    assert other[j] == pytest.approx((60, 65), abs=6)


def test_the_middle_of_the_nearest_stretch_is_a_round_ends_tip() -> None:
    one, other = edges(disc(20, 60, 30)), edges(disc(15, 60, 80))

    assert nearest_stretch(one, other) == pytest.approx((60, 50), abs=1)


def test_two_masks_that_touch_have_no_gap() -> None:
    left = np.zeros((9, 9), bool)
    left[2:7, 2:4] = True

    gap, _, _ = nearest(edges(left), edges(np.roll(left, 2, axis=1)))

    assert gap == 0


def test_area_centre_and_ends_of_a_disc_are_those_of_a_circle() -> None:
    mask = disc(25, 50, 70)

    assert area_mm2(mask, 0.1) == pytest.approx(np.pi * 2.5**2, rel=0.02)
    assert centroid(mask) == pytest.approx((50, 70), abs=0.05)
    assert first_rows(mask)[70] == pytest.approx(25, abs=0.6)
    assert last_rows(mask)[70] == pytest.approx(75, abs=0.6)
    assert np.isnan(first_rows(mask)[10])


def test_the_planes_of_a_patient_are_drawn_alike_again() -> None:
    drawn = []
    for _ in range(2):
        spine, rng = draw_patient(SEED, STUDY)
        drawn.append(
            [p for space in spine.discs for p in planes_near(spine, space, rng)]
        )

    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 4 * len(Level)


def test_a_rootlet_behind_a_step_of_the_wall_has_both_fluids() -> None:
    sac = np.zeros((60, 101), bool)
    sac[10:50, :] = True
    sac[10:30, 60:] = False  # the wall steps back by two millimetres
    rootlet = np.zeros_like(sac)
    rootlet[34:40, 54:60] = True  # and ends where the step begins

    reading = ruler._anterior_fluid(sac, {"rootlet 1": rootlet})

    assert reading.value == pytest.approx(2.4)
    assert reading.holds(0.4)
