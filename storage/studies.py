"""Studies: what has gone quiet, which revision is open, what a person must decide."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grading.grades import SeriesVerdict
from storage import alarms
from storage.database import database_now
from storage.errors import StorageError, StudyHeld, StudyUnknown
from storage.receipts import oldest_waiting
from storage.states import AlarmKind
from storage.tables import InstanceRow, SeriesRow, StudyRow, VersionRow


@dataclass(frozen=True, slots=True)
class StudyToSettle:
    """A study that has changed and gone quiet, as of its last gradable change."""

    study_instance_uid: str
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class HeldStudy:
    """A study about which a person must decide before anything is sent."""

    study_instance_uid: str
    held_since: datetime
    reason: str


def quiet_studies(session: Session, quiet_seconds: float) -> list[StudyToSettle]:
    """Return the studies to look at now, the longest quiet first.

    Such a study has an image, has changed since it was last looked at, is not
    held, and received nothing for ``quiet_seconds`` by the database's clock.
    C-STORE has no end-of-study mark (PS3.4 B), so silence is the only sign.

    A receipt that is not indexed yet may belong to any study. While one was
    recorded early enough to have broken a study's silence, that study is not
    quiet: an indexer that lags makes studies late, never incomplete.
    """
    silence = timedelta(seconds=quiet_seconds)
    query = _changed().where(
        StudyRow.last_received_at <= database_now(session) - silence
    )
    waiting = oldest_waiting(session)
    if waiting is not None:
        query = query.where(StudyRow.last_received_at < waiting - silence)
    return _to_settle(session, query)


def changed_studies(session: Session) -> list[StudyToSettle]:
    """Return the studies that will be looked at once they are quiet."""
    return _to_settle(session, _changed())


def _changed() -> sa.Select[str, datetime | None]:
    return (
        sa.select(StudyRow.study_instance_uid, StudyRow.last_received_at)
        .where(
            StudyRow.last_received_at.is_not(None),
            StudyRow.settled_as_of.is_distinct_from(StudyRow.last_received_at),
            StudyRow.held_since.is_(None),
        )
        .order_by(StudyRow.last_received_at, StudyRow.study_instance_uid)
    )


def _to_settle(
    session: Session, query: sa.Select[str, datetime | None]
) -> list[StudyToSettle]:
    return [StudyToSettle(uid, last) for uid, last in session.execute(query) if last]


def settle(
    session: Session,
    study_instance_uid: str,
    last_received_at: datetime,
    input_digest: str,
    seems_missing: Sequence[str] = (),
) -> int | None:
    """Mark a study as looked at, and return the revision that this opens, if any.

    ``seems_missing`` are sentences for the report and for `incomplete_studies`.

    Nothing is marked, and None returned, where the study has changed since
    ``last_received_at`` or is held: it will be quiet again. None is returned as
    well where the gradable input is what the last revision was made of.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    study = lock_study(session, study_instance_uid)
    if study.last_received_at != last_received_at or study.held_since:
        return None
    study.settled_as_of = last_received_at
    study.seems_missing = "\n".join(seems_missing) or None
    if study.input_digest == input_digest:
        return None
    study.input_digest = input_digest
    study.revision += 1
    return study.revision


def seems_missing(session: Session, study_instance_uid: str) -> list[str]:
    """Return what seemed to be missing when the study was last looked at."""
    query = sa.select(StudyRow.seems_missing).where(
        StudyRow.study_instance_uid == study_instance_uid
    )
    return (session.scalar(query) or "").splitlines()


def force_revision(session: Session, study_instance_uid: str) -> int:
    """Open and return the next revision of a study, though its input is the same.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    StudyHeld
        A person has to decide about the study first.
    """
    study = lock_study(session, study_instance_uid)
    if study.held_since:
        raise StudyHeld(
            f"study {study_instance_uid} is held: {study.hold_reason}; "
            f"release it before it is graded again"
        )
    study.revision += 1
    return study.revision


