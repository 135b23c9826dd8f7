"""What the destinations say about keeping what they took (PS3.4 annex J).

``waiting -> asking -> asked -> committed | failed``, beside the delivery's own state:
delivered means that a destination took an object, committed that it answers for it.
``withdrawn`` is no longer asked about.
A question's Transaction UID is kept before it is sent, because the answer may come at
once, on another association and to another process. Claims are leases, as in ``jobs``.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms
from storage.backoff import delay_seconds
from storage.columns import clock_once
from storage.database import database_now
from storage.leases import FREE, Claim, move
from storage.outbox import Delivery
from storage.states import AlarmKind, DeliveryState
from storage.states import CommitmentState as CommitmentState
from storage.tables import (
    CommitmentQuestionRow,
    CommitmentRow,
    DeliveryRow,
    ObjectRow,
    ResultRow,
)
from storage.withdrawal import OPEN_COMMITMENTS

MAX_ASKS = 8
"""Unanswered questions until a person is told: about a day, see below."""
FIRST_ANSWER_SECONDS = 600.0
LAST_ANSWER_SECONDS = 21_600.0
"""An archive may answer after it has written its tape: doubling pauses up to 6 h."""
FIRST_RETRY_SECONDS = 5.0
LAST_RETRY_SECONDS = 900.0
"""As for deliveries: a destination that cannot be reached is tried for ever."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object that is asked about."""

    commitment_id: int
    attempts: int
    asks: int
    claim_number: int
    """The fence: no two claims of a commitment share it."""
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class Question:
    """The right to ask one destination about some objects, under one UID."""

    transaction_uid: str
    destination: str
    claimed_by: str
    items: tuple[Item, ...]


def expect(session: Session, delivery: Delivery) -> None:
    """Let a delivered object be asked about, in the transaction that says so.

    An object that was sent again because the destination had lost it keeps its count;
    one that a person sent again begins anew.
    """
    now = database_now(session)
    row = session.scalar(
        sa.select(CommitmentRow)
        .where(CommitmentRow.delivery_id == delivery.id)
        .with_for_update()
    )
    if row is None:
        row = CommitmentRow(
            delivery_id=delivery.id, destination=delivery.destination, resends=0
        )
        session.add(row)
    elif row.state is not CommitmentState.WAITING:
        row.resends = 0
    begin_anew(row, now)


def withdraw(session: Session, destinations: Collection[str]) -> None:
    """Expect no answer of any destination but these: the others are no longer asked.

    A good answer that still comes counts.
    """
    session.execute(
        sa.update(CommitmentRow)
        .where(
            CommitmentRow.destination.not_in(destinations),
            CommitmentRow.state.in_(OPEN_COMMITMENTS),
        )
        .values(
            state=CommitmentState.WITHDRAWN,
            changed_at=database_now(session),
            last_error=None,
            **FREE,
        )
    )


def anything_free(session: Session, destination: str) -> bool:
    """Tell whether `claim_due` has anything to look at, without making a writer wait.

    Most looks find nothing. What is found may be on its way a second time.
    """
    free = sa.exists().where(
        CommitmentRow.destination == destination, _free(clock_once())
    )
    return bool(session.scalar(sa.select(free)))


