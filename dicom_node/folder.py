"""``grade FOLDER``: DICOM files in, grades out; no network, no database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from dicom_node.errors import InputError
from dicom_node.listing import as_json, as_table
from dicom_node.report.context import Installation, ReportContext
from dicom_node.report.objects import build_objects, part10
from dicom_node.worker import StudyGrader, graded_datasets
from grading.errors import NotGradable
from grading.grades import StudyGrades
from storage.states import ObjectKind

FILE_NAMES = {
    ObjectKind.STRUCTURED_REPORT: "report.dcm",
    ObjectKind.PICTURE: "picture.dcm",
}

PLACING_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True, slots=True)
class FolderStudy:
    """One study of a folder and what became of it."""

    study_instance_uid: str
    grades: StudyGrades | None
    reason: str
    """Why there are no grades, empty where there are."""
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """The studies found below a folder, and the files that could not be read."""

    studies: tuple[FolderStudy, ...]
    unreadable: tuple[str, ...]
    """``name: reason``, relative to the folder."""


def grade_folder(folder: Path, grader: StudyGrader) -> Folder:
    """Grade every study below a folder.

    Raises
    ------
    InputError
        The folder does not exist or holds no DICOM file.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name one that holds DICOM files")
    datasets, unreadable = _read(folder)
    if not datasets:
        raise InputError(
            f"{folder} holds no readable DICOM file of a study; name a folder that does"
        )
    by_study: dict[str, list[Dataset]] = {}
    for ds in datasets:
        by_study.setdefault(str(ds.get("StudyInstanceUID", "")), []).append(ds)
    studies = tuple(
        _grade(uid, members, grader) for uid, members in sorted(by_study.items())
    )
    return Folder(studies, tuple(unreadable))


def write_all(
    found: Folder, installation: Installation, created_at: datetime, out: Path
) -> None:
    """Write report and picture of each graded study, in a folder each if several."""
    graded = [study for study in found.studies if study.grades]
    for number, study in enumerate(graded, start=1):
        folder = out if len(graded) == 1 else out / f"study-{number}"
        _write_objects(study, installation, created_at, folder)


def as_json_text(found: Folder) -> str:
    """Return one JSON object, or a list of them where the folder holds several."""
    printed = [as_json(study.grades) for study in found.studies if study.grades]
    single = len(found.studies) == 1 and printed
    return json.dumps(printed[0] if single else printed, indent=2)


def as_text(found: Folder) -> str:
    """Return the tables of all graded studies."""
    return "\n\n".join(
        as_table(study.grades) for study in found.studies if study.grades
    )


def complaints(found: Folder) -> list[str]:
    """Return a line for every study and file that gave no grades."""
    return [
        *(
            f"study {study.study_instance_uid}: {study.reason}"
            for study in found.studies
            if not study.grades
        ),
        *found.unreadable,
    ]


def _write_objects(
    study: FolderStudy, installation: Installation, created_at: datetime, out: Path
) -> None:
    if study.grades is None:
        return
    context = ReportContext(installation, revision=1, created_at=created_at)
    graded = graded_datasets(study.datasets, study.grades)
    out.mkdir(parents=True, exist_ok=True)
    for produced in build_objects(graded, study.grades, context):
        if produced.rank == 0:
            (out / FILE_NAMES[produced.kind]).write_bytes(part10(produced.dataset))


def _read(folder: Path) -> tuple[list[Dataset], list[str]]:
    instances: dict[tuple[str, ...], Dataset] = {}
    unreadable: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            ds = pydicom.dcmread(path)
            key = tuple(str(ds.get(keyword) or "") for keyword in PLACING_UIDS)
            if all(key):
                # A copy of a file is no second image.
                instances.setdefault(key, ds)
            elif "DirectoryRecordSequence" not in ds:  # DICOMDIR lists studies
                reason = "it lacks the UID of its study, its series or itself"
                unreadable.append(f"{path.relative_to(folder)}: {reason}")
        except InvalidDicomError:
            unreadable.append(f"{path.relative_to(folder)}: not a DICOM file")
        # Bytes from anywhere: whatever the parser raises, the other files count.
        except Exception as error:  # noqa: BLE001
            reason = f"damaged: {type(error).__name__} while reading"
            unreadable.append(f"{path.relative_to(folder)}: {reason}")
    return list(instances.values()), unreadable


def _grade(uid: str, members: list[Dataset], grader: StudyGrader) -> FolderStudy:
    try:
        grades = grader.grade(members)
    except NotGradable as error:
        return FolderStudy(uid, None, str(error), tuple(members))
    return FolderStudy(uid, grades, "", tuple(members))
