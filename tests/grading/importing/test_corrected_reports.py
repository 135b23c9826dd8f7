"""Reports of this node come back corrected: only what was verified is a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicom_node.report import codes
from dicom_node.report.objects import build_objects, part10
from grading.__main__ import main
from grading.grades import Finding, Grade, Level, Side, StudyGrades
from grading.training.importing import corrected_reports
from grading.training.importing.archive import read_archive
from grading.training.importing.corrected_reports import report_labels
from grading.training.manifest import read_manifest
from tests.dicom_factories import (
    STUDY_UID,
    enhanced_mr,
    gradings,
    mr_series,
    report_context,
    study_grades,
)

LEVELS = (Level.L4_L5, Level.L5_S1)
IMAGES = 6


def graded() -> StudyGrades:
    return study_grades(mr_series(IMAGES), [3, 3], levels=LEVELS)


def written(folder: Path, name: str = "report.dcm", revision: int = 1) -> Dataset:
    """Return a report as the node sends it, as it was written to disk."""
    context = report_context(revision)
    content = part10(build_objects(mr_series(IMAGES), graded(), context)[0].dataset)
    (folder / name).write_bytes(content)
    return dcmread(folder / name)


def correct(ds: Dataset, path: Path, **grades: str) -> None:
    """Verify a report as a reader does, with other grades at its first level."""
    for finding, code in grades.items():
        item = next(one for one in items(ds) if named(one, f"{finding}-GRADE"))
        item.ConceptCodeSequence[0].CodeValue = code
    ds.VerificationFlag = "VERIFIED"
    ds.save_as(path)


def items(node: Dataset) -> Iterator[Dataset]:
    for item in node.get("ContentSequence", []):
        yield item
        yield from items(item)


def named(item: Dataset, value: str) -> bool:
    return bool(item.ConceptNameCodeSequence[0].CodeValue == value)


def test_the_corrected_grades_are_the_labels_of_the_images_they_were_made_on(
    tmp_path: Path,
) -> None:
    correct(written(tmp_path), tmp_path / "report.dcm", LDH="LDH-G0", LNRC="LNRC-G3")

    labels, left_out = report_labels(read_archive(tmp_path))

    first, second = labels[0], labels[3]
    own = graded().levels
    assert not left_out
    assert len(labels) == IMAGES
    assert (first.level, second.level) == LEVELS
    assert first.grades == {
        Finding.LDH: Grade.GRADE_0,
        Finding.LCCS: own[0].grades[Finding.LCCS].grade,
        Finding.LNRC: Grade.GRADE_3,
    }
    assert second.grades == {f: one.grade for f, one in own[1].grades.items()}
    assert first.study == STUDY_UID
    assert (first.series, first.sop_instance) == (
        own[0].slices[0].series_instance_uid,
        own[0].slices[0].sop_instance_uid,
    )


def with_roots_and_worst_slices(grades: StudyGrades) -> StudyGrades:
    """Return grades of a bundle that tells sides apart, one slice worse than all."""
    levels = tuple(
        replace(level, roots=dict(zip(Side, gradings(2).values(), strict=False)))
        for level in grades.levels
    )
    worst = levels[0].slices[-1]
    slices = tuple(
        replace(one, grades=gradings(2)) if one.key == worst else one
        for one in grades.slices
    )
    shown = replace(levels[0], worst=dict.fromkeys(Finding, worst))
    return replace(grades, levels=(shown, *levels[1:]), slices=slices)


def test_roots_and_worst_slices_take_neither_level_nor_images_away(
    tmp_path: Path,
) -> None:
    grades = with_roots_and_worst_slices(graded())
    document, *_ = build_objects(mr_series(IMAGES), grades, report_context())
    path = tmp_path / "report.dcm"
    path.write_bytes(part10(document.dataset))
    ds = dcmread(path)
    assert {"LNRC-R-GRADE", "LDH-WORST"} <= {
        one.ConceptNameCodeSequence[0].CodeValue for one in items(ds)
    }
    correct(ds, path)

    labels, left_out = report_labels(read_archive(tmp_path))

    assert not left_out
    assert [label.level for label in labels] == [LEVELS[0]] * 3 + [LEVELS[1]] * 3
    assert len({label.sop_instance for label in labels}) == len(labels) == IMAGES


def test_what_nobody_has_verified_is_the_models_own_word(tmp_path: Path) -> None:
    written(tmp_path)

    labels, left_out = report_labels(read_archive(tmp_path))

    assert not labels
    assert "nobody has verified it" in left_out[0].reason


def test_a_report_that_another_replaces_does_not_count(tmp_path: Path) -> None:
    first = written(tmp_path, "first.dcm")
    correct(first, tmp_path / "first.dcm", LDH="LDH-G0")
    second = written(tmp_path, "second.dcm", revision=2)
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = first.SOPInstanceUID
    series, study = Dataset(), Dataset()
    series.ReferencedSOPSequence = [reference]
    study.ReferencedSeriesSequence = [series]
    second.PredecessorDocumentsSequence = [study]
    correct(second, tmp_path / "second.dcm", LDH="LDH-G2")

    labels, left_out = report_labels(read_archive(tmp_path))

    assert {label.source for label in labels} == {"second.dcm"}
    assert labels[0].grades[Finding.LDH] is Grade.GRADE_2
    assert [one.reason for one in left_out] == ["report: a later report replaces it"]


def test_a_grade_that_the_reader_took_away_is_missing(tmp_path: Path) -> None:
    ds = written(tmp_path)
    group = next(one for one in items(ds) if named(one, "125007"))
    group.ContentSequence = [
        one for one in group.ContentSequence if not named(one, "LCCS-GRADE")
    ]
    correct(ds, tmp_path / "report.dcm")

    labels, _ = report_labels(read_archive(tmp_path))

    assert set(labels[0].grades) == {Finding.LDH, Finding.LNRC}


def test_frames_of_an_enhanced_image_are_told_apart(tmp_path: Path) -> None:
    image = enhanced_mr(frames=4)
    grades = study_grades([image], [1, 3])
    content = part10(build_objects([image], grades, report_context())[0].dataset)
    (tmp_path / "report.dcm").write_bytes(content)
    correct(dcmread(tmp_path / "report.dcm"), tmp_path / "report.dcm")

    labels, _ = report_labels(read_archive(tmp_path))

    assert [label.frame for label in labels] == [1, 2, 3, 4]
    assert labels[0].grades != labels[1].grades


def test_a_damaged_report_does_not_stop_the_others(tmp_path: Path) -> None:
    image = enhanced_mr(frames=4)
    grades = study_grades([image], [1, 3])
    content = part10(build_objects([image], grades, report_context())[0].dataset)
    (tmp_path / "damaged.dcm").write_bytes(content)
    correct(dcmread(tmp_path / "damaged.dcm"), tmp_path / "damaged.dcm")
    content = (tmp_path / "damaged.dcm").read_bytes()
    frame_number = b"\x08\x00\x60\x11IS"
    assert frame_number in content
    _, _, after = content.partition(frame_number)
    value = after[2 : 2 + int.from_bytes(after[:2], "little")]
    damaged = content.replace(after[:2] + value, after[:2] + b"x" * len(value))
    (tmp_path / "damaged.dcm").write_bytes(damaged)
    correct(written(tmp_path), tmp_path / "report.dcm", LDH="LDH-G0")

    labels, left_out = report_labels(read_archive(tmp_path))

    assert {label.source for label in labels} == {"report.dcm"}
    [report] = left_out
    assert report.file == "damaged.dcm"
    assert report.reason.startswith("report: its content is damaged (")


def test_a_report_of_another_kind_is_told(tmp_path: Path) -> None:
    ds = written(tmp_path)
    ds.ContentSequence = ds.ContentSequence[:2]
    correct(ds, tmp_path / "report.dcm")

    labels, left_out = report_labels(read_archive(tmp_path))

    assert not labels
    assert left_out[0].reason == "report: no grade of this node"


def test_images_and_their_corrected_report_become_a_manifest(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for number, image in enumerate(mr_series(IMAGES)):
        image.PixelData = bytes([number]) + image.PixelData[1:]
        image.save_as(archive / f"{number}.dcm", enforce_file_format=True)
    correct(written(archive), archive / "report.dcm", LDH="LDH-G3")

    status = main(["import", str(archive), "--reports", "--out", str(tmp_path / "out")])

    images = read_manifest(tmp_path / "out" / "manifest.jsonl").images
    assert status == 0
    assert len(images) == IMAGES
    assert sum(image.grades[Finding.LDH] == 3 for image in images) == IMAGES // 2


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (corrected_reports.MEASUREMENT_GROUP, codes.MEASUREMENT_GROUP),
        (corrected_reports.FINDING_SITE, codes.FINDING_SITE),
        (corrected_reports.SOURCE_OF_MEASUREMENT, codes.SOURCE_OF_MEASUREMENT),
    ],
)
def test_the_codes_are_those_that_the_node_writes(
    here: tuple[str, str], there: codes.Concept
) -> None:
    assert here == (there.value, there.scheme)


def test_every_level_and_grade_has_the_code_that_the_node_writes() -> None:
    discs = {(one.value, one.scheme): level for level, one in codes.DISCS.items()}
    scales = {
        (scale.name.value, scale.name.scheme): finding
        for finding, scale in codes.SCALES.items()
    }
    grades = {
        (one.value, one.scheme): (finding, Grade(grade))
        for finding, scale in codes.SCALES.items()
        for grade, one in enumerate(scale.grades)
    }

    assert discs == corrected_reports.DISCS
    assert scales == corrected_reports.SCALES
    assert grades == corrected_reports.GRADES
