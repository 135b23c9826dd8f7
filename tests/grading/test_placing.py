"""Whole studies whose slices are placed among the discs of their sagittal series."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from grading.boxes import Box
from grading.errors import NotGradable
from grading.grader import Grader
from grading.grades import (
    Level,
    PixelPoint,
    RegionOrigin,
    SeriesVerdict,
    Side,
    SliceKey,
    StudyGrades,
)
from grading.headers import image_headers
from grading.landmarks import (
    AxialFound,
    FoundDisc,
    FoundPoint,
    Locator,
    SagittalFound,
)
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.files import write_study
from grading.series import Slice
from tests.dicom_factories import mr_image, put_raw
from tests.grading.builders import hitachi
from tests.grading.phantom.drawn import noise_study
from tests.grading.phantom_truth import PhantomStudy, TruthLocator
from tests.grading.spines import (
    GAP_MM,
    SAGITTAL,
    KnowingLocator,
    found,
    marks,
)
from tests.grading.tiny_bundle import tiny_bundle
from tests.shared_data import shared_data

SLABS = StudyKey(7, 4)
BLOCK = StudyKey(7, 15)
RSNA = "lumbar-rsna2024-study-1002894806"
Written = Callable[[StudyKey], PhantomStudy]
Grade = Callable[..., StudyGrades]


class Relay:
    """Asks another locator in every test: to build a network takes long."""

    locator: Locator

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        return self.locator.axial(slices)

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        return self.locator.sagittal(slices)


@pytest.fixture(scope="module")
def grade(tmp_path_factory: pytest.TempPathFactory) -> Grade:
    """Grade with whatever locator, by a small bundle that tells the sides apart."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    relay = Relay()
    bundle = tiny_bundle(folder, "LNRC_RIGHT", "LNRC_LEFT")
    grader = Grader(bundle, "cpu", relay)

    def grade_with(
        datasets: Sequence[Dataset],
        locator: Locator,
        drawn: Mapping[SliceKey, Box] | None = None,
    ) -> StudyGrades:
        relay.locator = locator
        return grader.grade(datasets, drawn)

    return grade_with


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    @cache
    def write(key: StudyKey) -> PhantomStudy:
        folder = tmp_path_factory.mktemp("phantom") / "study"
        write_study(folder, noise_study(key=key))
        return PhantomStudy(folder)

    return write


def axial(heights_mm: Sequence[float], series: str = "2.25.5") -> list[Dataset]:
    """Return slices so high above L5/S1, 96 mm wide around the margins of the discs."""
    images = [mr_image(number, series) for number in range(1, len(heights_mm) + 1)]
    for ds, height_mm in zip(images, heights_mm, strict=True):
        ds.ImagePositionPatient = [-48, -48, height_mm]
    return images


def sagittal(count: int = 5, series: str = SAGITTAL) -> list[Dataset]:
    """Return images 4 mm apart around the midline, seen from the left."""
    images = [mr_image(number, series) for number in range(1, count + 1)]
    for number, ds in enumerate(images):
        ds.SeriesDescription = "T2 SAG"
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        ds.ImagePositionPatient = [4 * (number - (count - 1) / 2), -48, 60]
    return images


def keys(datasets: Sequence[Dataset]) -> list[SliceKey]:
    return [SliceKey(ds.SeriesInstanceUID, ds.SOPInstanceUID) for ds in datasets]


def seen_on(
    datasets: Sequence[Dataset],
    numbers: Sequence[int] = range(6),
    *,
    sacrum: bool = True,
) -> Mapping[SliceKey, SagittalFound]:
    """Return what a perfect look at sagittal images finds."""
    headers = (image_headers(ds)[0] for ds in datasets)
    return {one.key: found(one, numbers, sacrum=sacrum) for one in headers}


def verdict(grades: StudyGrades, series: str = SAGITTAL) -> SeriesVerdict:
    (one,) = (it for it in grades.series if it.series_instance_uid == series)
    return one


THROUGH_TWO_DISCS = [GAP_MM + 2 - 4 * number for number in range(11)]


@pytest.mark.parametrize("key", [SLABS, BLOCK])
def test_every_slice_through_a_disc_of_a_phantom_has_the_right_level(
    grade: Grade, written: Written, key: StudyKey
) -> None:
    study = written(key)

    grades = grade(study.datasets, TruthLocator(study))

    through = [one for one in grades.slices if study.images[one.key]["through_disc"]]
    assert through
    for one in through:
        assert one.level == study.images[one.key]["level"]
    named = [level.level for level in grades.levels]
    assert named == [level for level in Level if level in named]
    assert {study.images[one.key]["level"] for one in through} <= set(named)


def test_regions_lie_where_the_phantom_says(grade: Grade, written: Written) -> None:
    study = written(SLABS)

    grades = grade(study.datasets, TruthLocator(study))

    origins = set()
    for one in grades.slices:
        origins.add(one.region.origin)
        if box := study.images[one.key]["box"]:
            assert one.region.row == pytest.approx(
                (box["first_row"] + box["last_row"]) / 2, abs=1e-3
            )
            assert one.region.column == pytest.approx(
                (box["first_column"] + box["last_column"]) / 2, abs=1e-3
            )
            assert one.marks.sac_centre is not None
    assert origins == {RegionOrigin.LANDMARKS, RegionOrigin.NEIGHBOURS}


def test_a_block_gives_one_grade_per_disc_and_leaves_out_what_lies_between(
    grade: Grade, written: Written
) -> None:
    study = written(BLOCK)

    grades = grade(study.datasets, TruthLocator(study))

    assert {one.slab for one in grades.slices} == {1}
    assert len(grades.levels) >= 4
    counted = {key for level in grades.levels for key in level.slices}
    between = [one for one in grades.slices if one.through_disc is False]
    assert between
    assert counted.isdisjoint({one.key for one in between})
    assert not any("longer than one disc level" in note for note in grades.notes)


