"""What a destination answers when it is asked what it keeps, and what follows.

A good answer commits; a bad one sends the object again, and in the end calls a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms, outbox
from storage.commitments import begin_anew, raise_failed, with_objects
from storage.database import database_now
from storage.states import AlarmKind, CommitmentState
from storage.tables import (
    CommitmentQuestionRow,
    CommitmentRow,
    DeliveryRow,
    ResultRow,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a destination says about one question (PS3.4 J.3.3)."""

    transaction_uid: str
    committed: frozenset[str] = frozenset()
    """SOP Instance UIDs."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """Failure Reason (0008,1197) by SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a report changed, for the log."""

    destination: str
    committed: int
    sent_again: int
    failed: int


MAX_RESENDS = 2
"""An object that a destination loses three times it will lose a fourth time."""

_ANSWERABLE = (
    CommitmentState.WAITING,
    CommitmentState.ASKING,
    CommitmentState.ASKED,
    CommitmentState.FAILED,
    CommitmentState.WITHDRAWN,
)


def answered(session: Session, report: Report) -> Answered | None:
    """Take a destination's answer; None where nobody ever asked under that UID.

    A late answer to an early question counts where it is good. Where it is bad, only
    the answer to the latest question counts: the object may have been sent since.
    """
    rows = session.execute(
        with_objects(every_delivery=True)
        .add_columns(CommitmentQuestionRow.sop_instance_uid)
        .join(
            CommitmentQuestionRow,
            CommitmentQuestionRow.commitment_id == CommitmentRow.id,
        )
        .where(CommitmentQuestionRow.transaction_uid == report.transaction_uid)
        .order_by(CommitmentRow.id)
        .with_for_update(of=CommitmentRow)
        .execution_options(populate_existing=True)
    ).all()
    if not rows:
        return None
    now, counts = database_now(session), dict.fromkeys(CommitmentState, 0)
    for row, _, study, uid in rows:
        if row.state not in _ANSWERABLE:
            continue
        if uid in report.committed:
            _commit(session, row, now)
            counts[row.state] += 1
        elif uid in report.failed and row.transaction_uid == report.transaction_uid:
            _lose(session, row, study, report.failed[uid], now)
            counts[row.state] += 1
    return Answered(
        rows[0][0].destination,
        counts[CommitmentState.COMMITTED],
        counts[CommitmentState.WAITING],
        counts[CommitmentState.FAILED],
    )


def _commit(session: Session, row: CommitmentRow, now: datetime) -> None:
    row.state = CommitmentState.COMMITTED
    row.changed_at = now
    row.last_error, row.last_status = None, 0
    row.claimed_by = row.lease_until = None
    session.flush()
    _resolve(session, row)


def _lose(
    session: Session, row: CommitmentRow, study: str, reason: int, now: datetime
) -> None:
    """Send an object again that was not kept, or tell a person when that is no use."""
    if row.state in (CommitmentState.FAILED, CommitmentState.WITHDRAWN):
        return
    sentence = f"it does not keep the object: failure reason 0x{reason:04X}"
    if row.resends < MAX_RESENDS:
        row.resends += 1
        begin_anew(row, now)
        outbox.send_again(session, row.delivery_id)
    else:
        row.state = CommitmentState.FAILED
        row.changed_at = now
        row.claimed_by = row.lease_until = None
        raise_failed(
            session, row.destination, study, f"{sentence}, sent {MAX_RESENDS + 1}x"
        )
    row.last_error, row.last_status = sentence, reason


def _resolve(session: Session, row: CommitmentRow) -> None:
    """Close the study's alarm once none of its commitments has failed."""
    study = session.scalars(
        sa.select(ResultRow.study_instance_uid)
        .join(DeliveryRow, DeliveryRow.result_id == ResultRow.id)
        .where(DeliveryRow.id == row.delivery_id)
    ).one()
    failed = session.scalar(
        with_objects(every_delivery=True).where(
            ResultRow.study_instance_uid == study,
            CommitmentRow.state == CommitmentState.FAILED,
        )
    )
    if failed is None:
        alarms.resolve(session, AlarmKind.COMMITMENT_FAILED, study)
