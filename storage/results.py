"""What the model said about a study, whole: it reads back equal to what was saved."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grading.grades import (
    Finding,
    Grading,
    LevelGrade,
    ModelIdentity,
    Region,
    RegionOrigin,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from storage import jobs
from storage.jobs import Lease
from storage.tables import (
    LevelGradeRow,
    LevelGradingRow,
    LevelSliceRow,
    NoteRow,
    ResultRow,
    ResultSeriesRow,
    SliceGradeRow,
    SliceGradingRow,
)


def save(session: Session, lease: Lease, grades: StudyGrades) -> int:
    """Save what a study received under a lease and return the result's number.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended: its result is theirs.
    ValueError
        The grades are of another study than the job.
    """
    jobs.verify(session, lease)
    if grades.study_instance_uid != lease.study_instance_uid:
        raise ValueError(
            f"job {lease.id} is about study {lease.study_instance_uid}, "
            f"these grades are of study {grades.study_instance_uid}"
        )
    row = _result_row(lease, grades)
    session.add(row)
    session.flush()
    return row.id


def latest(session: Session, study_instance_uid: str) -> StudyGrades | None:
    """Return what a study received at its latest graded revision, or None."""
    row = session.scalar(
        sa.select(ResultRow)
        .where(ResultRow.study_instance_uid == study_instance_uid)
        .order_by(ResultRow.revision.desc())
        .limit(1)
    )
    return _study_grades(row) if row else None


def graded_studies(session: Session) -> list[str]:
    """Return the studies that have a result, the one graded first before the others."""
    first = sa.func.min(ResultRow.id)
    query = sa.select(ResultRow.study_instance_uid)
    return list(
        session.scalars(query.group_by(ResultRow.study_instance_uid).order_by(first))
    )


def result_exists(session: Session, study_instance_uid: str, revision: int) -> bool:
    """Tell whether this study has been graded at this revision."""
    found = session.scalar(
        sa.select(ResultRow.id).where(
            ResultRow.study_instance_uid == study_instance_uid,
            ResultRow.revision == revision,
        )
    )
    return found is not None


def _result_row(lease: Lease, grades: StudyGrades) -> ResultRow:
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
    return row


def _slice_row(ordinal: int, grade: SliceGrade) -> SliceGradeRow:
    row = SliceGradeRow(
        ordinal=ordinal,
        series_instance_uid=grade.key.series_instance_uid,
        sop_instance_uid=grade.key.sop_instance_uid,
        frame=grade.key.frame,
        slab=grade.slab,
        position_mm=grade.position_mm,
        region_row=grade.region.row,
        region_column=grade.region.column,
        region_size_mm=grade.region.size_mm,
        region_located=grade.region.located,
        level=grade.level,
    )
    for finding, grading in grade.grades.items():
        row.gradings.append(_head_row(finding.value, grading, further=False))
    for head, grading in grade.further.items():
        row.gradings.append(_head_row(head, grading, further=True))
    return row


def _head_row(head: str, grading: Grading, *, further: bool) -> SliceGradingRow:
    row = SliceGradingRow(head=head, further=further)
    row.write_grading(grading)
    return row


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
    return row


def _level_slice_row(ordinal: int, key: SliceKey) -> LevelSliceRow:
    return LevelSliceRow(
        ordinal=ordinal,
        series_instance_uid=key.series_instance_uid,
        sop_instance_uid=key.sop_instance_uid,
        frame=key.frame,
    )


def _study_grades(row: ResultRow) -> StudyGrades:
    return StudyGrades(
        study_instance_uid=row.study_instance_uid,
        model=ModelIdentity(
            row.model_name, row.model_version, row.model_sha256, row.model_basis
        ),
        series=tuple(it for series in row.series if (it := series.read_verdict())),
        slices=tuple(_slice_grade(it) for it in row.slices),
        levels=tuple(_level_grade(it) for it in row.levels),
        notes=tuple(note.sentence for note in row.notes),
    )


def _slice_grade(row: SliceGradeRow) -> SliceGrade:
    return SliceGrade(
        key=row.read_key(),
        slab=row.slab,
        position_mm=row.position_mm,
        region=Region(
            row.region_row,
            row.region_column,
            row.region_size_mm,
            RegionOrigin.LANDMARKS if row.region_located else RegionOrigin.CENTRE,
        ),
        grades={
            Finding(it.head): it.read_grading() for it in row.gradings if not it.further
        },
        level=row.level,
        further={it.head: it.read_grading() for it in row.gradings if it.further},
    )


def _level_grade(row: LevelGradeRow) -> LevelGrade:
    key_slice, *slices = (it.read_key() for it in row.slices)
    return LevelGrade(
        level=row.level,
        slab=row.slab,
        slabs=row.slabs,
        key_slice=key_slice,
        slices=tuple(slices),
        grades={it.finding: it.read_grading() for it in row.gradings},
    )
