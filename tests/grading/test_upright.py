"""Images stored another way round: the patient's sides stay the patient's sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from grading.boxes import Box
from grading.grades import (
    AxialMarks,
    PixelPoint,
    Plane,
    RegionOrigin,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from grading.headers import ImageHeader, Vector, image_headers
from grading.landmarks.found import AxialFound, SagittalFound
from grading.levels.geometry import at
from grading.series import Slice, group_series, judge
from grading.upright import turn_in_plane_deg, turn_of
from tests.dicom_factories import mr_image, mr_series
from tests.grading.builders import image
from tests.grading.made_up_studies import (
    THROUGH_TWO_DISCS,
    Grade,
    axial,
    keys,
    sagittal,
)
from tests.grading.spines import found
from tests.grading.turning import turned

WAYS = [(True, False), (False, True), (True, True)]
"""Mirrored, upside down; both is how a prone patient's images may lie."""
BOX = Box(20, 30, 40, 44)


class SidesLocator:
    """Goes by the sides of what it is shown, as a network does: sees bright points."""

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        return [AxialFound(self._marks(one), 1.0, 0.9) for one in slices]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        return [found(one.header) for one in slices]

    def _marks(self, one: Slice) -> AxialMarks:
        half, quarter = one.pixels.shape[1] // 2, one.pixels.shape[0] // 2
        return AxialMarks(
            disc_margin=_brightest(one, rows=slice(0, quarter)),
            sac_centre=_brightest(one, rows=slice(quarter, None)),
            facet_right=_brightest(one, columns=slice(0, half)),
            facet_left=_brightest(one, columns=slice(half, None)),
        )


