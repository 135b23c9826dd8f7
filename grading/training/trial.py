"""Grade whole phantom studies as the node would, and set the grades beside the truth.

No truth is given to the bundle: it finds the series, the canal, the discs and their
levels by itself. Grades become a table that `lumbar-grading evaluate` takes; where
things lie is measured here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pydicom
import torch

from grading.bundle import Bundle
from grading.errors import NotGradable
from grading.evaluation.case_file import COLUMNS, FACT_COLUMNS, PREDICTOR_COLUMNS
from grading.grader import Grader
from grading.grades import (
    Finding,
    Grade,
    Grading,
    Level,
    LevelGrade,
    Side,
    SliceGrade,
    StudyGrades,
)
from grading.network import SIDE_HEADS
from grading.phantom.sets import StudySet
from grading.phantom.studies.draw import draw_study
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.files import part10_files
from grading.phantom.studies.gather import truth_of
from grading.phantom.studies.habits import Role
from grading.phantom.studies.identity import instances
from grading.phantom.studies.truth import ImageTruth, Measured, StudyTruth
from grading.training.predict import predictor_cells
from grading.training.remembering import graders_beside
from grading.training.slice_trials import SliceTrial
from grading.training.workers import in_order, processes

SERIES = frozenset({Role.AXIAL_T2, Role.SAGITTAL_T2})
"""All that grading looks at; the others would only be refused."""
DECIMALS = 6
AHEAD_PER_WORKER = 2
"""Studies that are being drawn, or wait to be graded."""

Row = Mapping[str, object]
Place = tuple[str, int]
"""SOP Instance UID and frame."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What one head said of one slice through a disc, beside what is true."""

    head: str
    said: Grading
    true: Grade


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """What became of one study."""

    rows: tuple[Row, ...]
    """Of the table of cases: what was not graded has a row without probabilities."""
    slices: tuple[SliceTrial, ...]
    """All axial ones, also those that were not graded."""
    graded: tuple[Graded, ...] = ()
    """The sides' heads too, which the table has no place for."""
    refused: str = ""
    """Why nothing was graded, empty otherwise."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A drawn study on its way from the process that drew it."""

    truth: StudyTruth
    files: tuple[bytes, ...]
    spacings_mm: Mapping[Place, tuple[float, float]]


def try_set(
    bundles: Sequence[Bundle], studies: StudySet, count: int, workers: int
) -> Iterator[tuple[StudyTrial, ...]]:
    """Draw the first studies of a set, in order, and grade each with every bundle.

    They are drawn once, on several processes, and graded in this one. Drawing goes
    only a little ahead: a drawn study holds all its files.
    """
    graders = graders_beside(bundles)
    keys = [
        StudyKey(studies.seed, number, studies.domain, studies.prevalence)
        for number in range(1, count + 1)
    ]
    with processes(workers) as pool, one_thread():
        for examined in in_order(pool, examine, keys, AHEAD_PER_WORKER * workers):
            yield tuple(grade_examined(grader, examined) for grader in graders)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, and with as many as before afterwards.

    While other processes draw on all cores, threads wait for each other: a study took
    up to twice as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def examine(key: StudyKey) -> Examined:
    """Draw what grading looks at of one study."""
    study = draw_study(key, SERIES)
    files = (
        content for series in study.series for _, content in part10_files(study, series)
    )
    spacings = {
        (str(one.sop_instance_uid), one.frame): one.image.cut.spacing_mm
        for series in study.series
        for one in instances(study, series)
    }
    return Examined(truth_of(study), tuple(files), spacings)


def write_trial(path: Path, bundle: Bundle, trials: Iterable[StudyTrial]) -> None:
    """Write the table of cases, whole or not at all."""
    by_whom = predictor_cells(bundle.card)
    partial_path = path.with_name(path.name + ".partial")
    with partial_path.open("w", encoding="utf-8", newline="") as file:
        columns = (*COLUMNS, *FACT_COLUMNS, *PREDICTOR_COLUMNS)
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        for trial in trials:
            table.writerows({**row, **by_whom} for row in trial.rows)
    partial_path.replace(path)


