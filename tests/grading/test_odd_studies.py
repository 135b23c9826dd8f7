"""Studies that lack something, contradict themselves or lie elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from grading.boxes import Box
from grading.errors import NotGradable
from grading.grades import (
    Level,
    RegionOrigin,
    Side,
)
from grading.landmarks.found import (
    AxialFound,
)
from tests.dicom_factories import put_raw
from tests.grading.made_up_studies import (
    THROUGH_TWO_DISCS,
    Grade,
    axial,
    keys,
    sagittal,
    seen_on,
    verdict,
)
from tests.grading.spines import (
    GAP_MM,
    SAGITTAL,
    KnowingLocator,
    marks,
)


def test_the_reason_why_a_sagittal_series_told_nothing_is_said(grade: Grade) -> None:
    side = sagittal()
    locator = KnowingLocator({}, seen_on(side, sacrum=False))

    grades = grade([*axial(THROUGH_TWO_DISCS), *side], locator)

    reason = "the sacrum was not found on the sagittal images"
    assert verdict(grades).reason.endswith(f"; not used: {reason}")
    assert not verdict(grades).for_levels
    assert f"Sagittal series: {reason}." in grades.notes
    assert {one.level for one in grades.slices} == {None}


def test_two_sagittal_series_that_agree_tell_the_levels(grade: Grade) -> None:
    first, second = sagittal(), sagittal(series="2.25.9")
    locator = KnowingLocator({}, {**seen_on(first), **seen_on(second, range(4))})

    grades = grade([*axial(THROUGH_TWO_DISCS), *first, *second], locator)

    assert [level.level for level in grades.levels] == [Level.L4_L5, Level.L5_S1]


def test_two_sagittal_series_that_disagree_tell_no_level(grade: Grade) -> None:
    first, moved = sagittal(), sagittal(series="2.25.9")
    for ds in moved:
        ds.ImagePositionPatient[2] += 12
    # Both see the same pixels: the patient lies 12 mm higher in the second series.
    on_second = dict(zip(keys(moved), seen_on(first).values(), strict=True))
    locator = KnowingLocator({}, {**seen_on(first), **on_second})

    grades = grade([*axial(THROUGH_TWO_DISCS), *first, *moved], locator)

    for series in (SAGITTAL, "2.25.9"):
        assert "the sagittal series differ by 12 mm" in verdict(grades, series).reason
    assert {one.level for one in grades.slices} == {None}


def test_of_two_sagittal_series_one_may_tell_nothing(grade: Grade) -> None:
    first, dark = sagittal(), sagittal(series="2.25.9")
    locator = KnowingLocator({}, seen_on(first))

    grades = grade([*axial(THROUGH_TWO_DISCS), *first, *dark], locator)

    assert [level.level for level in grades.levels] == [Level.L4_L5, Level.L5_S1]
    assert "not used: the sacrum was not found" in verdict(grades, "2.25.9").reason


def test_a_sagittal_series_of_one_slice_is_refused(grade: Grade) -> None:
    grades = grade([*axial(THROUGH_TWO_DISCS), *sagittal(1)], KnowingLocator())

    assert verdict(grades).reason == "too few slices: 1, at least 3 are needed"


def test_an_axial_series_of_one_slice_is_refused(grade: Grade) -> None:
    with pytest.raises(NotGradable, match="too few slices: 1, at least 3 are needed"):
        grade([*axial([0]), *sagittal()], KnowingLocator())


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_geometry_that_is_no_number_is_refused(grade: Grade, keyword: str) -> None:
    side = sagittal()
    sound = [str(number) for number in side[0][keyword].value]
    put_raw(side[0], keyword, "\\".join(["nan", *sound[1:]]).encode())

    grades = grade([*axial(THROUGH_TWO_DISCS), *side], KnowingLocator())

    assert "no usable image position, orientation or pixel spacing in 1 of 5" in (
        verdict(grades).reason
    )


@pytest.mark.parametrize("spacing_mm", [1e-6, 0.04, 10.5, 1e9])
def test_a_pixel_spacing_that_no_image_has_is_refused(
    grade: Grade, spacing_mm: float
) -> None:
    slices = axial(THROUGH_TWO_DISCS)
    slices[0].PixelSpacing = [0.75, spacing_mm]

    with pytest.raises(NotGradable, match=r"pixel spacing of .* mm, not between 0\.05"):
        grade(slices, KnowingLocator())


def test_a_sagittal_series_that_cannot_be_read_is_said(grade: Grade) -> None:
    side = sagittal()
    for ds in side:
        ds.PixelData = b"\0\0"

    grades = grade([*axial(THROUGH_TWO_DISCS), *side], KnowingLocator())

    assert "not used: unreadable: only 0 of 5 images" in verdict(grades).reason


def test_no_canal_anywhere_is_said(grade: Grade) -> None:
    grades = grade(axial(THROUGH_TWO_DISCS), KnowingLocator())

    assert {one.region.origin for one in grades.slices} == {RegionOrigin.CENTRE}
    assert any(note.startswith("Region not located: each") for note in grades.notes)


def test_a_slab_below_the_lumbar_spine_counts_for_no_level(grade: Grade) -> None:
    side = sagittal()
    low = axial([-25, -29, -33], series="2.25.6")

    grades = grade(
        [*axial(THROUGH_TWO_DISCS), *low, *side],
        KnowingLocator({}, seen_on(side)),
    )

    assert [level.level for level in grades.levels] == [Level.L4_L5, Level.L5_S1]
    assert "Slab 2 lies below the lowest disc: its grades count for no level." in (
        grades.notes
    )


def test_a_slab_above_the_discs_found_keeps_its_number(grade: Grade) -> None:
    side = sagittal()
    high = axial([240, 236, 232], series="2.25.6")

    grades = grade(
        [*axial(THROUGH_TWO_DISCS), *high, *side],
        KnowingLocator({}, seen_on(side)),
    )

    assert [level.name for level in grades.levels] == ["slab 1 of 2", "L4/L5", "L5/S1"]
    assert any("Slab 1 lies above the highest disc" in note for note in grades.notes)


def test_discs_above_t12_l1_get_no_level(grade: Grade) -> None:
    side = sagittal()
    high = axial([6 * GAP_MM + mm for mm in (4, 0, -4)], series="2.25.6")
    locator = KnowingLocator({}, seen_on(side, range(8)))

    grades = grade([*axial(THROUGH_TWO_DISCS), *high, *side], locator)

    assert grades.levels[0].name == "slab 1 of 2"
    assert "Discs above T12/L1 are given no level." in grades.notes


def test_a_stack_far_from_every_disc_is_not_determined(grade: Grade) -> None:
    side = sagittal()

    grades = grade([*axial([604, 600, 596]), *side], KnowingLocator({}, seen_on(side)))

    assert "no axial slice comes near a disc" in verdict(grades).reason
    assert grades.levels[0].name == "slab 1 of 1"


def test_coordinates_that_do_not_agree_tell_no_level(grade: Grade) -> None:
    side, slices = sagittal(), axial(THROUGH_TWO_DISCS)
    for ds in slices:
        ds.ImagePositionPatient[1] += 300

    grades = grade([*slices, *side], KnowingLocator({}, seen_on(side)))

    assert "its coordinates do not agree" in verdict(grades).reason


def test_pixels_that_are_not_square_are_measured_in_mm(grade: Grade) -> None:
    slices = axial([4, 0, -4])
    for ds in slices:
        ds.PixelSpacing = [3, 1]
    first, middle, last = keys(slices)
    looks = {key: AxialFound(marks(30, 24), 1.0, 1.0) for key in (first, last)}

    grades = grade(slices, KnowingLocator(looks))

    carried = grades.slice_grade(middle).region
    assert carried.origin is RegionOrigin.NEIGHBOURS
    assert (carried.row, carried.column) == pytest.approx((26, 24))


def test_signed_pixels_of_16_bits_give_the_grades_of_unsigned_ones(
    grade: Grade,
) -> None:
    unsigned, signed = axial([4, 0, -4]), axial([4, 0, -4])
    for ds in signed:
        stored = np.frombuffer(ds.PixelData, np.uint16).astype(np.int32) - 2000
        ds.PixelData = stored.astype(np.int16).tobytes()
        ds.PixelRepresentation = 1

    grades = [grade(slices, KnowingLocator()).slices for slices in (unsigned, signed)]

    for one, other in zip(*grades, strict=True):
        for finding, grading in one.grades.items():
            assert other.grades[finding].probabilities == pytest.approx(
                grading.probabilities, abs=1e-4
            )


def test_a_box_that_a_person_drew_wins_and_leads_its_neighbours(grade: Grade) -> None:
    slices = axial([4, 0, -4])
    first, *_ = keys(slices)

    grades = grade(slices, KnowingLocator(), {first: Box(10, 20, 20, 30)})

    assert [one.region.origin for one in grades.slices] == [
        RegionOrigin.DRAWN,
        RegionOrigin.NEIGHBOURS,
        RegionOrigin.NEIGHBOURS,
    ]
    assert {(one.region.row, one.region.column) for one in grades.slices} == {(15, 25)}


def test_a_box_on_an_image_that_is_not_graded_is_said(grade: Grade) -> None:
    slices, side = axial([4, 0, -4]), sagittal()
    boxes = {key: Box(10, 20, 20, 30) for key in (keys(slices)[0], *keys(side)[:2])}

    grades = grade([*slices, *side], KnowingLocator(), boxes)

    (note,) = (one for one in grades.notes if "box(es)" in one)
    assert note.startswith("2 box(es) lie on images that are not graded")


@pytest.mark.parametrize(
    ("looks", "told"), [((0.4, 0.4, 0.4), True), ((0.4, 0.4, 0.6), False)]
)
def test_without_levels_a_slab_that_looks_like_no_disc_is_said(
    grade: Grade, looks: Sequence[float], told: bool
) -> None:
    upper, lower = axial([70, 66, 62]), axial([4, 0, -4], series="2.25.6")
    on_upper = {key: AxialFound(marks(32, 32), 1.0, 0.9) for key in keys(upper)}
    on_lower = {
        key: AxialFound(marks(32, 32), 1.0, look)
        for key, look in zip(keys(lower), looks, strict=True)
    }

    grades = grade([*upper, *lower], KnowingLocator({**on_upper, **on_lower}))

    said = [note for note in grades.notes if note.startswith("Slab 2: none of")]
    assert bool(said) is told
    assert [level.slab for level in grades.levels] == ([1] if told else [1, 2])


def test_each_sides_root_is_graded_where_the_bundle_tells_sides(grade: Grade) -> None:
    grades = grade(axial([4, 0, -4]), KnowingLocator())

    assert all(set(one.roots) == set(Side) for one in grades.slices)
    assert set(grades.levels[0].roots) == set(Side)
    assert all(not one.further for one in grades.slices)


def test_series_need_not_share_a_frame_of_reference_uid(grade: Grade) -> None:
    # Archives rewrite Frame of Reference UIDs; only the coordinates have to agree.
    side, slices = sagittal(), axial(THROUGH_TWO_DISCS)
    for ds in slices:
        ds.FrameOfReferenceUID = "2.25.77"

    grades = grade([*slices, *side], KnowingLocator({}, seen_on(side)))

    assert [level.level for level in grades.levels] == [Level.L4_L5, Level.L5_S1]
