"""One look at everything: how much waits, since when, and what went wrong last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from storage.alarms import Alarm, open_alarms
from storage.database import database_now
from storage.states import (
    CommitmentState,
    DeliveryState,
    JobState,
    ObjectKind,
    ReceiptState,
)
from storage.tables import (
    CommitmentRow,
    DeliveryRow,
    JobRow,
    ObjectRow,
    ReceiptRow,
    ResultRow,
    StudyRow,
)
from storage.workers import WorkerSeen, workers

LAST_ERRORS = 20
"""As many as a person reads; the log has the rest."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """How many C-STOREs were acknowledged, by what became of them."""

    received: int
    indexed: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Studies:
    """How many studies there are, and how many are not settled."""

    total: int
    held: int
    waiting: int
    """Changed since they were last looked at."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """How many jobs there are in each state."""

    waiting: int
    running: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How many deliveries one destination has in each state."""

    destination: str
    waiting: int
    sending: int
    delivered: int
    shadow: int
    dead: int
    withdrawn: int = 0
    oldest_seconds: float | None = None
    """How long the oldest has waited to be sent; None where none waits."""


@dataclass(frozen=True, slots=True)
class Commitments:
    """How many delivered objects one destination commits to keep, and how many not."""

    destination: str
    waiting: int
    asking: int
    asked: int
    committed: int
    failed: int
    withdrawn: int = 0
    oldest_seconds: float | None = None
    """How long the oldest has waited to be asked about; None where none waits."""


@dataclass(frozen=True, slots=True)
class SentAs:
    """In which SOP class a destination took one kind of object, and how many."""

    destination: str
    kind: ObjectKind
    sop_class_uid: str
    count: int


@dataclass(frozen=True, slots=True)
class OldestWaiting:
    """How long the oldest of each has waited, in seconds; None where none waits."""

    receipt_seconds: float | None
    job_seconds: float | None
    delivery_seconds: float | None
    study_seconds: float | None = None
    """Since the last image of a study that was not looked at yet."""


@dataclass(frozen=True, slots=True)
class LastError:
    """Something that went wrong, for a person."""

    at: datetime
    study_instance_uid: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A study of which something seemed to be missing when it was looked at."""

    at: datetime
    study_instance_uid: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the node at one moment."""

    at: datetime
    receipts: Receipts
    studies: Studies
    jobs: Jobs
    deliveries: tuple[Deliveries, ...]
    """By destination name."""
    oldest: OldestWaiting
    errors: tuple[LastError, ...]
    """The latest first, of each kind at most twenty."""
    alarms: tuple[Alarm, ...]
    """The latest first."""
    sent: tuple[SentAs, ...] = ()
    """By destination, kind and SOP class: who took a fall-back, and which."""
    incomplete: tuple[Incomplete, ...] = ()
    """The latest first, at most twenty."""
    commitments: tuple[Commitments, ...] = ()
    """By destination name; of those that are asked."""
    workers: tuple[WorkerSeen, ...] = ()
    """Not told to stop, and not silent for a day while another lived."""


def overview(session: Session) -> Overview:
    """Return the state of everything as of now, by the database's clock."""
    now = database_now(session)
    return Overview(
        at=now,
        receipts=_receipts(session),
        studies=_studies(session),
        jobs=_jobs(session),
        deliveries=_deliveries(session, now),
        oldest=_oldest(session, now),
        errors=_errors(session, now),
        alarms=tuple(open_alarms(session)),
        sent=_sent(session),
        incomplete=_incomplete(session),
        commitments=_commitments(session, now),
        workers=tuple(workers(session, now)),
    )


def _receipts(session: Session) -> Receipts:
    return Receipts(**_counts(session, ReceiptRow.state, ReceiptState))


def _jobs(session: Session) -> Jobs:
    return Jobs(**_counts(session, JobRow.state, JobState))


def _counts(
    session: Session, column: InstrumentedAttribute[Any], states: type[StrEnum]
) -> dict[str, int]:
    """Return the number of rows in each state, by the state's word."""
    found = session.execute(sa.select(column, sa.func.count()).group_by(column))
    return dict.fromkeys(states, 0) | {state.value: count for state, count in found}


def _studies(session: Session) -> Studies:
    count = sa.func.count
    query = sa.select(
        count(),
        count().filter(StudyRow.held_since.is_not(None)),
        count().filter(
            _UNLOOKED,
            StudyRow.last_received_at.is_not(None),
        ),
    ).select_from(StudyRow)
    total, held, waiting = session.execute(query).one()
    return Studies(total, held, waiting)


