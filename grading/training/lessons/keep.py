"""Keep drawn lessons on disk, so that one drawing serves several trainings.

One ``.npz`` per patient, without pickles: images as arrays, the rest as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from grading.grades import AxialMarks, Grade, PixelPoint, Side
from grading.training.lessons.draw import PatientSet, draw_patient
from grading.training.lessons.lesson import (
    AxialLesson,
    PatientLesson,
    SagittalLesson,
)

Json = dict[str, Any]


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
    """Draw what a folder does not hold yet and return how many that were."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        number
        for number in range(patients.patients)
        if not _path(folder, number).exists()
    ]
    draw = partial(_draw_one, folder, patients)
    with ProcessPoolExecutor(workers) as processes:
        drawn = processes.map(draw, missing)
        for _ in tqdm(drawn, total=len(missing), desc=str(patients.split.name).lower()):
            pass
    return len(missing)


def _draw_one(folder: Path, patients: PatientSet, number: int) -> None:
    write_patient(folder, draw_patient(patients, number))


def _path(folder: Path, number: int) -> Path:
    return folder / f"patient-{number:06d}.npz"


def read_patients(folder: Path) -> Iterator[PatientLesson]:
    """Read the patients of a folder in order."""
    for path in sorted(folder.glob("patient-*.npz")):
        yield read_patient(path)


def read_patient(path: Path) -> PatientLesson:
    """Read one patient's file."""
    with np.load(path, allow_pickle=False) as file:
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
