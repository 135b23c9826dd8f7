"""What the model said about a study, whole: it reads back equal to what was saved."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grading.grades import StudyGrades
from storage import jobs
from storage.jobs import Lease
from storage.result_rows import result_row, study_grades
from storage.tables import ResultRow


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
    row = result_row(lease, grades)
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
    return study_grades(row) if row else None


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