_HELD = sa.select(StudyRow.study_instance_uid).where(StudyRow.held_since.is_not(None))
"""They wait for a person, and what belongs to them for nothing else."""
_QUEUED = (JobState.WAITING, JobState.RUNNING)
_UNSENT = sa.and_(
    DeliveryRow.state.in_([DeliveryState.WAITING, DeliveryState.SENDING]),
    DeliveryRow.result_id.not_in(
        sa.select(ResultRow.id).where(ResultRow.study_instance_uid.in_(_HELD))
    ),
)
_UNLOOKED = sa.and_(
    StudyRow.settled_as_of.is_distinct_from(StudyRow.last_received_at),
    StudyRow.held_since.is_(None),
)


def _deliveries(session: Session, now: datetime) -> tuple[Deliveries, ...]:
    states, since = DeliveryRow.state, DeliveryRow.waiting_since
    counts = _by_destination(session, DeliveryRow.destination, states)
    oldest = _oldest_by_destination(
        session, now, DeliveryRow.destination, since, _UNSENT
    )
    return tuple(
        Deliveries(
            destination,
            **{state.value: by_state.get(state, 0) for state in DeliveryState},
            oldest_seconds=oldest.get(destination),
        )
        for destination, by_state in sorted(counts.items())
    )


def _commitments(session: Session, now: datetime) -> tuple[Commitments, ...]:
    row = CommitmentRow
    counts = _by_destination(session, row.destination, row.state)
    # What was asked waits for its answer, for which there is a time of its own.
    unasked = row.state.in_([CommitmentState.WAITING, CommitmentState.ASKING])
    delivered = row.delivery_id.in_(
        sa.select(DeliveryRow.id).where(DeliveryRow.state == DeliveryState.DELIVERED)
    )
    to_ask = sa.and_(unasked, delivered)
    # An answer that is overdue should have been asked for again.
    unanswered = row.state == CommitmentState.ASKED
    oldest = _oldest_by_destination(
        session, now, row.destination, row.waiting_since, to_ask
    )
    overdue = _oldest_by_destination(
        session, now, row.destination, row.not_before, unanswered
    )
    return tuple(
        Commitments(
            destination,
            **{state.value: by_state.get(state, 0) for state in CommitmentState},
            oldest_seconds=max(
                (
                    seconds
                    for seconds in (oldest.get(destination), overdue.get(destination))
                    if seconds is not None and seconds >= 0
                ),
                default=None,
            ),
        )
        for destination, by_state in sorted(counts.items())
    )


def _by_destination(
    session: Session,
    destination: InstrumentedAttribute[str],
    state: InstrumentedAttribute[Any],
) -> dict[str, dict[Any, int]]:
    query = sa.select(destination, state, sa.func.count()).group_by(destination, state)
    counts: dict[str, dict[Any, int]] = {}
    for name, of_state, count in session.execute(query):
        counts.setdefault(name, {})[of_state] = count
    return counts


def _oldest_by_destination(
    session: Session,
    now: datetime,
    destination: InstrumentedAttribute[str],
    since: InstrumentedAttribute[datetime],
    which: sa.ColumnElement[bool],
) -> dict[str, float]:
    query = sa.select(destination, sa.func.min(since)).where(which)
    return {
        name: (now - oldest).total_seconds()
        for name, oldest in session.execute(query.group_by(destination))
    }


def _sent(session: Session) -> tuple[SentAs, ...]:
    by = (DeliveryRow.destination, DeliveryRow.kind, ObjectRow.sop_class_uid)
    query = (
        sa.select(*by, sa.func.count())
        .join(ObjectRow, DeliveryRow.object_id == ObjectRow.id)
        .where(DeliveryRow.state == DeliveryState.DELIVERED)
        .group_by(*by)
        .order_by(*by)
    )
    return tuple(SentAs(*row) for row in session.execute(query))


def _incomplete(session: Session) -> tuple[Incomplete, ...]:
    query = (
        sa.select(StudyRow)
        .where(StudyRow.seems_missing.is_not(None))
        .order_by(StudyRow.settled_as_of.desc(), StudyRow.study_instance_uid)
        .limit(LAST_ERRORS)
    )
    return tuple(
        Incomplete(
            row.settled_as_of or row.created_at,
            row.study_instance_uid,
            tuple((row.seems_missing or "").splitlines()),
        )
        for row in session.scalars(query)
    )


