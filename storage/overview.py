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
from storage.states import DeliveryState, JobState, ObjectKind, ReceiptState
from storage.tables import (
    DeliveryRow,
    JobRow,
    ObjectRow,
    ReceiptRow,
    ResultRow,
    StudyRow,
)

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


def overview(session: Session) -> Overview:
    """Return the state of everything as of now, by the database's clock."""
    now = database_now(session)
    return Overview(
        at=now,
        receipts=_receipts(session),
        studies=_studies(session),
        jobs=_jobs(session),
        deliveries=_deliveries(session),
        oldest=_oldest(session, now),
        errors=_errors(session),
        alarms=tuple(open_alarms(session)),
        sent=_sent(session),
        incomplete=_incomplete(session),
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
    changed = StudyRow.settled_as_of.is_distinct_from(StudyRow.last_received_at)
    count = sa.func.count
    query = sa.select(
        count(),
        count().filter(StudyRow.held_since.is_not(None)),
        count().filter(
            changed,
            StudyRow.last_received_at.is_not(None),
            StudyRow.held_since.is_(None),
        ),
    ).select_from(StudyRow)
    total, held, waiting = session.execute(query).one()
    return Studies(total, held, waiting)


def _deliveries(session: Session) -> tuple[Deliveries, ...]:
    query = sa.select(DeliveryRow.destination, DeliveryRow.state, sa.func.count())
    counts: dict[str, dict[DeliveryState, int]] = {}
    for destination, state, count in session.execute(
        query.group_by(DeliveryRow.destination, DeliveryRow.state)
    ):
        counts.setdefault(destination, {})[state] = count
    return tuple(
        Deliveries(
            destination,
            **{state.value: by_state.get(state, 0) for state in DeliveryState},
        )
        for destination, by_state in sorted(counts.items())
    )


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
    queued = JobRow.state.in_([JobState.WAITING, JobState.RUNNING])
    unsent = DeliveryRow.state.in_([DeliveryState.WAITING, DeliveryState.SENDING])
    return OldestWaiting(
        _age_seconds(session, now, ReceiptRow.recorded_at, received),
        _age_seconds(session, now, JobRow.created_at, queued),
        _age_seconds(session, now, DeliveryRow.created_at, unsent),
    )


def _age_seconds(
    session: Session,
    now: datetime,
    since: InstrumentedAttribute[datetime],
    which: sa.ColumnElement[bool],
) -> float | None:
    oldest = session.scalar(sa.select(sa.func.min(since)).where(which))
    return None if oldest is None else (now - oldest).total_seconds()


def _errors(session: Session) -> tuple[LastError, ...]:
    found = [
        *_job_errors(session),
        *_delivery_errors(session),
        *_quarantines(session),
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


def _delivery_errors(session: Session) -> list[LastError]:
    query = (
        sa.select(DeliveryRow, ResultRow.study_instance_uid)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(
            DeliveryRow.last_error.is_not(None),
            DeliveryRow.state != DeliveryState.DELIVERED,
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
