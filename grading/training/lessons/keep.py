"""Keep drawn lessons on disk, so that one drawing serves several trainings.

One ``.npz`` per patient, without pickles: images as arrays, the rest as JSON. A file
beside them says of which set the patients are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from grading.errors import UsageError
from grading.grades import AxialMarks, Grade, PixelPoint, Side
from grading.phantom.ranges import GENERATOR_VERSION
from grading.training.lessons.draw import PatientSet, draw_patient
from grading.training.lessons.lesson import (
    AxialLesson,
    PatientLesson,
    SagittalLesson,
)
from grading.training.workers import processes

Json = dict[str, Any]

SET_NAME = "set.txt"
NOT_NOTED = "a set that was not noted"
"""Stands for the set of a folder without `SET_NAME`."""
UNREADABLE = (OSError, EOFError, BadZipFile, LookupError, TypeError, ValueError)
"""What NumPy and this module raise at a file that is cut off or something else."""


def write_patient(folder: Path, patient: PatientLesson) -> Path:
    """Write one patient's file, whole or not at all, and return its path."""
    path = _path(folder, patient.number)
    partial = path.with_suffix(".partial")
    truth = {
        "number": patient.number,
        "axial": [_axial_json(lesson) for lesson in patient.axial],
        "sagittal": [_sagittal_json(lesson) for lesson in patient.sagittal],
    }
    images = {f"axial_{i}": one.pixels for i, one in enumerate(patient.axial)}
    images |= {f"sagittal_{i}": one.pixels for i, one in enumerate(patient.sagittal)}
    text = np.frombuffer(json.dumps(truth).encode(), np.uint8)
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, truth=text, **images)
    partial.replace(path)
    return path


def draw_to(folder: Path, patients: PatientSet, workers: int) -> int:
    """Draw what a folder does not hold yet and return how many that were.

    Raises
    ------
    UsageError
        The folder holds patients of another set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _note_set(folder, f"phantom {GENERATOR_VERSION}, {patients.words}")
    missing = [
        number
        for number in range(patients.patients)
        if not _path(folder, number).exists()
    ]
    draw = partial(_draw_one, folder, patients)
    with processes(workers) as pool:
        drawn = pool.map(draw, missing)
        for _ in tqdm(drawn, total=len(missing), desc=str(patients.split.name).lower()):
            pass
    return len(missing)


def set_of(folder: Path) -> str:
    """Return of which set the patients of a folder are, in words for a card."""
    path = folder / SET_NAME
    return path.read_text("utf-8").strip() if path.exists() else NOT_NOTED


def _note_set(folder: Path, words: str) -> None:
    """Write down of which set a folder is, or refuse one that is of another."""
    noted = set_of(folder)
    if noted not in (words, NOT_NOTED):
        raise UsageError(
            f"{folder} holds patients of {noted}, not of {words}; name another folder"
        )
    partial = (folder / SET_NAME).with_suffix(".partial")
    partial.write_text(words + "\n", "utf-8")
    partial.replace(folder / SET_NAME)


def _draw_one(folder: Path, patients: PatientSet, number: int) -> None:
    write_patient(folder, draw_patient(patients, number))


def _path(folder: Path, number: int) -> Path:
    return folder / f"patient-{number:06d}.npz"


def read_patients(folder: Path) -> Iterator[PatientLesson]:
    """Read the patients of a folder in order."""
    for path in sorted(folder.glob("patient-*.npz")):
        yield read_patient(path)


def read_patient(path: Path) -> PatientLesson:
    """Read one patient's file.

    Raises
    ------
    UsageError
        It is damaged, or of another version.
    """
    try:
        return _read(path)
    except UNREADABLE as error:
        raise UsageError(
            f"{path} is no lesson ({type(error).__name__}); delete it and run "
            "`lumbar-grading lessons` again"
        ) from error


def _read(path: Path) -> PatientLesson:
    # NumPy would leave a file open that it cannot read.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        truth = json.loads(file["truth"].tobytes())
        return PatientLesson(
            truth["number"],
            tuple(
                _axial(file[f"axial_{i}"], one) for i, one in enumerate(truth["axial"])
            ),
            tuple(
                _sagittal(file[f"sagittal_{i}"], one)
                for i, one in enumerate(truth["sagittal"])
            ),
        )


def _axial_json(lesson: AxialLesson) -> Json:
    return {
        "spacing_mm": lesson.spacing_mm,
        "marks": asdict(lesson.marks),
        "grades": lesson.grades,
        "roots": {side.value: int(grade) for side, grade in lesson.roots.items()},
    }


def _axial(pixels: np.ndarray[Any, np.dtype[np.uint16]], one: Json) -> AxialLesson:
    grades = one["grades"]
    return AxialLesson(
        pixels,
        _pair(one["spacing_mm"]),
        AxialMarks(**{name: _point(at) for name, at in one["marks"].items()}),
        (Grade(grades[0]), Grade(grades[1]), Grade(grades[2])) if grades else None,
        {Side(side): Grade(grade) for side, grade in one["roots"].items()},
    )


def _sagittal_json(lesson: SagittalLesson) -> Json:
    return {
        "spacing_mm": lesson.spacing_mm,
        "discs": [asdict(disc) for disc in lesson.discs],
        "sacrum": asdict(lesson.sacrum),
    }


def _sagittal(
    pixels: np.ndarray[Any, np.dtype[np.uint16]], one: Json
) -> SagittalLesson:
    return SagittalLesson(
        pixels,
        _pair(one["spacing_mm"]),
        tuple(PixelPoint(**disc) for disc in one["discs"]),
        PixelPoint(**one["sacrum"]),
    )


def _point(at: Json | None) -> PixelPoint | None:
    return PixelPoint(**at) if at else None


def _pair(values: Sequence[float]) -> tuple[float, float]:
    first, second = values
    return (first, second)
