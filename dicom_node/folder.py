"""``grade FOLDER``: DICOM files in, grades out; no network, no database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from dicom_node.errors import InputError
from dicom_node.listing import as_json, as_table
from dicom_node.making import graded_datasets
from dicom_node.report.context import Installation, ReportContext
from dicom_node.report.objects import build_objects, part10
from grading.boxes import Box, BoxError, NamedImage, boxes_on, read_boxes
from grading.errors import NotGradable
from grading.grades import SliceKey, StudyGrades
from grading.headers import image_headers
from storage.states import ObjectKind

FILE_NAMES = {
    ObjectKind.STRUCTURED_REPORT: "report.dcm",
    ObjectKind.PICTURE: "picture.dcm",
    ObjectKind.PRINTOUT: "printout.dcm",
    ObjectKind.TEXT_REPORT: "text.dcm",
}

BOXES_NAME = "boxes.json"
"""Boxes that lie beside the images without being named."""
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


class FolderGrader(Protocol):
    """Grades one study; boxes that a person drew win."""

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        """Grade the datasets of one study, or raise NotGradable."""


def grade_folder(
    folder: Path, grader: FolderGrader, boxes: Path | None = None
) -> Folder:
    """Grade every study below a folder.

    Parameters
    ----------
    boxes
        A file of boxes that a person drew; ``boxes.json`` of the folder where it is
        left out and that file exists.

    Raises
    ------
    InputError
        The folder does not exist or holds no DICOM file, or a box fits no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name one that holds DICOM files")
    files, unreadable = _read(folder)
    if not files:
        raise InputError(
            f"{folder} holds no readable DICOM file of a study; name a folder that does"
        )
    drawn = _drawn(boxes or _boxes_beside(folder), files)
    by_study: dict[str, list[Dataset]] = {}
    for ds in files.values():
        by_study.setdefault(str(ds.get("StudyInstanceUID", "")), []).append(ds)
    studies = tuple(
        _grade(uid, members, grader, drawn) for uid, members in sorted(by_study.items())
    )
    return Folder(studies, tuple(unreadable))


def _boxes_beside(folder: Path) -> Path | None:
    beside = folder / BOXES_NAME
    return beside if beside.is_file() else None


def _drawn(path: Path | None, files: Mapping[str, Dataset]) -> Mapping[SliceKey, Box]:
    """Read a file of boxes and put each on its image."""
    if path is None:
        return {}
    images = [
        NamedImage(header.key, file, header.rows, header.columns)
        for file, ds in files.items()
        for header in image_headers(ds)
    ]
    try:
        return boxes_on(path, read_boxes(path), images)
    except BoxError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a file of boxes") from error


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


def _read(folder: Path) -> tuple[dict[str, Dataset], list[str]]:
    """Return the datasets by their file below the folder, and what is none."""
    instances: dict[tuple[str, ...], Dataset] = {}
    files: dict[str, Dataset] = {}
    unreadable: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path == folder / BOXES_NAME:
            continue
        try:
            ds = pydicom.dcmread(path)
            key = tuple(str(ds.get(keyword) or "") for keyword in PLACING_UIDS)
            if all(key):
                # A copy of a file is no second image.
                if instances.setdefault(key, ds) is ds:
                    files[path.relative_to(folder).as_posix()] = ds
            elif "DirectoryRecordSequence" not in ds:  # DICOMDIR lists studies
                reason = "it lacks the UID of its study, its series or itself"
                unreadable.append(f"{path.relative_to(folder)}: {reason}")
        except InvalidDicomError:
            unreadable.append(f"{path.relative_to(folder)}: not a DICOM file")
        # Bytes from anywhere: whatever the parser raises, the other files count.
        except Exception as error:  # noqa: BLE001
            reason = f"damaged: {type(error).__name__} while reading"
            unreadable.append(f"{path.relative_to(folder)}: {reason}")
    return files, unreadable


def _grade(
    uid: str,
    members: list[Dataset],
    grader: FolderGrader,
    drawn: Mapping[SliceKey, Box],
) -> FolderStudy:
    series = {str(ds.get("SeriesInstanceUID", "")) for ds in members}
    on_study = {
        key: box for key, box in drawn.items() if key.series_instance_uid in series
    }
    try:
        grades = grader.grade(members, on_study)
    except NotGradable as error:
        return FolderStudy(uid, None, str(error), tuple(members))
    return FolderStudy(uid, grades, "", tuple(members))
