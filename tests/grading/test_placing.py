"""Whole studies whose slices are placed among the discs of their sagittal series."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import pydicom
import pytest
from pydicom import Dataset

from grading.grades import (
    AxialMarks,
    Level,
    PixelPoint,
    RegionOrigin,
)
from grading.landmarks.found import (
    AxialFound,
    FoundDisc,
    FoundPoint,
    SagittalFound,
)
from grading.levels.geometry import at
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.files import write_study
from grading.series import Slice
from tests.grading.builders import hitachi
from tests.grading.made_up_studies import (
    THROUGH_TWO_DISCS,
    Grade,
    axial,
    keys,
    sagittal,
    seen_on,
)
from tests.grading.phantom.drawn import noise_study
from tests.grading.phantom_truth import PhantomStudy, TruthLocator
from tests.grading.spines import (
    KnowingLocator,
)
from tests.shared_data import shared_data

SLABS = StudyKey(7, 4)
BLOCK = StudyKey(7, 15)
RSNA = "lumbar-rsna2024-study-1002894806"
FOUND = AxialMarks(
    PixelPoint(24, 32), PixelPoint(32, 32), PixelPoint(30, 22), PixelPoint(30, 42)
)
Written = Callable[[StudyKey], PhantomStudy]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    @cache
    def write(key: StudyKey) -> PhantomStudy:
        folder = tmp_path_factory.mktemp("phantom") / "study"
        write_study(folder, noise_study(key=key))
        return PhantomStudy(folder)

    return write


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


def test_what_is_not_believed_on_a_slice_is_nowhere_shown(grade: Grade) -> None:
    datasets = axial(THROUGH_TWO_DISCS[:3])
    sure, unsure, beside = keys(datasets)
    look = AxialFound(FOUND, 1.0, 0.9)
    looks = {
        sure: look,
        unsure: replace(look, spread_mm=30.0),
        beside: replace(look, through_disc=0.1),
    }

    grades = grade(datasets, KnowingLocator(looks))

    assert grades.slice_grade(sure).marks == FOUND
    assert grades.slice_grade(unsure).marks == AxialMarks()
    assert grades.slice_grade(unsure).through_disc is None
    assert grades.slice_grade(beside).marks == AxialMarks(sac_centre=FOUND.sac_centre)


def test_an_image_centre_is_no_place_in_the_canal(grade: Grade) -> None:
    datasets = axial(THROUGH_TWO_DISCS)
    for ds in datasets:
        # The canal lies at the edge of these images, their centre 40 mm beside it.
        ds.ImagePositionPatient = [-8, -48, ds.ImagePositionPatient[2]]
    flank = sagittal(21)
    looked_at: list[float] = []

    class Watching(KnowingLocator):
        def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
            looked_at.extend(at(one.header, PixelPoint(0, 0))[0] for one in slices)
            return super().sagittal(slices)

    grade([*datasets, *flank], Watching({}, seen_on(flank)))

    assert sorted(looked_at) == [-8, -4, 0, 4, 8]


def test_a_study_beside_every_disc_has_no_level_and_one_reason(grade: Grade) -> None:
    datasets, images = axial([18.0, 14.0, 10.0]), sagittal()
    locator = KnowingLocator({}, seen_on(images))

    grades = grade([*datasets, *images], locator)

    assert grades.levels == ()
    assert "Slab 1 passes through no disc: its grades count for no level." in (
        grades.notes
    )
    assert not any("Disc level not determined" in note for note in grades.notes)


def test_slices_of_a_block_above_the_discs_found_are_counted(grade: Grade) -> None:
    datasets, images = axial(THROUGH_TWO_DISCS), sagittal()

    grades = grade([*datasets, *images], KnowingLocator({}, seen_on(images, [0])))

    (level,) = grades.levels
    assert level.level is Level.L5_S1
    lost = sum(one.level is None for one in grades.slices)
    assert lost
    assert (
        f"Slab 1 has {lost} slice(s) above the highest disc that was found: "
        "they count for no level."
    ) in grades.notes
