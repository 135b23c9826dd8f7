"""Measuring a slice's central plane: what is found, whichever grid shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
import pytest

from grading.grades import Finding, Level
from grading.phantom.measure import (
    PITCH_MM,
    SliceTruth,
    _anterior_fluid_mm,
    crossed_disc,
    level_cut,
    measure,
)
from grading.phantom.spine.cut import Cut, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from tests.grading.phantom.planes import disc_plane, draw_patient, flat_plane


@pytest.fixture(scope="module")
def spine() -> Spine:
    return draw_patient(6, 0)[0]


@pytest.fixture(scope="module")
def space(spine: Spine) -> DiscSpace:
    return spine.discs[4]


def numbers(value: object) -> Iterator[float]:
    """Yield every number of a truth, however deep."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float):
        yield float(value)


def measured(spine: Spine, cut: Cut) -> SliceTruth:
    truth = measure(spine, cut)
    assert truth is not None
    return truth


def turned(cut: Cut, angle_deg: float) -> Cut:
    """Return the same plane with another grid: turned, shifted, coarser."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    row, column = np.array(cut.along_row), np.array(cut.along_column)
    return replace(
        cut,
        position_mm=vector(cut.at(-70.0, -90.0)),
        along_row=vector(cosine * row + sine * column),
        along_column=vector(cosine * column - sine * row),
        spacing_mm=(0.7, 0.4),
        rows=300,
        columns=200,
    )


def test_a_disc_is_measured_through_its_middle(spine: Spine, space: DiscSpace) -> None:
    truth = measured(spine, level_cut(spine, space))

    assert truth.level is space.level
    assert truth.off_centre_mm == pytest.approx(0, abs=0.05)
    assert truth.grade(Finding.LCCS) is truth.grades[1]


def test_the_distance_from_the_middle_counts_towards_the_head(
    spine: Spine, space: DiscSpace
) -> None:
    cut = level_cut(spine, space)

    off_mm = [measured(spine, cut.shifted(mm)).off_centre_mm for mm in (-2.0, 2.0)]

    assert off_mm == pytest.approx([-2, 2], abs=0.1)


@pytest.mark.parametrize("angle_deg", [-12.0, 8.0, 90.0, 180.0])
def test_the_grid_of_pixels_does_not_matter(
    spine: Spine, space: DiscSpace, angle_deg: float
) -> None:
    cut = disc_plane(spine, space, 4.0)

    plain, other = measured(spine, cut), measured(spine, turned(cut, angle_deg))

    assert other.grades == plain.grades
    assert other.herniation_share == pytest.approx(plain.herniation_share, abs=0.02)
    assert other.sac_area_mm2 == pytest.approx(plain.sac_area_mm2, abs=0.5)
    assert other.left.shift_mm == pytest.approx(plain.left.shift_mm, abs=0.1)
    assert other.landmarks.facet_left_mm == pytest.approx(
        plain.landmarks.facet_left_mm, abs=0.4
    )


def test_a_plane_seen_from_above_measures_as_one_seen_from_below(
    spine: Spine, space: DiscSpace
) -> None:
    below = disc_plane(spine, space)
    x, y, z = below.along_row
    above = replace(below, along_row=(-x, -y, -z))

    assert measured(spine, above).grades == measured(spine, below).grades
    right_mm = measured(spine, above).landmarks.facet_right_mm
    assert right_mm[0] < measured(spine, above).landmarks.facet_left_mm[0]


def test_landmarks_lie_where_they_are_in_a_body(spine: Spine, space: DiscSpace) -> None:
    marks = measured(spine, level_cut(spine, space)).landmarks

    assert marks.facet_right_mm[0] < marks.sac_centre_mm[0] < marks.facet_left_mm[0]
    assert marks.disc_margin_mm[1] < marks.sac_centre_mm[1]
    assert marks.disc_margin_mm[1] < marks.facet_right_mm[1]


def test_no_measure_is_ever_undefined_up_to_a_discs_very_end(spine: Spine) -> None:
    found = 0
    for space in spine.discs:
        half_mm = space.height_mm / 2
        for share in (-1.0, -0.995, -0.98, 0.98, 0.995, 1.0):
            truth = measure(spine, flat_plane(spine, space, share * half_mm))
            if truth is not None:
                found += 1
                assert np.isfinite(list(numbers(asdict(truth)))).all()

    assert found > len(spine.discs)


def test_a_vertebra_shows_no_disc(spine: Spine, space: DiscSpace) -> None:
    plane = disc_plane(spine, space).shifted(16.0)

    assert crossed_disc(spine, plane) is None
    assert measure(spine, plane) is None


def test_a_plane_along_the_spine_is_no_slice_through_a_disc(spine: Spine) -> None:
    sagittal = Cut((300.0, 0.0, 0.0), (0, 1.0, 0), (0, 0, -1.0), (1.0, 1.0), 9, 9)

    assert measure(spine, sagittal) is None


def test_every_level_of_a_patient_can_be_measured(spine: Spine) -> None:
    levels = [measured(spine, level_cut(spine, one)).level for one in spine.discs]

    assert levels == list(Level)


@pytest.mark.parametrize(
    ("centre_mm", "gap_mm"), [(5.3, 1.5), (5.6, 16.0)], ids=["inside", "outside"]
)
def test_fluid_is_measured_as_far_as_a_rootlet_reaches_into_the_middle_half(
    centre_mm: float, gap_mm: float
) -> None:
    rows, columns = np.mgrid[0:120, 0:120] * PITCH_MM
    # A sac of 20 by 16 mm around (15, 15): its middle half ends 5 mm from the middle.
    sac = np.maximum(abs(rows - 15) - 8, abs(columns - 15) - 10)
    rootlet = np.hypot(rows - 9, columns - 15 - centre_mm) - 0.45

    found = _anterior_fluid_mm(sac, [rootlet])

    assert found == pytest.approx(gap_mm, abs=0.5)
