"""`grade FOLDER`: whatever lies in it, what can be graded is, the rest is named."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import jsonschema
import pydicom
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from dicom_node.errors import InputError
from dicom_node.folder import (
    Folder,
    as_json_text,
    as_text,
    complaints,
    grade_folder,
    write_all,
)
from grading.boxes import Box
from grading.grades import FIRST_LINES, Basis, RegionOrigin, SliceKey, StudyGrades
from tests.dicom_factories import CREATED_AT, mr_series, report_context
from tests.fakes import SameEverywhere

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "grade.schema.json").read_text()
)
INSTALLATION = report_context().installation


def encoded(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def write(folder: Path, datasets: Sequence[Dataset]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, ds in enumerate(datasets):
        (folder / f"{number}.dcm").write_bytes(encoded(ds))


def of_study(uid: str) -> list[Dataset]:
    datasets = mr_series(3, series_uid=f"{uid}.1")
    for ds in datasets:
        ds.StudyInstanceUID = uid
    return datasets


def not_axial(uid: str) -> list[Dataset]:
    datasets = of_study(uid)
    for ds in datasets:
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    return datasets


def test_one_study_prints_one_object(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "deeper", mr_series(3))

    found = grade_folder(tmp_path, SameEverywhere())

    content = json.loads(as_json_text(found))
    jsonschema.validate(content, SCHEMA)
    assert len(content["slices"]) == 3
    assert as_text(found).splitlines()[0] == FIRST_LINES[Basis.PHANTOM]
    assert complaints(found) == []


def write_boxes(path: Path, **more: object) -> None:
    edges = {"first_row": 10, "first_column": 20, "last_row": 30, "last_column": 40}
    path.write_text(json.dumps([{"file": "deep/1.dcm", **edges, **more}]))


def drawn_regions(found: Folder) -> list[tuple[float, float]]:
    (study,) = found.studies
    assert study.grades
    return [
        (one.region.row, one.region.column)
        for one in study.grades.slices
        if one.region.origin is RegionOrigin.DRAWN
    ]


def test_boxes_beside_the_images_are_used(tmp_path: Path) -> None:
    write(tmp_path / "deep", mr_series(3))
    write_boxes(tmp_path / "boxes.json")

    found = grade_folder(tmp_path, SameEverywhere())

    assert drawn_regions(found) == [(20, 30)]
    assert complaints(found) == []


class Hearing:
    """Keeps the boxes that it is given for each study."""

    def __init__(self) -> None:
        self.heard: list[set[str]] = []

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        self.heard.append({key.series_instance_uid for key in drawn or ()})
        return SameEverywhere().grade(datasets, drawn)


def test_each_study_is_given_its_own_boxes(tmp_path: Path) -> None:
    write(tmp_path / "deep", of_study("2.25.11"))
    write(tmp_path / "other", of_study("2.25.12"))
    write_boxes(tmp_path / "boxes.json")
    grader = Hearing()

    grade_folder(tmp_path, grader)

    assert grader.heard == [{"2.25.11.1"}, set()]


def test_a_file_of_boxes_that_is_named_is_used_instead(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write(images / "deep", mr_series(3))
    write_boxes(images / "boxes.json")
    write_boxes(tmp_path / "others.json", last_row=50)

    found = grade_folder(images, SameEverywhere(), tmp_path / "others.json")

    assert drawn_regions(found) == [(30, 30)]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"last_row": 200}, "entry 1: .* reaches outside its image of 64"),
        ({"file": "1.dcm"}, "entry 1: no image is named 1.dcm frame 1"),
    ],
)
def test_a_box_that_fits_no_image_grades_nothing(
    tmp_path: Path, more: dict[str, object], sentence: str
) -> None:
    write(tmp_path / "deep", mr_series(3))
    write_boxes(tmp_path / "boxes.json", **more)

    with pytest.raises(InputError, match=rf"boxes\.json, {sentence}"):
        grade_folder(tmp_path, SameEverywhere())


def test_a_file_of_boxes_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path, mr_series(3))

    with pytest.raises(InputError, match=r"none\.json: No such file"):
        grade_folder(tmp_path, SameEverywhere(), tmp_path / "none.json")


def test_several_studies_print_a_list_and_a_table_each(tmp_path: Path) -> None:
    write(tmp_path / "a", of_study("2.25.11"))
    write(tmp_path / "b", of_study("2.25.12"))

    found = grade_folder(tmp_path, SameEverywhere())

    content = json.loads(as_json_text(found))
    jsonschema.validate(content, SCHEMA)
    uids = [study["study_instance_uid"] for study in content]
    assert uids == ["2.25.11", "2.25.12"]
    assert as_text(found).count(FIRST_LINES[Basis.PHANTOM]) == 2


def test_a_study_that_is_not_graded_is_named_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path / "a", of_study("2.25.11"))
    write(tmp_path / "b", not_axial("2.25.12"))

    found = grade_folder(tmp_path, SameEverywhere())

    content = json.loads(as_json_text(found))
    assert [study["study_instance_uid"] for study in content] == ["2.25.11"]
    (complaint,) = complaints(found)
    assert complaint.startswith("study 2.25.12: no axial T2-weighted lumbar series")
    assert "sagittal T2-weighted, for the levels only" in complaint


def test_a_folder_without_a_gradable_study_prints_an_empty_list(
    tmp_path: Path,
) -> None:
    write(tmp_path, not_axial("2.25.12"))

    found = grade_folder(tmp_path, SameEverywhere())

    assert json.loads(as_json_text(found)) == []
    assert as_text(found) == ""


def test_what_cannot_be_read_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, mr_series(3))
    whole = encoded(mr_series(4)[3])
    nameless = mr_series(4)[3]
    del nameless.SeriesInstanceUID
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "text.dcm").write_text("this is a text file\n" * 20)
    (bad / "empty.dcm").write_bytes(b"")
    (bad / "nameless.dcm").write_bytes(encoded(nameless))
    (bad / "truncated.dcm").write_bytes(whole[:400])

    found = grade_folder(tmp_path, SameEverywhere())

    (study,) = found.studies
    assert study.grades is not None
    assert len(study.grades.slices) == 3
    reasons = dict(line.split(": ", 1) for line in complaints(found))
    assert reasons["bad/text.dcm"] == "not a DICOM file"
    assert reasons["bad/nameless.dcm"].startswith("it lacks the UID of its study")
    assert set(reasons) == {
        f"bad/{name}.dcm" for name in ("text", "empty", "nameless", "truncated")
    }


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_never_stops_the_others(
    tmp_path: Path, share: float
) -> None:
    write(tmp_path, mr_series(3))
    whole = encoded(mr_series(4)[3])
    (tmp_path / "cut.dcm").write_bytes(whole[: int(len(whole) * share)])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = grade_folder(tmp_path, SameEverywhere())

    (study,) = found.studies
    assert study.grades is not None


def test_a_dicomdir_is_no_image_and_no_complaint(tmp_path: Path) -> None:
    write(tmp_path, mr_series(3))
    directory = Dataset()
    directory.FileSetID = "DISC"
    directory.DirectoryRecordSequence = []
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID("2.25.77")
    (tmp_path / "DICOMDIR").write_bytes(encoded(directory))

    found = grade_folder(tmp_path, SameEverywhere())

    assert complaints(found) == []
    assert len(found.studies) == 1


def test_a_copy_of_a_file_is_no_second_image(tmp_path: Path) -> None:
    write(tmp_path / "a", mr_series(3))
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    (study,) = grade_folder(tmp_path, SameEverywhere()).studies

    assert len(study.datasets) == 3


def test_a_folder_of_nothing_is_refused_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("nothing")

    with pytest.raises(InputError, match="holds no readable DICOM file"):
        grade_folder(tmp_path, SameEverywhere())
    with pytest.raises(InputError, match="is not a folder; name one that holds DICOM"):
        grade_folder(tmp_path / "note.txt", SameEverywhere())


def test_report_and_picture_of_one_study_lie_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "in", mr_series(3))
    found = grade_folder(tmp_path / "in", SameEverywhere())

    write_all(found, INSTALLATION, CREATED_AT, tmp_path / "out")

    written = {
        path.name: pydicom.dcmread(path) for path in (tmp_path / "out").iterdir()
    }
    assert set(written) == {"report.dcm", "picture.dcm"}
    assert written["report.dcm"].Modality == "SR"
    assert "PixelData" in written["picture.dcm"]


def test_each_of_several_studies_has_a_folder_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a", of_study("2.25.11"))
    write(tmp_path / "in" / "b", of_study("2.25.12"))
    write(tmp_path / "in" / "c", not_axial("2.25.13"))
    found = grade_folder(tmp_path / "in", SameEverywhere())

    write_all(found, INSTALLATION, CREATED_AT, tmp_path / "out")

    reports = sorted((tmp_path / "out").rglob("report.dcm"))
    assert [path.parent.name for path in reports] == ["study-1", "study-2"]
    uids = [pydicom.dcmread(path).StudyInstanceUID for path in reports]
    assert uids == ["2.25.11", "2.25.12"]
