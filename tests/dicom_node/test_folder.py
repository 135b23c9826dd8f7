"""`grade FOLDER`: whatever lies in it, what can be graded is, the rest is named."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Sequence
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
    as_json_text,
    as_text,
    complaints,
    grade_folder,
    write_all,
)
from grading.grades import FIRST_LINES, Basis
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
    assert "normal 90 degrees from the body axis" in complaint


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
