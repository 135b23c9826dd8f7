"""The modules that classic and Enhanced MR share: who, when, with what (PS3.3 C.7)."""

from __future__ import annotations

from pydicom import Dataset

from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy
from grading.phantom.studies.habits import Role
from grading.phantom.studies.identity import (
    DATE,
    NOTICE,
    STUDY_TIME,
    derived_uid,
    patient_id,
    patient_name,
    series_uid,
    study_uid,
)

MEGAHERTZ_PER_TESLA = 42.577478518
"""Gyromagnetic ratio of the proton over 2 pi, in MHz/T (CODATA 2018)."""
MINUTES_PER_SERIES = 5


def put_identity(ds: Dataset, study: DrawnStudy, series: DrawnSeries) -> None:
    """Write patient, study, series, frame of reference and equipment."""
    if study.writing.manner.character_sets:
        ds.SpecificCharacterSet = list(study.writing.manner.character_sets)
    _put_patient(ds, study)
    _put_study(ds, study)
    _put_series(ds, study, series)
    _put_equipment(ds, study)
    ds.FrameOfReferenceUID = derived_uid(study.key, "frame of reference")
    ds.PositionReferenceIndicator = None


def series_time(series: DrawnSeries, second: int = 0) -> str:
    """Return when a series was scanned, or an image of it: constant, in order."""
    minute = MINUTES_PER_SERIES * (1 + list(Role).index(series.role)) + second // 60
    return f"{STUDY_TIME[:2]}{minute:02d}{second % 60:02d}"


def acquisition_matrix(series: DrawnSeries) -> list[int]:
    """Return frequency rows, columns, phase rows, columns (PS3.3 C.8.3.1)."""
    rows, columns = series.images[0].pixels.shape
    if series.phase_along_rows:
        return [rows, 0, 0, columns]
    return [0, columns, rows, 0]


def _put_patient(ds: Dataset, study: DrawnStudy) -> None:
    ds.PatientName = patient_name(study.key, study.writing.manner)
    ds.PatientID = patient_id(study.key)
    ds.PatientBirthDate = None
    ds.PatientSex = None
    # The standard's own word for "this is a phantom" (PS3.3 C.7.1.1).
    ds.QualityControlSubject = "YES"


def _put_study(ds: Dataset, study: DrawnStudy) -> None:
    ds.StudyInstanceUID = study_uid(study.key)
    ds.StudyDate = DATE
    ds.StudyTime = STUDY_TIME
    ds.ReferringPhysicianName = study.writing.manner.referring_physician
    ds.StudyID = "1"
    ds.AccessionNumber = None
    ds.StudyDescription = NOTICE


def _put_series(ds: Dataset, study: DrawnStudy, series: DrawnSeries) -> None:
    manner = study.writing.manner
    ds.Modality = "MR"
    ds.SeriesInstanceUID = series_uid(study.key, series.role)
    ds.SeriesNumber = manner.series_numbers[list(Role).index(series.role)]
    ds.SeriesDate = DATE
    ds.SeriesTime = series_time(series)
    ds.PatientPosition = "HFS"
    if manner.descriptions[series.role]:
        ds.SeriesDescription = manner.descriptions[series.role]
    if manner.body_part:
        ds.BodyPartExamined = manner.body_part
    else:
        ds.Laterality = None  # type 2C: it might be one of a pair (PS3.3 C.7.3.1)


def _put_equipment(ds: Dataset, study: DrawnStudy) -> None:
    letter = study.writing.manner.letter
    ds.Manufacturer = f"lumbar-node phantom (manner {letter})"
    ds.ManufacturerModelName = f"Phantom {letter}"
    ds.DeviceSerialNumber = "1"
    ds.SoftwareVersions = GENERATOR_VERSION