def test_the_sagittal_image_shows_every_named_disc(
    grade: Grade, written: Written
) -> None:
    study = written(SLABS)

    view = grade(study.datasets, TruthLocator(study)).sagittal

    assert view is not None
    assert [mark.level for mark in view.discs] == list(Level)
    true = {
        mark["level"]: (mark["row"], mark["column"])
        for mark in study.images[view.key]["landmarks"]
        if mark["name"] == "disc_centre"
    }
    for mark in view.discs:
        point = (mark.point.row, mark.point.column)
        assert point == pytest.approx(true[mark.level], abs=0.5)


def test_how_levels_were_counted_is_said(grade: Grade, written: Written) -> None:
    study = written(SLABS)

    grades = grade(study.datasets, TruthLocator(study))

    (note,) = (it for it in grades.notes if it.startswith("Levels were counted up"))
    assert "the lowest disc is called L5/S1" in note
    assert "6 discs have a name" in note


# Marked by hand on the middle image, which is nobody's diagnosis: centre and margin.
HITACHI_DISCS = [
    ((84, 227), (84, 249)),
    ((132, 227), (132, 250)),
    ((181, 227), (181, 250)),
    ((234, 227), (233, 251)),
    ((286, 229), (285, 257)),
    ((334, 237), (330, 266)),
    ((383, 245), (373, 270)),
]
HITACHI_SACRUM = (401, 264)


def test_the_five_slabs_of_a_real_study_are_its_five_levels(grade: Grade) -> None:
    datasets = hitachi("t2_ax", "t2_sag", "t1_sag")
    discs = tuple(
        FoundDisc(FoundPoint(PixelPoint(*middle), 0.9), PixelPoint(*behind))
        for middle, behind in HITACHI_DISCS
    )
    sacrum = FoundPoint(PixelPoint(*HITACHI_SACRUM), 0.9)
    by_hand = SagittalFound(discs, sacrum)
    middle = [ds for ds in datasets if abs(ds.ImagePositionPatient[0] + 16.1) < 0.1]
    locator = KnowingLocator({}, dict.fromkeys(keys(middle), by_hand))

    grades = grade(datasets, locator)

    lumbar = [level for level in Level if level is not Level.T12_L1]
    assert [level.level for level in grades.levels] == lumbar
    assert [level.slab for level in grades.levels] == [1, 2, 3, 4, 5]
    for one in grades.slices:
        assert one.level is lumbar[one.slab - 1]


def test_the_slices_that_rsna_names_have_the_level_that_it_gives_them(
    grade: Grade,
) -> None:
    folder = shared_data(RSNA)
    by_name = {
        (path.parent.name, path.stem): pydicom.dcmread(path)
        for path in folder.glob("*/*.dcm")
    }
    with (folder / "label_coordinates.csv").open() as file:
        points = list(csv.DictReader(file))

    grades = grade(list(by_name.values()), rsna_locator(points, by_name))

    named = [it for it in points if it["condition"].endswith("subarticular_stenosis")]
    assert len(named) == 10
    for point in named:
        (key,) = keys([by_name[point["series_id"], point["instance_number"]]])
        level = grades.slice_grade(key).level
        assert level == point["level"].upper().replace("_", "/")
    assert [level.level for level in grades.levels] == list(Level)[1:]


def rsna_locator(
    points: Sequence[Mapping[str, str]], by_name: Mapping[tuple[str, str], Dataset]
) -> KnowingLocator:
    """Know the points of the canal that the table names, and where they lead to."""
    canal = [it for it in points if it["condition"] == "spinal_canal_stenosis"]
    (image,) = {(it["series_id"], it["instance_number"]) for it in canal}
    places = [PixelPoint(float(it["y"]), float(it["x"])) for it in canal]
    discs = tuple(FoundDisc(FoundPoint(place, 0.9), place) for place in places)
    above, lowest = places[-2:]
    sacrum = PixelPoint(
        lowest.row + (lowest.row - above.row) / 2,
        lowest.column + (lowest.column - above.column) / 2,
    )
    (key,) = keys([by_name[image]])
    return KnowingLocator({}, {key: SagittalFound(discs, FoundPoint(sacrum, 0.9))})


def test_without_a_sagittal_series_nothing_is_determined(
    grade: Grade, written: Written
) -> None:
    study = written(SLABS)

    grades = grade(study.of("axial_t2"), TruthLocator(study))

    assert {one.level for one in grades.slices} == {None}
    assert grades.levels[0].name == "slab 1 of 5"
    assert "There is no sagittal T2-weighted series that can be read." in grades.notes
    assert any(note.startswith("Disc level not determined") for note in grades.notes)
    assert grades.sagittal is None


def test_without_levels_slices_that_look_like_no_disc_do_not_count(
    grade: Grade, written: Written
) -> None:
    study = written(SLABS)

    grades = grade(study.of("axial_t2"), TruthLocator(study))

    counted = {key for level in grades.levels for key in level.slices}
    assert counted == {
        one.key for one in grades.slices if study.images[one.key]["through_disc"]
    }
    assert len(counted) < len(grades.slices)


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


def test_a_sagittal_series_that_cannot_be_read_is_said(grade: Grade) -> None:
    side = sagittal()
    for ds in side:
        ds.PixelData = b"\0\0"

    grades = grade([*axial(THROUGH_TWO_DISCS), *side], KnowingLocator())

    assert "not used: unreadable: only 0 of 3 images" in verdict(grades).reason


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
