"""A clock that was set back: nothing that has happened may lie in the future.

Times in the database are wall clock times. One that lies further ahead than any rule of
ours puts it was written before the clock went back, and would be waited for until the
clock is there again. Pulling such times back needs no knowledge of when or how far the
clock went, does nothing where it did not, and may be done by any number of workers.

A clock that went forward leaves no trace in the rows; see `dicom_node.clockwatch`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.database import database_now
from storage.jobs import LAST_RETRY_SECONDS
from storage.states import CommitmentState, DeliveryState, JobState, ReceiptState
from storage.tables import (
    CommitmentRow,
    DeliveryRow,
    JobRow,
    ReceiptRow,
    StudyRow,
    WorkerRow,
)

TOLERANCE = timedelta(seconds=5)
"""Two hosts, or a database and its host, may differ by so much."""
LONGEST_OUTAGE = timedelta(seconds=120)
"""A job that nobody has blamed yet is never put off for longer."""
LONGEST_RETRY = timedelta(seconds=2 * LAST_RETRY_SECONDS)
"""No other is put off for longer, jitter included."""


def ahead(session: Session, longest_lease_seconds: float) -> bool:
    """Tell whether `pull_back` would correct anything; a look, which locks nobody."""
    return any(
        session.scalar(sa.select(sa.exists().where(which)))
        for which, _ in _corrections(database_now(session), longest_lease_seconds)
    )


def pull_back(session: Session, longest_lease_seconds: float) -> int:
    """Correct the times that a clock set back has left in the future; return how many.

    Images that came in the future, leases that end later than any lease may, and work
    that was put off before the clock went back. A campaign's jobs may be put off for
    as long as it likes, and are left alone.
    """
    corrections = _corrections(database_now(session), longest_lease_seconds)
    return sum(_correct(session, which, values) for which, values in corrections)


def _corrections(
    now: datetime, longest_lease_seconds: float
) -> list[tuple[sa.ColumnElement[bool], dict[Any, Any]]]:
    """Return which rows are wrong, and what they are to say instead."""
    soon = now + TOLERANCE
    latest_lease = soon + timedelta(seconds=longest_lease_seconds)
    return [
        (StudyRow.last_received_at > soon, _received(now)),
        (
            (ReceiptRow.state == ReceiptState.RECEIVED)
            & (ReceiptRow.recorded_at > soon),
            {ReceiptRow.recorded_at: now},
        ),
        (
            (JobRow.state == JobState.RUNNING) & (JobRow.lease_until > latest_lease),
            {JobRow.lease_until: latest_lease},
        ),
        (
            (DeliveryRow.state == DeliveryState.SENDING)
            & (DeliveryRow.lease_until > latest_lease),
            {DeliveryRow.lease_until: latest_lease},
        ),
        (
            (CommitmentRow.state == CommitmentState.ASKING)
            & (CommitmentRow.lease_until > latest_lease),
            {CommitmentRow.lease_until: latest_lease},
        ),
        (_put_off_too_long(soon), {JobRow.not_before: now}),
        (
            DeliveryRow.changed_at > soon,
            {
                DeliveryRow.not_before: now,
                DeliveryRow.changed_at: now,
                DeliveryRow.waiting_since: now,
            },
        ),
        (
            CommitmentRow.changed_at > soon,
            {
                CommitmentRow.not_before: now,
                CommitmentRow.changed_at: now,
                CommitmentRow.waiting_since: now,
            },
        ),
        (WorkerRow.seen_at > soon, {WorkerRow.seen_at: now}),
    ]


def _received(now: datetime) -> dict[Any, Any]:
    """Let a study have received its last image now, and be as settled as it was."""
    settled = StudyRow.settled_as_of.is_not_distinct_from(StudyRow.last_received_at)
    return {
        StudyRow.last_received_at: now,
        StudyRow.settled_as_of: sa.case((settled, now), else_=sa.null()),
    }


def _put_off_too_long(soon: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        JobRow.state == JobState.WAITING,
        JobRow.campaign_id.is_(None),
        sa.or_(
            JobRow.not_before > soon + LONGEST_RETRY,
            (JobRow.attempts == 0) & (JobRow.not_before > soon + LONGEST_OUTAGE),
        ),
    )


def _correct(
    session: Session, which: sa.ColumnElement[bool], values: dict[Any, Any]
) -> int:
    table = next(iter(values)).class_
    corrected = session.scalars(
        sa.update(table)
        .where(which)
        .values(values)
        .returning(*sa.inspect(table).primary_key)
        .execution_options(synchronize_session=False)
    )
    return len(corrected.all())