def hold(
    session: Session,
    study_instance_uid: str,
    reason: str,
    *,
    whoever_accepted: bool = False,
) -> bool:
    """Hold a study: nothing of it is graded or sent until somebody releases it.

    Returns
    -------
    bool
        False, and nothing happens, where a person has already accepted just
        those patients together that the study has now; unless the reason has
        nothing to do with the patients (``whoever_accepted``).

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    study = lock_study(session, study_instance_uid)
    present = patients_together(session, study_instance_uid)
    accepted = study.held_since is None and study.accepted_patients == present
    if accepted and not whoever_accepted:
        return False
    study.held_since = study.held_since or database_now(session)
    study.hold_reason = reason
    alarms.raise_alarm(session, AlarmKind.STUDY_HELD, study_instance_uid, reason)
    return True


def note_change(session: Session, study: StudyRow) -> None:
    """Let a study whose gradable input has changed be looked at once it is quiet.

    The time is always a later one, though the clock may stand still or step back:
    `settle` knows by it whether anything came in between.
    """
    now, last = database_now(session), study.last_received_at
    study.last_received_at = (
        now if last is None else max(now, last + timedelta(microseconds=1))
    )


def held_studies(session: Session) -> list[HeldStudy]:
    """Return the studies that wait for a person, the longest held first."""
    query = (
        sa.select(StudyRow)
        .where(StudyRow.held_since.is_not(None))
        .order_by(StudyRow.held_since, StudyRow.study_instance_uid)
    )
    return [
        HeldStudy(row.study_instance_uid, row.held_since, row.hold_reason or "")
        for row in session.scalars(query)
        if row.held_since
    ]


def save_verdicts(
    session: Session, study_instance_uid: str, verdicts: Sequence[SeriesVerdict]
) -> None:
    """Keep what became of each series, in place of what was kept before.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    StorageError
        A verdict is about a series that the study does not have.
    """
    lock_study(session, study_instance_uid)
    rows = {
        row.series_instance_uid: row for row in _series(session, study_instance_uid)
    }
    for verdict in verdicts:
        if not (row := rows.get(verdict.series_instance_uid)):
            raise StorageError(
                f"study {study_instance_uid} has no series "
                f"{verdict.series_instance_uid}, so no verdict on it can be kept"
            )
        row.write_verdict(verdict)


def verdicts(session: Session, study_instance_uid: str) -> list[SeriesVerdict]:
    """Return what became of each series that was looked at, by series UID."""
    rows = _series(session, study_instance_uid)
    return [verdict for row in rows if (verdict := row.read_verdict())]


def lock_study(session: Session, study_instance_uid: str) -> StudyRow:
    """Return a study that nobody else changes until the transaction ends.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    query = sa.select(StudyRow).where(StudyRow.study_instance_uid == study_instance_uid)
    return _known(
        session.scalar(
            query.with_for_update().execution_options(populate_existing=True)
        ),
        study_instance_uid,
    )


def require_study(session: Session, study_instance_uid: str) -> None:
    """Refuse a study of which nothing was received.

    Raises
    ------
    StudyUnknown
        As it says.
    """
    _known(session.get(StudyRow, study_instance_uid), study_instance_uid)


def _known(study: StudyRow | None, study_instance_uid: str) -> StudyRow:
    if study is None:
        raise StudyUnknown(
            f"nothing of study {study_instance_uid} was ever received: check the "
            f"Study Instance UID, or send the study to this node"
        )
    return study


def _series(session: Session, study_instance_uid: str) -> list[SeriesRow]:
    query = sa.select(SeriesRow).where(
        SeriesRow.study_instance_uid == study_instance_uid
    )
    # Sorted here, because each database has its own order of text.
    return sorted(session.scalars(query), key=lambda row: row.series_instance_uid)


def patients_together(session: Session, study_instance_uid: str) -> str:
    """Return one digest of the set of patients that a study's instances name."""
    query = (
        sa.select(VersionRow.patient_digest)
        .distinct()
        .join(InstanceRow, current_version())
        .join(SeriesRow, InstanceRow.series_id == SeriesRow.id)
        .where(SeriesRow.study_instance_uid == study_instance_uid)
    )
    together = repr(sorted(session.scalars(query)))
    return hashlib.sha256(together.encode()).hexdigest()


def current_version() -> sa.ColumnElement[bool]:
    """Join an instance to the one version of it that is graded."""
    return sa.and_(
        VersionRow.instance_id == InstanceRow.id,
        VersionRow.number == InstanceRow.current_version,
    )
