"""Grade whole phantom studies as the node would, and set the grades beside the truth.

No truth is given to the bundle: it finds the series, the canal, the discs and their
levels by itself. Grades become a table that `lumbar-grading evaluate` takes; where
things lie is measured here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom

from grading.bundle import Bundle
from grading.errors import NotGradable
from grading.evaluation.case_file import COLUMNS, FACT_COLUMNS, PREDICTOR_COLUMNS
from grading.grader import Grader
from grading.grades import (
    Finding,
    Grade,
    Grading,
    Level,
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
from grading.training.predict import predictor
from grading.training.workers import processes

SERIES = frozenset({Role.AXIAL_T2, Role.SAGITTAL_T2})
"""All that grading looks at; the others would only be refused."""
DECIMALS = 6

Row = Mapping[str, object]
Place = tuple[str, int]
"""SOP Instance UID and frame."""


@dataclass(frozen=True, slots=True)
class Placing:
    """One axial slice through a disc: where things were found."""

    sac_mm: float | None
    """From the sac's true centre to the one found; None where it was not."""
    level: Level | None
    true_level: Level

    @property
    def right(self) -> bool:
        """Whether the level is the true one; a level not determined is not."""
        return self.level is self.true_level


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
    """Of the table of cases."""
    placings: tuple[Placing, ...]
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

    They are drawn once, on several processes, and graded in this one.
    """
    graders = [Grader(bundle) for bundle in bundles]
    keys = [
        StudyKey(studies.seed, number, studies.domain, studies.prevalence)
        for number in range(1, count + 1)
    ]
    with processes(workers) as pool:
        for examined in pool.map(examine, keys):
            yield tuple(grade_examined(grader, examined) for grader in graders)


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
    made_by = predictor(bundle.card)
    named = (made_by.name, made_by.sha256, made_by.basis)
    by_whom = dict(zip(PREDICTOR_COLUMNS, named, strict=True))
    partial_path = path.with_name(path.name + ".partial")
    with partial_path.open("w", encoding="utf-8", newline="") as file:
        columns = (*COLUMNS, *FACT_COLUMNS, *PREDICTOR_COLUMNS)
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        for trial in trials:
            table.writerows({**row, **by_whom} for row in trial.rows)
    partial_path.replace(path)


def describe_placings(placings: Sequence[Placing]) -> str:
    """Return how often the sac and the level were found, in words."""
    sac_mm = sorted(one.sac_mm for one in placings if one.sac_mm is not None)
    if not placings:
        return "no slice passes through a disc"
    near = sum(mm <= 3.0 for mm in sac_mm)
    determined = [one for one in placings if one.level is not None]
    right = sum(one.right for one in placings)
    wrong = len(determined) - right
    middle = f"{sac_mm[len(sac_mm) // 2]:.2f} mm" if sac_mm else "not defined"
    return (
        f"{len(placings)} slices through discs: sac centre found on {len(sac_mm)}, "
        f"within 3 mm on {near} ({near / len(placings):.1%}), median {middle}; level "
        f"right on {right} ({right / len(placings):.1%}), wrong on {wrong}, not "
        f"determined on {len(placings) - len(determined)}"
    )


def grade_examined(grader: Grader, examined: Examined) -> StudyTrial:
    """Grade a drawn study's files, and compare with its truth."""
    datasets = [pydicom.dcmread(BytesIO(content)) for content in examined.files]
    try:
        grades = grader.grade(datasets)
    except NotGradable as error:
        return StudyTrial((), (), refused=str(error))
    return compare(examined, grades)


def compare(examined: Examined, grades: StudyGrades) -> StudyTrial:
    """Set a study's grades beside its truth, slice by slice and level by level."""
    truth = examined.truth
    found = {(one.key.sop_instance_uid, one.key.frame): one for one in grades.slices}
    rows: list[Row] = []
    placings = []
    heads: list[Graded] = []
    for image in truth.images:
        place = (image.sop_instance_uid, image.frame)
        if image.role is not Role.AXIAL_T2 or not image.through_disc:
            continue
        if image.level is None or image.measured is None:
            continue
        graded = found.get(place)
        if graded is None:
            # Nothing was found on a slice that was not graded: that is a miss.
            placings.append(Placing(None, None, image.level))
            continue
        sac_mm = _sac_mm(image, graded, examined.spacings_mm[place])
        placings.append(Placing(sac_mm, graded.level, image.level))
        rows.extend(
            _row(truth, image, finding, graded.grades[finding]) for finding in Finding
        )
        heads.extend(_graded(image.measured, graded))
    rows.extend(_level_rows(truth, grades))
    return StudyTrial(tuple(rows), tuple(placings), tuple(heads))


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


def _row(truth: StudyTruth, image: ImageTruth, finding: Finding, said: Grading) -> Row:
    if image.measured is None or image.level is None:
        raise ValueError("a slice through a disc was measured")
    return {
        "patient": f"{truth.seed}-{truth.study}",
        "study": truth.study_instance_uid,
        "series": image.series_instance_uid,
        "sop_instance": image.sop_instance_uid,
        "frame": image.frame,
        "level": image.level.value,
        "finding": finding.value,
        "reference": int(image.measured.grades[finding]),
        "images": "phantom",
        **_probabilities(said),
    }


def _level_rows(truth: StudyTruth, grades: StudyGrades) -> Iterator[Row]:
    true = {one.level: one.measured for one in truth.levels}
    for graded in grades.levels:
        measured = true.get(graded.level) if graded.level else None
        if graded.level is None or measured is None:
            continue
        for finding in Finding:
            yield {
                "patient": f"{truth.seed}-{truth.study}",
                "study": truth.study_instance_uid,
                "frame": 1,
                "level": graded.level.value,
                "finding": finding.value,
                "reference": int(measured.grades[finding]),
                "images": "phantom",
                **_probabilities(graded.grades[finding]),
            }


def _probabilities(said: Grading) -> dict[str, str]:
    return {f"p{i}": f"{p:.{DECIMALS}f}" for i, p in enumerate(said.probabilities)}
