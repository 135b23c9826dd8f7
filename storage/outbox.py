"""What waits for each destination: the objects we made, and how their sending goes.

``waiting -> sending -> delivered | dead``, and back to waiting for as long as it
takes; ``shadow`` is made and kept, never sent; ``withdrawn`` has ended unsent. Claims
are leases, as in ``jobs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from storage import alarms, withdrawal
from storage.backoff import delay_seconds
from storage.columns import clock_once
from storage.database import database_now
from storage.errors import LeaseLost
from storage.leases import FREE, Claim, move
from storage.objects import ProducedObject as ProducedObject
from storage.objects import add_objects as add_objects
from storage.objects import latest_result, produced_object
from storage.objects import predecessors as predecessors
from storage.states import AlarmKind
from storage.states import DeliveryState as DeliveryState
from storage.states import ObjectKind as ObjectKind
from storage.studies import require_study
from storage.tables import DeliveryRow, ObjectRow, ResultRow, StudyRow

FIRST_RETRY_SECONDS = 5.0
LAST_RETRY_SECONDS = 900.0
"""A PACS that was down for a night is noticed within a quarter of an hour."""
LATER_WAITS_ATTEMPTS = 20
"""Some three hours. What then still fails by itself, its file say, must not keep the
later revision for ever; once that is there, the earlier one is withdrawn."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """A destination by its name in the configuration."""

    name: str
    shadow: bool
    """Objects are made and kept for it, and never sent."""
    kinds: frozenset[ObjectKind] = frozenset(
        {ObjectKind.STRUCTURED_REPORT, ObjectKind.PICTURE}
    )
    """What it gets of a result that has it."""
    report_class: str = ""
    """The SOP class that its structured report begins with; empty, or not made of a
    result: the preferred one."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to send one object to one destination until the lease runs out."""

    id: int
    attempts: int
    """Counted when claimed, this claim included."""
    claim_number: int
    """The fence: no two claims of a delivery share it."""
    destination: str
    object: ProducedObject
    study_instance_uid: str
    revision: int
    claimed_by: str


def enqueue(
    session: Session, result_id: int, destinations: Sequence[Addressee]
) -> None:
    """Let the first object of each kind wait for each destination that wants it.

    In the transaction of `results.save`, whose lease covers this as well.
    """
    now = database_now(session)
    made = session.scalars(
        sa.select(ObjectRow)
        .where(ObjectRow.result_id == result_id)
        .order_by(ObjectRow.id)
    ).all()
    session.add_all(
        DeliveryRow(
            result_id=result_id,
            kind=row.kind,
            destination=destination.name,
            object_id=row.id,
            state=(
                DeliveryState.SHADOW if destination.shadow else DeliveryState.WAITING
            ),
            created_at=now,
            waiting_since=now,
            changed_at=now,
            not_before=now,
        )
        for destination in destinations
        for row in _first_of_each_kind(made, destination)
    )


def anything_free(session: Session, destination: str) -> bool:
    """Tell whether `claim_due` has anything to look at, without making a writer wait.

    Most looks find nothing. What is found may still wait for an earlier revision, or
    for the release of its study.
    """
    free = sa.exists().where(
        DeliveryRow.destination == destination, _free(clock_once())
    )
    return bool(session.scalar(sa.select(free)))