def _brightest(
    one: Slice,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> PixelPoint:
    masked = np.full(one.pixels.shape, -np.inf)
    masked[rows, columns] = one.pixels[rows, columns]
    row, column = np.unravel_index(masked.argmax(), masked.shape)
    return PixelPoint(float(row), float(column))


def lopsided(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Give images noise of their own, so that no side is like the other."""
    noise = np.random.default_rng(4)
    for ds in datasets:
        pixels = noise.integers(300, 2000, (int(ds.Rows), int(ds.Columns)))
        ds.PixelData = pixels.astype(np.uint16).tobytes()
        ds["PixelData"].VR = "OW"
    return list(datasets)


def study() -> list[Dataset]:
    return lopsided([*axial(THROUGH_TWO_DISCS), *sagittal()])


def headers(datasets: Sequence[Dataset]) -> Mapping[SliceKey, ImageHeader]:
    return {one.key: one for ds in datasets for one in image_headers(ds)}


def places(one: SliceGrade, image: ImageHeader) -> dict[str, Vector]:
    """Return where in the patient lies what a grade shows in pixels of its image."""
    points = {
        field.name: point
        for field in fields(AxialMarks)
        if (point := getattr(one.marks, field.name))
    }
    points["region"] = PixelPoint(one.region.row, one.region.column)
    return {name: at(image, point) for name, point in points.items()}


def assert_alike(
    expected: StudyGrades,
    stored: Sequence[Dataset],
    grades: StudyGrades,
    again: Sequence[Dataset],
) -> None:
    """Assert that two readings of one patient say the same of the same places."""
    before, after = headers(stored), headers(again)
    for one, other in zip(expected.slices, grades.slices, strict=True):
        assert one.key == other.key
        assert (one.level, one.through_disc) == (other.level, other.through_disc)
        pairs = [
            *((grading, other.grades[name]) for name, grading in one.grades.items()),
            *((grading, other.roots[side]) for side, grading in one.roots.items()),
        ]
        for grading, said in pairs:
            assert said.probabilities == pytest.approx(grading.probabilities, abs=1e-4)
        shown = places(other, after[other.key])
        for name, place in places(one, before[one.key]).items():
            assert shown[name] == pytest.approx(place, abs=1e-6)


@pytest.mark.parametrize(("mirrored", "upside_down"), WAYS)
def test_a_study_stored_another_way_round_has_the_same_grades_on_the_same_sides(
    grade: Grade, mirrored: bool, upside_down: bool
) -> None:
    stored = study()
    again = [turned(ds, mirrored=mirrored, upside_down=upside_down) for ds in stored]

    expected = grade(stored, SidesLocator())
    grades = grade(again, SidesLocator())

    assert expected.slices[0].roots
    assert any(level.level for level in expected.levels)
    assert_alike(expected, stored, grades, again)


def test_one_turned_image_among_others_is_found(grade: Grade) -> None:
    stored = study()
    again = [turned(stored[0], mirrored=True), *stored[1:]]

    expected = grade(stored, SidesLocator())
    grades = grade(again, SidesLocator())

    assert_alike(expected, stored, grades, again)


@pytest.mark.parametrize(("mirrored", "upside_down"), WAYS)
def test_discs_are_shown_where_they_lie_on_the_sagittal_image_as_it_is_stored(
    grade: Grade, mirrored: bool, upside_down: bool
) -> None:
    stored = study()
    again = [turned(ds, mirrored=mirrored, upside_down=upside_down) for ds in stored]

    expected = grade(stored, SidesLocator()).sagittal
    view = grade(again, SidesLocator()).sagittal

    assert expected
    assert expected.discs
    assert view
    for one, other in zip(expected.discs, view.discs, strict=True):
        shown = at(headers(again)[view.key], other.point)
        assert shown == pytest.approx(at(headers(stored)[expected.key], one.point))


def test_a_box_is_taken_as_drawn_on_the_image_as_it_is_stored(grade: Grade) -> None:
    stored = lopsided(mr_series(3))
    again = [turned(ds, mirrored=True, upside_down=True) for ds in stored]
    first = 63 - BOX.last_row, 63 - BOX.last_column
    opposite = Box(*first, 63 - BOX.first_row, 63 - BOX.first_column)

    expected = grade(stored, SidesLocator(), dict.fromkeys(keys(stored), BOX))
    grades = grade(again, SidesLocator(), dict.fromkeys(keys(again), opposite))

    assert_alike(expected, stored, grades, again)
    for one in grades.slices:
        assert one.region.origin is RegionOrigin.DRAWN
        assert (one.region.row, one.region.column) == opposite.centre


@pytest.mark.parametrize("turn_deg", [50.0, 90.0, 130.0, -90.0])
def test_an_image_that_lies_on_its_side_is_refused_with_a_reason(
    turn_deg: float,
) -> None:
    datasets = [within_plane(ds, turn_deg) for ds in mr_series(3)]

    (series,) = group_series(datasets)
    verdict = judge(series)

    assert not verdict.graded
    assert verdict.reason.startswith("turned by")
    assert "the patient's left is not at a side of the image" in verdict.reason


@pytest.mark.parametrize("turn_deg", [0.0, 40.0, -40.0, 140.0, 180.0])
def test_a_slanted_image_is_graded(turn_deg: float) -> None:
    datasets = [within_plane(ds, turn_deg) for ds in mr_series(3)]

    (series,) = group_series(datasets)

    assert judge(series).graded


def within_plane(ds: Dataset, turn_deg: float) -> Dataset:
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    ds.ImageOrientationPatient = [cos, sin, 0, -sin, cos, 0]
    return ds


def test_a_tilted_slab_is_not_turned_within_its_plane() -> None:
    assert turn_in_plane_deg(image(tilt_deg=40)) == pytest.approx(0)


@given(
    row=st.floats(0, 63),
    column=st.floats(0, 63),
    mirrored=st.booleans(),
    upside_down=st.booleans(),
)
def test_every_point_keeps_its_place_in_the_patient(
    row: float, column: float, mirrored: bool, upside_down: bool
) -> None:
    ds = turned(mr_image(), mirrored=mirrored, upside_down=upside_down)
    (stored,) = image_headers(ds)
    point = PixelPoint(row, column)

    turn = turn_of(stored, Plane.AXIAL)

    assert (turn.mirrored, turn.upside_down) == (mirrored, upside_down)
    upright = turn.header(stored)
    assert at(upright, turn.point(point)) == pytest.approx(at(stored, point))
    assert turn_of(upright, Plane.AXIAL).nothing
    back = turn.point(turn.point(point))
    assert (back.row, back.column) == pytest.approx((row, column))


def test_an_image_without_geometry_is_left_as_it_is() -> None:
    assert turn_of(replace(image(), row_direction=None), Plane.AXIAL).nothing
    assert turn_of(image(), Plane.CORONAL).nothing
