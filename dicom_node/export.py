"""``export-grades``: what the node said, as a table for ``lumbar-grading evaluate``.

The table has one row per slice and finding and an empty reference, for readers to
fill in. Patients stand in it by pseudonym; UIDs as they are, because whoever fills in
a grade has to find the image.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError

from dicom_node.errors import InputError
from dicom_node.pseudonyms import Patient, read_patient
from grading.grades import Finding, SeriesVerdict, SliceGrade, StudyGrades
from storage import results, studies
from storage.database import Database
from storage.files import Files
from storage.instances import study_instances
from storage.objects import latest_object
from storage.states import Role

COLUMNS = (
    "patient",
    "study",
    "series",
    "sop_instance",
    "frame",
    "level",
    "finding",
    "reference",
    "p0",
    "p1",
    "p2",
    "p3",
    "site",
    "scanner",
    "sex",
    "age",
    "excluded",
    "images",
    "bundle",
    "bundle_sha256",
    "basis",
)
"""Those of `grading.evaluation`, which the service does not load."""
DECIMALS = 6
"""Of a probability."""
HELD = "held: a person has to say whether this is one patient"
PHANTOM_MANUFACTURER = "lumbar-node phantom"
"""How Manufacturer (0008,0070) begins in every image of this project's phantom."""
Row = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Export:
    """How grades leave the node."""

    database: Database
    files: Files
    key: bytes
    """Of the pseudonyms."""
    site: str = ""
    demographics: bool = False
    """With sex and age, which help to describe patients and to recognise one."""


@dataclass(slots=True)
class Exported:
    """What was written, and what could not be."""

    studies: int = 0
    rows: int = 0
    left_out: tuple[str, ...] = ()
    """A sentence for each study whose patient cannot be read."""


def export_grades(export: Export, out: Path) -> Exported:
    """Write the latest grades of every study, whole or not at all.

    Only its owner can read the file.

    Raises
    ------
    InputError
        No study has been graded.
    OSError
        The table cannot be written.
    """
    with export.database.reading.begin() as session:
        graded = results.graded_studies(session)
        held = {study.study_instance_uid for study in studies.held_studies(session)}
    if not graded:
        raise InputError("no study has been graded: there is nothing to export")
    partial = out.with_name(f"{out.name}.partial")
    try:
        exported = _write(export, graded, held, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return exported


def _write(
    export: Export, graded: Sequence[str], held: Collection[str], path: Path
) -> Exported:
    exported = Exported()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        for study in graded:
            for row in _study_rows(export, study, held=study in held, to=exported):
                table.writerow(row)
                exported.rows += 1
    return exported


def _study_rows(
    export: Export, study: str, *, held: bool, to: Exported
) -> Iterator[Row]:
    with export.database.reading.begin() as session:
        grades = results.latest(session, study)
    if grades is None or not grades.slices:
        return
    try:
        patient = read_patient(export.key, study, _first_image(export, grades))
    except (OSError, InvalidDicomError, LookupError) as error:
        reason = f"study {study}: its patient cannot be read ({type(error).__name__})"
        to.left_out += (reason,)
        return
    to.studies += 1
    facts = _facts(export, grades, patient, held=held)
    for slice_grade in grades.slices:
        yield from ({**facts, **row} for row in _slice_rows(slice_grade))


def _facts(export: Export, grades: StudyGrades, patient: Patient, *, held: bool) -> Row:
    """Return what every row of a study says."""
    model = grades.model
    graded = [verdict for verdict in grades.series if verdict.graded]
    is_phantom = any(it.manufacturer.startswith(PHANTOM_MANUFACTURER) for it in graded)
    return {
        "patient": patient.pseudonym,
        "study": grades.study_instance_uid,
        "site": export.site,
        "sex": patient.sex if export.demographics else "",
        "age": patient.age if export.demographics else "",
        "scanner": _scanner(graded[0]) if graded else "",
        "excluded": HELD if held else "",
        "images": "phantom" if is_phantom else "",
        "bundle": f"{model.name} {model.version}",
        "bundle_sha256": model.sha256,
        "basis": model.basis.value,
    }


def _scanner(verdict: SeriesVerdict) -> str:
    tesla = verdict.field_strength_tesla
    words = verdict.manufacturer, verdict.model_name, f"{tesla:g} T" if tesla else ""
    return " ".join(word for word in words if word)


def _slice_rows(slice_grade: SliceGrade) -> Iterator[Row]:
    key = slice_grade.key
    for finding in Finding:
        if (grading := slice_grade.grades.get(finding)) is None:
            continue
        probabilities = (f"{p:.{DECIMALS}f}" for p in grading.probabilities)
        yield {
            "series": key.series_instance_uid,
            "sop_instance": key.sop_instance_uid,
            "frame": key.frame,
            "level": _counted_level(slice_grade),
            "finding": finding.value,
            **dict(zip(("p0", "p1", "p2", "p3"), probabilities, strict=True)),
        }


def _counted_level(slice_grade: SliceGrade) -> str:
    """Return the level that the slice counts for, empty where it counts for none."""
    if slice_grade.level is None or slice_grade.through_disc is False:
        return ""
    return slice_grade.level.value


def _first_image(export: Export, grades: StudyGrades) -> Path:
    """Return the file of the first graded slice, or a report where that was removed.

    Both name the same patient; the report stays when the images go.

    Raises
    ------
    LookupError
        Neither is there.
    """
    with export.database.reading.begin() as session:
        instances = study_instances(session, grades.study_instance_uid, Role.IMAGE)
    first = grades.slices[0].key
    for one in instances:
        placed = one.series_instance_uid, one.sop_instance_uid
        if placed == (first.series_instance_uid, first.sop_instance_uid):
            if one.removed:
                break
            return export.files.path(one.file.root, one.file.key)
    with export.database.reading.begin() as session:
        report = latest_object(session, grades.study_instance_uid)
    if report is None:
        raise LookupError(first.sop_instance_uid)
    return export.files.path(report.root, report.key)