def claim_due(
    session: Session, destination: str, worker: str, lease_seconds: float, limit: int
) -> Question | None:
    """Return the next question for one destination, or None where none is due.

    Due is what has waited long enough, what was asked and never answered, and what a
    worker that vanished was asking. What was never answered `MAX_ASKS` times fails,
    with an alarm.
    """
    now = database_now(session)
    _give_up_on_silence(session, destination, now)
    due = session.execute(
        with_objects()
        .where(CommitmentRow.destination == destination, _free(now))
        .order_by(CommitmentRow.not_before, CommitmentRow.id)
        .limit(limit)
        .with_for_update(of=CommitmentRow, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    if not due:
        return None
    transaction_uid = f"2.25.{uuid.uuid4().int}"
    for row, made, _ in due:
        row.state = CommitmentState.ASKING
        row.claimed_by = worker
        row.lease_until = now + timedelta(seconds=lease_seconds)
        row.attempts += 1
        row.claim_number += 1
        row.transaction_uid = transaction_uid
        session.add(
            CommitmentQuestionRow(
                transaction_uid=transaction_uid,
                commitment_id=row.id,
                sop_instance_uid=made.sop_instance_uid,
                asked_at=now,
            )
        )
    # In the order in which answers lock them: neither waits for the other.
    in_order = sorted(due, key=lambda found: found[0].id)
    items = tuple(_item(row, made, study) for row, made, study in in_order)
    return Question(transaction_uid, destination, worker, items)


def asked(session: Session, question: Question) -> None:
    """Keep that the destination took the question; its answer may take a day."""
    _await_answer(session, question, last_error=None, last_status=0)


def postpone(session: Session, question: Question, error: str, *, sent: bool) -> None:
    """Ask again soon, for as long as it takes: the destination was not reached.

    A question that was never ``sent`` is forgotten: nobody can answer it, and one row
    for each attempt would fill the table while an archive is down.
    """
    now = database_now(session)
    if not sent:
        session.execute(
            sa.delete(CommitmentQuestionRow).where(
                CommitmentQuestionRow.transaction_uid == question.transaction_uid
            )
        )
    for item in question.items:
        pause = delay_seconds(
            item.attempts,
            f"commitment {item.commitment_id}",
            first_seconds=FIRST_RETRY_SECONDS,
            cap_seconds=LAST_RETRY_SECONDS,
        )
        _move(
            session,
            question,
            item,
            state=CommitmentState.WAITING,
            last_error=error,
            last_status=None,
            not_before=now + timedelta(seconds=pause),
        )


def refused(session: Session, question: Question, error: str) -> None:
    """Ask again later: the destination was reached and did not take the question.

    Such a question counts like one that is never answered.
    """
    _await_answer(session, question, last_error=error)


def _await_answer(session: Session, question: Question, **values: object) -> None:
    """Count a question as put, and let its objects wait for the answer."""
    now = database_now(session)
    for item in question.items:
        _move(
            session,
            question,
            item,
            state=CommitmentState.ASKED,
            asks=item.asks + 1,
            attempts=0,
            not_before=now + timedelta(seconds=answer_seconds(item)),
            **values,
        )


def fail(session: Session, question: Question, error: str) -> None:
    """Give up at once, with an alarm: the destination offers no such service."""
    for item in question.items:
        moved = _move(
            session,
            question,
            item,
            state=CommitmentState.FAILED,
            last_error=error,
            last_status=None,
        )
        if moved:
            raise_failed(session, question.destination, item.study_instance_uid, error)


def answer_seconds(item: Item) -> float:
    """Return how long the next question's answer may take before it is asked again."""
    return delay_seconds(
        item.asks + 1,
        f"commitment {item.commitment_id}",
        first_seconds=FIRST_ANSWER_SECONDS,
        cap_seconds=LAST_ANSWER_SECONDS,
    )


def begin_anew(row: CommitmentRow, now: datetime) -> None:
    """Let an object be asked about from the beginning, once it is delivered."""
    row.state = CommitmentState.WAITING
    # What is said of an earlier question is about an object that was sent again since.
    row.transaction_uid = None
    row.asks = row.attempts = 0
    row.claim_number = row.claim_number or 0
    row.not_before = row.waiting_since = row.changed_at = now
    row.claimed_by = row.lease_until = None
    row.last_error = row.last_status = None


def _give_up_on_silence(session: Session, destination: str, now: datetime) -> None:
    silent = session.execute(
        with_objects()
        .where(
            CommitmentRow.destination == destination,
            CommitmentRow.state == CommitmentState.ASKED,
            CommitmentRow.not_before <= now,
            CommitmentRow.asks >= MAX_ASKS,
        )
        .with_for_update(of=CommitmentRow, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for row, _, study in silent:
        reason = row.last_error or f"it was asked {row.asks} times and never answered"
        row.state = CommitmentState.FAILED
        row.last_error, row.changed_at = reason, now
        raise_failed(session, destination, study, reason)


def with_objects(
    *, every_delivery: bool = False
) -> sa.Select[CommitmentRow, ObjectRow, str]:
    """Return a query for commitments of what is delivered now, or of everything."""
    query = (
        sa.select(CommitmentRow, ObjectRow, ResultRow.study_instance_uid)
        .join(DeliveryRow, CommitmentRow.delivery_id == DeliveryRow.id)
        .join(ObjectRow, DeliveryRow.object_id == ObjectRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
    )
    if every_delivery:
        return query
    return query.where(DeliveryRow.state == DeliveryState.DELIVERED)


def _free(now: datetime | sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    due = sa.and_(
        CommitmentRow.state.in_([CommitmentState.WAITING, CommitmentState.ASKED]),
        CommitmentRow.not_before <= now,
    )
    expired = sa.and_(
        CommitmentRow.state == CommitmentState.ASKING, CommitmentRow.lease_until <= now
    )
    # Said twice, for the index: as for deliveries.
    return sa.and_(CommitmentRow.state.in_(OPEN_COMMITMENTS), sa.or_(due, expired))


def _move(session: Session, question: Question, item: Item, **values: object) -> bool:
    """Change a commitment that is still under this claim; False where it is not.

    The usual reason is a good one: the answer was there before we could write.
    """
    claim = Claim(item.commitment_id, question.claimed_by, item.claim_number)
    values |= {**FREE, "changed_at": database_now(session)}
    return move(session, CommitmentRow, claim, CommitmentState.ASKING, **values)


def raise_failed(session: Session, destination: str, study: str, error: str) -> None:
    """Tell a person that an object may not be kept."""
    sentence = f"{destination} took an object and does not commit to it: {error}"
    alarms.raise_alarm(session, AlarmKind.COMMITMENT_FAILED, study, sentence)


def _item(row: CommitmentRow, made: ObjectRow, study: str) -> Item:
    return Item(
        row.id,
        row.attempts,
        row.asks,
        row.claim_number,
        made.sop_class_uid,
        made.sop_instance_uid,
        study,
    )