def grade_examined(grader: Grader, examined: Examined) -> StudyTrial:
    """Grade a drawn study's files, and compare with its truth."""
    datasets = [pydicom.dcmread(BytesIO(content)) for content in examined.files]
    try:
        grades = grader.grade(datasets)
    except NotGradable as error:
        return replace(compare(examined, None), refused=str(error))
    return compare(examined, grades)


def compare(examined: Examined, grades: StudyGrades | None) -> StudyTrial:
    """Set a study's grades beside its truth, slice by slice and level by level.

    The truth decides what there is: a slice that was not graded is one on which
    nothing was found. None stands for a study without any grade.
    """
    truth = examined.truth
    found = _by_place(grades)
    rows: list[Row] = []
    slices = []
    heads: list[Graded] = []
    for image in truth.images:
        if image.role is not Role.AXIAL_T2:
            continue
        place = (image.sop_instance_uid, image.frame)
        said = found.get(place)
        slices.append(_slice(image, said, examined.spacings_mm[place]))
        if image.measured is None:
            continue
        rows.extend(_slice_rows(truth, image, said))
        if said is not None:
            heads.extend(_graded(image.measured, said))
    shown = {one.true_level for one in slices}
    rows.extend(_level_rows(truth, grades.levels if grades else (), shown))
    return StudyTrial(tuple(rows), tuple(slices), tuple(heads))


def _by_place(grades: StudyGrades | None) -> Mapping[Place, SliceGrade]:
    slices = grades.slices if grades else ()
    return {(one.key.sop_instance_uid, one.key.frame): one for one in slices}


def _slice(
    image: ImageTruth, said: SliceGrade | None, spacing_mm: tuple[float, float]
) -> SliceTrial:
    if said is None:
        return SliceTrial(image.level)
    sac_mm = _sac_mm(image, said, spacing_mm) if image.through_disc else None
    return SliceTrial(image.level, said.level, sac_mm, said.through_disc)


def _graded(true: Measured, said: SliceGrade) -> Iterator[Graded]:
    for finding, grading in said.grades.items():
        yield Graded(finding.value, grading, true.grades[finding])
    for side, grading in said.roots.items():
        root = true.right if side is Side.RIGHT else true.left
        yield Graded(SIDE_HEADS[side], grading, root.grade)


def _sac_mm(
    image: ImageTruth, graded: SliceGrade, spacing_mm: tuple[float, float]
) -> float | None:
    found = graded.marks.sac_centre
    true = next(one for one in image.landmarks if one.name == "sac_centre")
    if found is None:
        return None
    return math.hypot(
        (found.row - true.row) * spacing_mm[0],
        (found.column - true.column) * spacing_mm[1],
    )


def _slice_rows(
    truth: StudyTruth, image: ImageTruth, said: SliceGrade | None
) -> Iterator[Row]:
    if image.measured is None or image.level is None:
        raise ValueError("a slice through a disc was measured")
    of_slice = {
        "series": image.series_instance_uid,
        "sop_instance": image.sop_instance_uid,
        "frame": image.frame,
    }
    grades = said.grades if said else {}
    for row in _rows(truth, image.level, image.measured, grades):
        yield {**row, **of_slice}


def _level_rows(
    truth: StudyTruth, graded: Iterable[LevelGrade], shown: Container[Level | None]
) -> Iterator[Row]:
    """Yield the rows of every level that was graded, or that a slice passes through."""
    said = {one.level: one.grades for one in graded}
    for one in truth.levels:
        if one.measured and (one.level in said or one.level in shown):
            grades = said.get(one.level, {})
            yield from _rows(truth, one.level, one.measured, grades)


def _rows(
    truth: StudyTruth, level: Level, true: Measured, said: Mapping[Finding, Grading]
) -> Iterator[Row]:
    """Yield one row per finding, without probabilities where nothing was said."""
    for finding in Finding:
        yield {
            "patient": f"{truth.seed}-{truth.study}",
            "study": truth.study_instance_uid,
            "frame": 1,
            "level": level.value,
            "finding": finding.value,
            "reference": int(true.grades[finding]),
            "images": "phantom",
            **(_probabilities(said[finding]) if finding in said else {}),
        }


def _probabilities(said: Grading) -> dict[str, str]:
    return {f"p{i}": f"{p:.{DECIMALS}f}" for i, p in enumerate(said.probabilities)}
