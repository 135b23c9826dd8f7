"""Between what a study received and the rows that keep it.

Each function that makes a row has beside it the one that reads it back.
"""

from __future__ import annotations

from dataclasses import fields

from grading.grades import (
    AxialMarks,
    DiscMark,
    Finding,
    Grading,
    LevelGrade,
    ModelIdentity,
    Region,
    SagittalView,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from storage.jobs import Lease
from storage.tables import (
    LevelGradeRow,
    LevelGradingRow,
    LevelRootRow,
    LevelSliceRow,
    LevelWorstRow,
    NoteRow,
    ResultRow,
    ResultSeriesRow,
    SagittalDiscRow,
    SagittalViewRow,
    SliceGradeRow,
    SliceGradingRow,
    SliceMarkRow,
    SliceRootRow,
)

MARKS = tuple(field.name for field in fields(AxialMarks))


def result_row(lease: Lease, grades: StudyGrades) -> ResultRow:
    """Return the row of a result, with everything that hangs on it."""
    row = ResultRow(
        job_id=lease.id,
        study_instance_uid=lease.study_instance_uid,
        revision=lease.revision,
        model_name=grades.model.name,
        model_version=grades.model.version,
        model_sha256=grades.model.sha256,
        model_basis=grades.model.basis,
    )
    for ordinal, verdict in enumerate(grades.series):
        series = ResultSeriesRow(ordinal=ordinal)
        series.write_verdict(verdict)
        row.series.append(series)
    row.slices = [_slice_row(i, it) for i, it in enumerate(grades.slices)]
    row.levels = [_level_row(i, it) for i, it in enumerate(grades.levels)]
    row.notes = [NoteRow(ordinal=i, sentence=it) for i, it in enumerate(grades.notes)]
    row.sagittal = _view_row(grades.sagittal) if grades.sagittal else None
    return row


def study_grades(row: ResultRow) -> StudyGrades:
    """Return what a result's row keeps."""
    return StudyGrades(
        study_instance_uid=row.study_instance_uid,
        model=ModelIdentity(
            row.model_name, row.model_version, row.model_sha256, row.model_basis
        ),
        series=tuple(it for series in row.series if (it := series.read_verdict())),
        slices=tuple(_slice_grade(it) for it in row.slices),
        levels=tuple(_level_grade(it) for it in row.levels),
        notes=tuple(note.sentence for note in row.notes),
        sagittal=_view(row.sagittal) if row.sagittal else None,
    )


def _slice_row(ordinal: int, grade: SliceGrade) -> SliceGradeRow:
    row = SliceGradeRow(
        ordinal=ordinal,
        slab=grade.slab,
        position_mm=grade.position_mm,
        region_row=grade.region.row,
        region_column=grade.region.column,
        region_size_mm=grade.region.size_mm,
        region_origin=grade.region.origin,
        region_spread_mm=grade.region.spread_mm,
        level=grade.level,
        through_disc=grade.through_disc,
    )
    row.write_key(grade.key)
    row.gradings = [
        *(_head_row(it.value, grade.grades[it], further=False) for it in grade.grades),
        *(_head_row(it, grade.further[it], further=True) for it in grade.further),
    ]
    for side, grading in grade.roots.items():
        root = SliceRootRow(side=side)
        root.write_grading(grading)
        row.roots.append(root)
    row.marks = _mark_rows(grade.marks)
    return row


def _slice_grade(row: SliceGradeRow) -> SliceGrade:
    return SliceGrade(
        key=row.read_key(),
        slab=row.slab,
        position_mm=row.position_mm,
        region=Region(
            row.region_row,
            row.region_column,
            row.region_size_mm,
            row.region_origin,
            row.region_spread_mm,
        ),
        grades={
            Finding(it.head): it.read_grading() for it in row.gradings if not it.further
        },
        level=row.level,
        through_disc=row.through_disc,
        roots={it.side: it.read_grading() for it in row.roots},
        marks=AxialMarks(**{it.mark: it.read_point() for it in row.marks}),
        further={it.head: it.read_grading() for it in row.gradings if it.further},
    )


def _head_row(head: str, grading: Grading, *, further: bool) -> SliceGradingRow:
    row = SliceGradingRow(head=head, further=further)
    row.write_grading(grading)
    return row


def _mark_rows(marks: AxialMarks) -> list[SliceMarkRow]:
    rows = []
    for name in MARKS:
        if (point := getattr(marks, name)) is not None:
            row = SliceMarkRow(mark=name)
            row.write_point(point)
            rows.append(row)
    return rows


def _level_row(ordinal: int, grade: LevelGrade) -> LevelGradeRow:
    row = LevelGradeRow(
        ordinal=ordinal, level=grade.level, slab=grade.slab, slabs=grade.slabs
    )
    for position, key in enumerate((grade.key_slice, *grade.slices)):
        row.slices.append(_level_slice_row(position, key))
    for finding, grading in grade.grades.items():
        grading_row = LevelGradingRow(finding=finding)
        grading_row.write_grading(grading)
        row.gradings.append(grading_row)
    for finding, key in grade.worst.items():
        worst = LevelWorstRow(finding=finding)
        worst.write_key(key)
        row.worst.append(worst)
    for side, grading in grade.roots.items():
        root = LevelRootRow(side=side)
        root.write_grading(grading)
        row.roots.append(root)
    return row


def _level_slice_row(ordinal: int, key: SliceKey) -> LevelSliceRow:
    row = LevelSliceRow(ordinal=ordinal)
    row.write_key(key)
    return row


def _level_grade(row: LevelGradeRow) -> LevelGrade:
    key_slice, *slices = (it.read_key() for it in row.slices)
    return LevelGrade(
        level=row.level,
        slab=row.slab,
        slabs=row.slabs,
        key_slice=key_slice,
        slices=tuple(slices),
        grades={it.finding: it.read_grading() for it in row.gradings},
        worst={it.finding: it.read_key() for it in row.worst},
        roots={it.side: it.read_grading() for it in row.roots},
    )


def _view_row(view: SagittalView) -> SagittalViewRow:
    row = SagittalViewRow()
    row.write_key(view.key)
    for ordinal, mark in enumerate(view.discs):
        disc = SagittalDiscRow(ordinal=ordinal, level=mark.level)
        disc.write_point(mark.point)
        row.discs.append(disc)
    return row


def _view(row: SagittalViewRow) -> SagittalView:
    discs = tuple(DiscMark(it.level, it.read_point()) for it in row.discs)
    return SagittalView(row.read_key(), discs)
