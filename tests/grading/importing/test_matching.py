"""Labels meet images, and everything that does not fit has its reason."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pydicom
import pytest

from grading.boxes import Box, DrawnBox
from grading.grades import Finding, Grade, Level
from grading.training.importing.archive import Archive
from grading.training.importing.labels import Label
from grading.training.importing.matching import Matched, match
from tests.grading.importing.archives import Study, write_archive

STUDY = Study(1, slabs=2)
GRADES = {Finding.LDH: Grade.GRADE_1}
WORSE = {Finding.LDH: Grade.GRADE_3}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return write_archive(tmp_path / "archive", STUDY)


def label(place: int = 1, **fields: object) -> Label:
    named = {"sop_instance": STUDY.instance(place), "grades": GRADES, **fields}
    return Label(source=f"line {place}", **named)  # type: ignore[arg-type]


def level(name: Level, slab: int | None = None) -> Label:
    return Label(
        source=name.value, study=STUDY.uid, level=name, slab=slab, grades=GRADES
    )


def reasons(matched: Matched) -> Mapping[str, int]:
    found = [one.reason for one in matched.left_out]
    return {reason: found.count(reason) for reason in found}


def places(matched: Matched) -> list[str]:
    return [one.image.file for one in matched.candidates]


def test_an_image_without_a_label_and_a_label_without_an_image_are_both_told(
    archive: Archive,
) -> None:
    matched = match(archive, [label(2), label(3, sop_instance="2.25.404")])

    assert places(matched) == [STUDY.file(2)]
    assert reasons(matched) == {
        "no such image in the archive": 1,
        "no label for this image": 5,
    }
    (lost,) = [one for one in matched.left_out if "no such image" in one.reason]
    assert (lost.source, lost.sop_instance) == ("line 3", "2.25.404")


def test_an_image_may_be_named_by_its_file(archive: Archive) -> None:
    by_file = Label("line 1", file=STUDY.file(4), grades=GRADES)

    assert places(match(archive, [by_file])) == [STUDY.file(4)]


def test_a_uid_that_two_series_share_needs_its_series(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, STUDY)
    for path in sorted(tmp_path.glob("1/*.dcm")):
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID = "2.25.9"
        ds.save_as(tmp_path / f"again-{path.name}")
    archive = write_archive(tmp_path, STUDY)

    matched = match(archive, [label(1), label(2, series="2.25.9")])

    assert places(matched) == ["again-02.dcm"]
    assert any("2 series have this SOP" in reason for reason in reasons(matched))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"excluded": "vertebral fracture"}, "excluded: vertebral fracture"),
        ({"grades": {}}, "its label has no grade"),
        ({"study": "2.25.8"}, f"the image is of study {STUDY.uid}"),
    ],
)
def test_a_label_that_cannot_be_used_has_its_reason(
    archive: Archive, fields: dict[str, object], reason: str
) -> None:
    matched = match(archive, [label(1, **fields)])

    assert places(matched) == []
    assert reasons(matched)[reason] == 1
    assert reasons(matched)["no label for this image"] == 5


def test_an_image_of_a_series_that_the_node_would_not_grade_is_left_out(
    tmp_path: Path,
) -> None:
    archive = write_archive(tmp_path, Study(1, echo_time_ms=12.0))

    matched = match(archive, [label(1)])

    (reason,) = reasons(matched)
    assert reason.startswith("series not used: not T2-weighted")


def test_an_image_of_nobody_is_left_out_unless_the_table_names_the_patient(
    tmp_path: Path,
) -> None:
    archive = write_archive(tmp_path, Study(1, patient_id="", slabs=2))

    matched = match(archive, [label(1), label(2, patient="case 7")])

    assert places(matched) == [STUDY.file(2)]
    assert "no Patient ID, and the table names no patient" in reasons(matched)


def test_levels_go_to_slabs_from_the_head_downwards(archive: Archive) -> None:
    matched = match(archive, [level(Level.L5_S1), level(Level.L4_L5)])

    found = {one.image.file: one.label.level for one in matched.candidates}
    assert found == {
        STUDY.file(place): Level.L4_L5 if place <= 3 else Level.L5_S1
        for place in range(1, 7)
    }


def test_a_level_may_name_its_slab(archive: Archive) -> None:
    matched = match(archive, [level(Level.L5_S1, slab=2)])

    assert places(matched) == [STUDY.file(place) for place in (4, 5, 6)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([level(Level.L5_S1)], "the study has 2 slabs and 1 graded levels"),
        ([level(Level.L5_S1, slab=3)], "slab 3: the study has 2"),
        (
            [Label("x", study="2.25.8", level=Level.L4_L5, grades=GRADES)],
            "the archive has no axial T2-weighted series of this study",
        ),
    ],
)
def test_a_level_whose_slab_is_not_known_is_not_guessed(
    archive: Archive, labels: list[Label], reason: str
) -> None:
    matched = match(archive, labels)

    assert places(matched) == []
    assert any(found.startswith(reason) for found in reasons(matched))


def test_an_images_own_label_stands_against_that_of_its_level(
    archive: Archive,
) -> None:
    own = [label(1, grades=WORSE), label(2, excluded="motion")]

    matched = match(archive, [level(Level.L5_S1, slab=1), *own])

    grades = {one.image.file: one.label.grades for one in matched.candidates}
    assert grades == {STUDY.file(1): WORSE, STUDY.file(3): GRADES}


def test_a_box_goes_to_its_labelled_image_and_others_are_told(archive: Archive) -> None:
    box = Box(10, 10, 30, 30)
    boxes = [
        DrawnBox("boxes 1", "", STUDY.instance(1), 1, "", box),
        DrawnBox("boxes 2", "", STUDY.instance(2), 1, "", box),
        DrawnBox("boxes 3", "", STUDY.instance(3), 1, "", Box(40, 40, 70, 70)),
        DrawnBox("boxes 4", "", "2.25.404", 1, "", box),
    ]

    matched = match(archive, [label(1), label(3)], boxes)

    assert [one.label.box for one in matched.candidates] == [box, None]
    assert {reason for reason in reasons(matched) if reason.startswith("box")} == {
        "box: its image has no label that is used",
        "box: it reaches outside the 64 x 64 image",
        "box: no such image in the archive",
    }


def test_a_second_box_on_an_image_is_told_and_does_not_replace_the_first(
    archive: Archive,
) -> None:
    box = Box(10, 10, 30, 30)
    boxes = [
        DrawnBox(f"boxes {row}", "", STUDY.instance(1), 1, "", one)
        for row, one in enumerate((box, Box(20, 20, 40, 40)), start=1)
    ]

    matched = match(archive, [label(1)], boxes)

    assert [one.label.box for one in matched.candidates] == [box]
    assert "box: its image has a box already; remove one" in reasons(matched)


def test_files_that_are_no_images_are_listed(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, STUDY)
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "cut.dcm").write_bytes((tmp_path / STUDY.file(1)).read_bytes()[:200])
    shutil.copy(tmp_path / STUDY.file(1), tmp_path / "copy.dcm")

    archive = write_archive(tmp_path, STUDY)

    found = {one.file: one.reason for one in archive.left_out}
    assert found["notes.txt"] == "not a DICOM file"
    assert found["copy.dcm"] == f"a second copy of {STUDY.file(1)}"
    assert "cut.dcm" in found
