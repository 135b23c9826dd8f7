"""A study's grades as JSON for machines and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from grading.grades import (
    FIRST_LINES,
    AxialMarks,
    Finding,
    Grading,
    LevelGrade,
    PixelPoint,
    SagittalView,
    SeriesVerdict,
    Side,
    SliceGrade,
    SliceKey,
    StudyGrades,
)

NEEDS_READER = "?"
"""Beside a grade that the bundle is too unsure of."""


def as_json(grades: StudyGrades) -> dict[str, Any]:
    """Return what ``grade --json`` prints, after ``docs/grade.schema.json``."""
    model = grades.model
    return {
        "first_line": FIRST_LINES[model.basis],
        "study_instance_uid": grades.study_instance_uid,
        "model": {
            "name": model.name,
            "version": model.version,
            "sha256": model.sha256,
            "basis": model.basis.value,
        },
        "series": [_series_json(verdict) for verdict in grades.series],
        "slices": [_slice_json(slice_grade) for slice_grade in grades.slices],
        "levels": [_level_json(level) for level in grades.levels],
        "sagittal": _view_json(grades.sagittal) if grades.sagittal else None,
        "notes": [FIRST_LINES[model.basis], *grades.notes],
    }


def _series_json(verdict: SeriesVerdict) -> dict[str, Any]:
    return {
        "series_instance_uid": verdict.series_instance_uid,
        "description": verdict.description,
        "plane": verdict.plane.value,
        "weighting": verdict.weighting.value,
        "graded": verdict.graded,
        "for_levels": verdict.for_levels,
        "reason": verdict.reason,
    }


def _slice_json(slice_grade: SliceGrade) -> dict[str, Any]:
    region = slice_grade.region
    return {
        **_key_json(slice_grade.key),
        "level": slice_grade.level,
        "through_disc": slice_grade.through_disc,
        "slab": slice_grade.slab,
        "region": {
            "row": region.row,
            "column": region.column,
            "size_mm": region.size_mm,
            "located": region.located,
            "origin": region.origin.value,
            "spread_mm": region.spread_mm,
        },
        "marks": {
            field.name: _point_json(getattr(slice_grade.marks, field.name))
            for field in fields(AxialMarks)
        },
        "grades": _gradings_json(slice_grade.grades),
        "roots": _roots_json(slice_grade.roots),
        "further": _gradings_json(slice_grade.further),
    }


def _level_json(level: LevelGrade) -> dict[str, Any]:
    return {
        "level": level.level,
        "slab": level.slab,
        "key_slice": _key_json(level.key_slice),
        "slices": [_key_json(key) for key in level.slices],
        "grades": _gradings_json(level.grades),
        "worst": _worst_json(level.worst),
        "roots": _roots_json(level.roots),
    }


def _worst_json(worst: Mapping[Finding, SliceKey]) -> dict[str, Any]:
    return {
        finding.value: _key_json(worst[finding]) if finding in worst else None
        for finding in Finding
    }


def _view_json(view: SagittalView) -> dict[str, Any]:
    return {
        **_key_json(view.key),
        "discs": [
            {"level": mark.level, "row": mark.point.row, "column": mark.point.column}
            for mark in view.discs
        ],
    }


def _key_json(key: SliceKey) -> dict[str, Any]:
    return {
        "series_instance_uid": key.series_instance_uid,
        "sop_instance_uid": key.sop_instance_uid,
        "frame": key.frame,
    }


def _point_json(point: PixelPoint | None) -> dict[str, float] | None:
    return {"row": point.row, "column": point.column} if point else None


def _roots_json(roots: Mapping[Side, Grading]) -> dict[str, Any]:
    return {
        side.value: _grading_json(roots[side]) if side in roots else None
        for side in Side
    }


def _gradings_json(gradings: Mapping[Any, Grading]) -> dict[str, Any]:
    return {str(name): _grading_json(grading) for name, grading in gradings.items()}


def _grading_json(grading: Grading) -> dict[str, Any]:
    return {
        "grade": int(grading.grade),
        "probabilities": [round(p, 6) for p in grading.probabilities],
        "temperature": grading.temperature,
        "threshold": grading.threshold,
        "needs_reader": grading.needs_reader,
    }


def as_table(grades: StudyGrades) -> str:
    """Return the grades per slice and level as lines of fixed-width columns."""
    model = grades.model
    heading = (
        f"{'slab':>4}  {'slice':>5}  {'position':>10}  {'level':<7}  "
        + "   ".join(f"{finding.value:<9}" for finding in Finding)
    )
    lines = [
        FIRST_LINES[model.basis],
        f"study {grades.study_instance_uid}",
        f"model {model.name} {model.version}, sha256 {model.sha256[:16]}",
        "",
        "series",
        *(
            f"  {_use(verdict):<10}  {verdict.description or '-':<16}  {verdict.reason}"
            for verdict in grades.series
        ),
        "",
        "per slice (grade, its probability)",
        heading,
        *(
            f"{found.slab:>4}  {number:>5}  {found.position_mm:>7.1f} mm  "
            f"{_level_text(found):<7}  "
            f"{_gradings_text(found.grades)}"
            for number, found in enumerate(grades.slices, start=1)
        ),
        "",
        "per disc level",
        *(
            f"  {level.name:<12}  {_gradings_text(level.grades)}{_roots_text(level)}"
            for level in grades.levels
        ),
        "",
        *_legend(grades),
        *(f"note: {note}" for note in grades.notes),
    ]
    return "\n".join(lines)


def _use(verdict: SeriesVerdict) -> str:
    if verdict.graded:
        return "graded"
    return "for levels" if verdict.for_levels else "not graded"


def _level_text(found: SliceGrade) -> str:
    """Return the level, in brackets where the slice does not pass through its disc."""
    if found.level is None:
        return "-"
    return found.level.value if found.through_disc else f"({found.level.value})"


def _roots_text(level: LevelGrade) -> str:
    """Return the grade of each side's root, where the bundle tells sides apart."""
    return "".join(
        f"   {side} root {int(level.roots[side].grade)}"
        for side in Side
        if side in level.roots
    )


def _legend(grades: StudyGrades) -> list[str]:
    graded: Sequence[SliceGrade | LevelGrade] = (*grades.slices, *grades.levels)
    asked = any(
        grading.needs_reader for one in graded for grading in one.grades.values()
    )
    fitted = all(it.calibrated for one in graded for it in one.grades.values())
    return [
        *([f"{NEEDS_READER} the grade needs a reader"] if asked else []),
        *([] if fitted else ["not all probabilities are calibrated"]),
    ]


def _gradings_text(gradings: Mapping[Finding, Grading]) -> str:
    return "   ".join(
        f"{int(gradings[finding].grade)} ({gradings[finding].probability:>4.0%})"
        f"{NEEDS_READER if gradings[finding].needs_reader else ' '}"
        for finding in Finding
    )