def claim_due(
    session: Session, destination: str, worker: str, lease_seconds: float, limit: int
) -> list[Delivery]:
    """Return at most ``limit`` deliveries to send to one destination, oldest first.

    One whose lease ran out is taken like one that waits: sending an object twice
    under one UID is harmless, not sending it is not. Studies that are held wait, and
    so does a later revision for the earlier one, for hours: what came last is read.
    """
    now = database_now(session)
    held = sa.select(StudyRow.study_instance_uid).where(
        StudyRow.held_since.is_not(None)
    )
    due = session.execute(
        sa.select(DeliveryRow, ObjectRow, ResultRow)
        .join(ObjectRow, DeliveryRow.object_id == ObjectRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(
            DeliveryRow.destination == destination,
            _free(now),
            ResultRow.study_instance_uid.not_in(held),
            ~_earlier_waits(),
        )
        .order_by(DeliveryRow.created_at, DeliveryRow.id)
        .limit(limit)
        .with_for_update(of=DeliveryRow, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for row, _, _ in due:
        row.state = DeliveryState.SENDING
        row.claimed_by = worker
        row.lease_until = now + timedelta(seconds=lease_seconds)
        row.attempts += 1
        row.claim_number += 1
    return [_delivery(row, made, result, worker) for row, made, result in due]


def renew(
    session: Session, deliveries: Sequence[Delivery], lease_seconds: float
) -> None:
    """Prolong the leases that still hold; whoever lost one is told when it moves it."""
    claims = [(delivery.id, delivery.claim_number) for delivery in deliveries]
    lease_until = database_now(session) + timedelta(seconds=lease_seconds)
    session.execute(
        sa.update(DeliveryRow)
        .where(
            sa.tuple_(DeliveryRow.id, DeliveryRow.claim_number).in_(claims),
            DeliveryRow.state == DeliveryState.SENDING,
        )
        .values(lease_until=lease_until)
        .execution_options(synchronize_session=False)
    )


def delivered(session: Session, delivery: Delivery, status: int) -> None:
    """Keep that a destination took an object, with the DIMSE status it said.

    Raises
    ------
    LeaseLost
        Somebody else has claimed the delivery meanwhile.
    """
    state = DeliveryState.DELIVERED
    _move(session, delivery, state=state, last_error=None, last_status=status)
    withdrawal.withdraw_replaced(session, delivery.id)


def postpone(
    session: Session, delivery: Delivery, error: str, status: int | None
) -> None:
    """Let a delivery wait again, longer after every attempt, without an end.

    Raises
    ------
    LeaseLost
        Somebody else has claimed the delivery meanwhile.
    """
    _move(
        session,
        delivery,
        state=DeliveryState.WAITING,
        last_error=error,
        last_status=status,
        not_before=database_now(session) + timedelta(seconds=retry_seconds(delivery)),
    )


def fall_back(
    session: Session, delivery: Delivery, error: str, status: int | None
) -> bool:
    """Send the next rank of the same kind instead, at once.

    Returns
    -------
    bool
        False, and nothing has changed, where there is no further rank.

    Raises
    ------
    LeaseLost
        Somebody else has claimed the delivery meanwhile.
    """
    row = session.get_one(DeliveryRow, delivery.id)
    following = session.scalar(
        sa.select(ObjectRow.id)
        .where(
            ObjectRow.result_id == row.result_id,
            ObjectRow.kind == row.kind,
            ObjectRow.rank > delivery.object.rank,
        )
        .order_by(ObjectRow.rank)
        .limit(1)
    )
    if following is None:
        return False
    _move(
        session,
        delivery,
        state=DeliveryState.WAITING,
        object_id=following,
        attempts=0,
        last_error=error,
        last_status=status,
        not_before=database_now(session),
    )
    return True


def dead(session: Session, delivery: Delivery, error: str, status: int | None) -> None:
    """Give a delivery up, with an alarm; only `resend` brings it back.

    Raises
    ------
    LeaseLost
        Somebody else has claimed the delivery meanwhile.
    """
    state = DeliveryState.DEAD
    _move(session, delivery, state=state, last_error=error, last_status=status)
    sentence = f"{delivery.destination} refuses the {delivery.object.kind}: {error}"
    alarms.raise_alarm(
        session, AlarmKind.DELIVERY_DEAD, delivery.study_instance_uid, sentence
    )


def resend(
    session: Session,
    study_instance_uid: str,
    destinations: Sequence[Addressee] | None = None,
) -> int:
    """Send the output of a study's latest revision again; return how many objects.

    What a destination took is sent to it again in the same SOP class; what it
    refused in every SOP class starts with its first one, which ``destinations``
    tells. They are the configured ones; nothing is sent to others. What is being sent
    this moment goes on, and shadows stay shadows. What earlier revisions never sent is
    withdrawn.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    require_study(session, study_instance_uid)
    now = database_now(session)
    latest = session.scalar(sa.select(latest_result(study_instance_uid, None)))
    if latest is None:
        return 0
    withdrawal.withdraw_earlier(session, latest)
    configured = {it.name: it for it in destinations or ()}
    not_sent = [DeliveryState.SHADOW, DeliveryState.SENDING]
    query = sa.select(DeliveryRow).where(
        DeliveryRow.result_id == latest, DeliveryRow.state.not_in(not_sent)
    )
    if destinations is not None:
        query = query.where(DeliveryRow.destination.in_(configured))
    rows = session.scalars(query.with_for_update()).all()
    for row in rows:
        if row.state in (DeliveryState.DEAD, DeliveryState.WITHDRAWN):
            row.object_id = _first(session, row, configured.get(row.destination))
        _send_anew(row, now)
    session.flush()
    withdrawal.close_alarm(session, study_instance_uid)
    alarms.resolve(session, AlarmKind.COMMITMENT_FAILED, study_instance_uid)
    return len(rows)


def send_again(session: Session, delivery_id: int) -> None:
    """Send one delivered object again, the same bytes under the same UID."""
    row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
    if row.state is DeliveryState.DELIVERED:
        _send_anew(row, database_now(session))


def retry_seconds(delivery: Delivery) -> float:
    """Return how long a delivery waits after this attempt."""
    return delay_seconds(
        delivery.attempts,
        f"delivery {delivery.id}",
        first_seconds=FIRST_RETRY_SECONDS,
        cap_seconds=LAST_RETRY_SECONDS,
    )


def _send_anew(row: DeliveryRow, now: datetime) -> None:
    row.state = DeliveryState.WAITING
    row.attempts = 0
    row.last_error = row.last_status = None
    row.not_before = row.waiting_since = row.changed_at = now


def _free(now: datetime | sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    due = sa.and_(
        DeliveryRow.state == DeliveryState.WAITING, DeliveryRow.not_before <= now
    )
    expired = sa.and_(
        DeliveryRow.state == DeliveryState.SENDING, DeliveryRow.lease_until <= now
    )
    # Said twice, for the index: by the other words alone SQLite reads all that was
    # ever delivered to the destination.
    open_states = (DeliveryState.WAITING, DeliveryState.SENDING)
    return sa.and_(DeliveryRow.state.in_(open_states), sa.or_(due, expired))


def _earlier_waits() -> sa.ColumnElement[bool]:
    """Of the same study and kind, for the same destination."""
    sending = DeliveryState.SENDING
    earlier, of = aliased(DeliveryRow), aliased(ResultRow)
    return sa.exists().where(
        of.study_instance_uid == ResultRow.study_instance_uid,
        of.revision < ResultRow.revision,
        earlier.result_id == of.id,
        earlier.kind == DeliveryRow.kind,
        earlier.destination == DeliveryRow.destination,
        earlier.state.in_(withdrawal.UNSENT),
        (earlier.state == sending) | (earlier.attempts < LATER_WAITS_ATTEMPTS),
    )


def _move(session: Session, delivery: Delivery, **values: object) -> None:
    """Change a delivery that is still under this lease; the one door for answers."""
    claim = Claim(delivery.id, delivery.claimed_by, delivery.claim_number)
    values |= {**FREE, "changed_at": database_now(session)}
    if not move(session, DeliveryRow, claim, DeliveryState.SENDING, **values):
        raise LeaseLost(
            f"delivery {delivery.id} to {delivery.destination} is no longer "
            f"{delivery.claimed_by}'s: its lease ran out and it was claimed again"
        )


def _first_of_each_kind(
    made: Sequence[ObjectRow], destination: Addressee
) -> list[ObjectRow]:
    """Return what a destination is sent first, in the order it was made."""
    kinds = [
        row.kind for row in made if row.rank == 0 and row.kind in destination.kinds
    ]
    return [
        _preferred([row for row in made if row.kind is kind], destination.report_class)
        for kind in kinds
    ]


def _preferred(made: Sequence[ObjectRow], report_class: str) -> ObjectRow:
    """Return the object of that SOP class, else the one of the lowest rank."""
    ranked = sorted(made, key=lambda row: row.rank)
    return next((row for row in ranked if row.sop_class_uid == report_class), ranked[0])


def _first(session: Session, row: DeliveryRow, destination: Addressee | None) -> int:
    made = session.scalars(
        sa.select(ObjectRow).where(
            ObjectRow.result_id == row.result_id, ObjectRow.kind == row.kind
        )
    ).all()
    return _preferred(made, destination.report_class if destination else "").id


def _delivery(
    row: DeliveryRow, made: ObjectRow, result: ResultRow, worker: str
) -> Delivery:
    return Delivery(
        row.id,
        row.attempts,
        row.claim_number,
        row.destination,
        produced_object(made),
        result.study_instance_uid,
        result.revision,
        worker,
    )
