"""A study's grades as JSON for machines and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grading.grades import (
    FIRST_LINES,
    Finding,
    Grading,
    LevelGrade,
    SliceGrade,
    StudyGrades,
)

NEEDS_READER = "?"
"""Beside a grade that the bundle is too unsure of."""


def as_json(grades: StudyGrades) -> dict[str, Any]:
    """Return what ``grade --json`` prints, after ``docs/grade.schema.json``."""
    model = grades.model
    return {
        "study_instance_uid": grades.study_instance_uid,
        "model": {
            "name": model.name,
            "version": model.version,
            "sha256": model.sha256,
            "basis": model.basis.value,
        },
        "series": [
            {
                "series_instance_uid": verdict.series_instance_uid,
                "description": verdict.description,
                "plane": verdict.plane.value,
                "weighting": verdict.weighting.value,
                "graded": verdict.graded,
                "reason": verdict.reason,
            }
            for verdict in grades.series
        ],
        "slices": [_slice_json(slice_grade) for slice_grade in grades.slices],
        "levels": [
            {
                "level": level.level.value if level.level else None,
                "slab": level.slab,
                "key_slice": {
                    "series_instance_uid": level.key_slice.series_instance_uid,
                    "sop_instance_uid": level.key_slice.sop_instance_uid,
                    "frame": level.key_slice.frame,
                },
                "grades": _gradings_json(level.grades),
            }
            for level in grades.levels
        ],
        "notes": [FIRST_LINES[model.basis], *grades.notes],
    }


def _slice_json(slice_grade: SliceGrade) -> dict[str, Any]:
    key, region = slice_grade.key, slice_grade.region
    return {
        "series_instance_uid": key.series_instance_uid,
        "sop_instance_uid": key.sop_instance_uid,
        "frame": key.frame,
        "level": slice_grade.level.value if slice_grade.level else None,
        "slab": slice_grade.slab,
        "region": {
            "row": region.row,
            "column": region.column,
            "size_mm": region.size_mm,
            "located": region.located,
        },
        "grades": _gradings_json(slice_grade.grades),
        "further": _gradings_json(slice_grade.further),
    }


def _gradings_json(gradings: Mapping[Any, Grading]) -> dict[str, Any]:
    return {
        str(name): {
            "grade": int(grading.grade),
            "probabilities": [round(p, 6) for p in grading.probabilities],
            "temperature": grading.temperature,
            "threshold": grading.threshold,
            "needs_reader": grading.needs_reader,
        }
        for name, grading in gradings.items()
    }


def as_table(grades: StudyGrades) -> str:
    """Return the grades per slice and level as lines of fixed-width columns."""
    model = grades.model
    heading = f"{'slab':>4}  {'slice':>5}  {'position':>10}   " + "   ".join(
        f"{finding.value:<9}" for finding in Finding
    )
    lines = [
        FIRST_LINES[model.basis],
        f"study {grades.study_instance_uid}",
        f"model {model.name} {model.version}, sha256 {model.sha256[:16]}",
        "",
        "series",
        *(
            f"  {'graded' if verdict.graded else 'not graded':<10}  "
            f"{verdict.description or '-':<16}  {verdict.reason}"
            for verdict in grades.series
        ),
        "",
        "per slice (grade, its probability)",
        heading,
        *(
            f"{found.slab:>4}  {number:>5}  {found.position_mm:>7.1f} mm   "
            f"{_gradings_text(found.grades)}"
            for number, found in enumerate(grades.slices, start=1)
        ),
        "",
        "per disc level",
        *(
            f"  {level.name:<12}  {_gradings_text(level.grades)}"
            for level in grades.levels
        ),
        "",
        *_legend(grades),
        *(f"note: {note}" for note in grades.notes),
    ]
    return "\n".join(lines)


def _legend(grades: StudyGrades) -> list[str]:
    graded: Sequence[SliceGrade | LevelGrade] = (*grades.slices, *grades.levels)
    asked = any(
        grading.needs_reader for one in graded for grading in one.grades.values()
    )
    return [f"{NEEDS_READER} the grade needs a reader"] if asked else []


def _gradings_text(gradings: Mapping[Finding, Grading]) -> str:
    return "   ".join(
        f"{int(gradings[finding].grade)} ({gradings[finding].probability:>4.0%})"
        f"{NEEDS_READER if gradings[finding].needs_reader else ' '}"
        for finding in Finding
    )