def _oldest(session: Session, now: datetime) -> OldestWaiting:
    received = ReceiptRow.state == ReceiptState.RECEIVED
    queued = sa.and_(JobRow.state.in_(_QUEUED), JobRow.study_instance_uid.not_in(_HELD))
    return OldestWaiting(
        _age_seconds(session, now, ReceiptRow.recorded_at, received),
        _age_seconds(session, now, JobRow.created_at, queued),
        _age_seconds(session, now, DeliveryRow.waiting_since, _UNSENT),
        _age_seconds(session, now, StudyRow.last_received_at, _UNLOOKED),
    )


def _age_seconds(
    session: Session,
    now: datetime,
    since: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    which: sa.ColumnElement[bool],
) -> float | None:
    oldest = session.scalar(sa.select(sa.func.min(since)).where(which))
    return None if oldest is None else (now - oldest).total_seconds()


def _errors(session: Session, now: datetime) -> tuple[LastError, ...]:
    found = [
        *_job_errors(session),
        *_interrupted_jobs(session, now),
        *_delivery_errors(session),
        *_commitment_errors(session),
        *_quarantines(session),
        *_unread(session),
    ]
    return tuple(sorted(found, key=lambda error: error.at, reverse=True))


def _job_errors(session: Session) -> list[LastError]:
    query = (
        sa.select(JobRow)
        .where(JobRow.state == JobState.FAILED)
        .order_by(JobRow.ended_at.desc(), JobRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            row.ended_at or row.created_at,
            row.study_instance_uid,
            f"revision {row.revision} was not graded: {row.reason}",
        )
        for row in session.scalars(query)
    ]


def _interrupted_jobs(session: Session, now: datetime) -> list[LastError]:
    """Return what is to be graded again: a disk was full, a GPU not there."""
    query = (
        sa.select(JobRow)
        .where(JobRow.state.in_(_QUEUED), JobRow.reason.is_not(None))
        .order_by(JobRow.not_before.desc(), JobRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            min(row.not_before, now),
            row.study_instance_uid,
            f"revision {row.revision} waits to be graded again: {row.reason}",
        )
        for row in session.scalars(query)
    ]


def _delivery_errors(session: Session) -> list[LastError]:
    query = (
        sa.select(DeliveryRow, ResultRow.study_instance_uid)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(
            DeliveryRow.last_error.is_not(None),
            DeliveryRow.state.not_in(
                [DeliveryState.DELIVERED, DeliveryState.WITHDRAWN]
            ),
        )
        .order_by(DeliveryRow.changed_at.desc(), DeliveryRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            row.changed_at,
            study_instance_uid,
            f"{row.kind} to {row.destination}, {row.state}: {row.last_error}",
        )
        for row, study_instance_uid in session.execute(query)
    ]


def _commitment_errors(session: Session) -> list[LastError]:
    query = (
        sa.select(CommitmentRow, ResultRow.study_instance_uid)
        .join(DeliveryRow, CommitmentRow.delivery_id == DeliveryRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(CommitmentRow.last_error.is_not(None))
        .order_by(CommitmentRow.changed_at.desc(), CommitmentRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            row.changed_at,
            study_instance_uid,
            f"commitment of {row.destination}, {row.state}: {row.last_error}",
        )
        for row, study_instance_uid in session.execute(query)
    ]


def _quarantines(session: Session) -> list[LastError]:
    query = (
        sa.select(ReceiptRow)
        .where(ReceiptRow.state == ReceiptState.QUARANTINED)
        .order_by(ReceiptRow.decided_at.desc(), ReceiptRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            row.decided_at or row.recorded_at,
            None,
            f"receipt {row.id} of {row.calling_ae_title} is quarantined: {row.reason}",
        )
        for row in session.scalars(query)
    ]


def _unread(session: Session) -> list[LastError]:
    query = (
        sa.select(ReceiptRow)
        .where(
            ReceiptRow.state == ReceiptState.RECEIVED, ReceiptRow.reason.is_not(None)
        )
        .order_by(ReceiptRow.recorded_at.desc(), ReceiptRow.id.desc())
        .limit(LAST_ERRORS)
    )
    return [
        LastError(
            row.recorded_at,
            None,
            f"receipt {row.id} of {row.calling_ae_title} cannot be read yet: "
            f"{row.reason}",
        )
        for row in session.scalars(query)
    ]
