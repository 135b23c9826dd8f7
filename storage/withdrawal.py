"""Deliveries that end without being sent: replaced, or for nobody any more.

`DeliveryState.WITHDRAWN` is an end like delivered: nothing waits for it, nobody is
asked whether it is kept, and it keeps no alarm open and no image on disk.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from storage import alarms
from storage.database import database_now
from storage.leases import FREE
from storage.states import AlarmKind, CommitmentState, DeliveryState
from storage.tables import CommitmentRow, DeliveryRow, ResultRow

REPLACED = "a later revision of the study replaces it"
FOR_NOBODY = "what waits for this destination was withdrawn"
UNSENT = (DeliveryState.WAITING, DeliveryState.SENDING)
OPEN_COMMITMENTS = (
    CommitmentState.WAITING,
    CommitmentState.ASKING,
    CommitmentState.ASKED,
)


def withdraw_replaced(session: Session, delivery_id: int) -> int:
    """Withdraw what a destination never took of earlier revisions; return how many.

    Of the same kind: it has now taken the one of a later revision.
    """
    row = session.get_one(DeliveryRow, delivery_id)
    replaced = sa.and_(
        DeliveryRow.destination == row.destination,
        DeliveryRow.kind == row.kind,
        DeliveryRow.state.in_([DeliveryState.WAITING, DeliveryState.DEAD]),
        DeliveryRow.result_id.in_(_earlier_results(row.result_id)),
    )
    return _withdraw(session, replaced, REPLACED)


def withdraw_earlier(session: Session, result_id: int) -> int:
    """Withdraw what earlier revisions of a result's study never sent; return how many.

    A person has the later one sent instead. What is being sent this moment goes on.
    """
    unsent = sa.and_(
        DeliveryRow.state.in_([DeliveryState.WAITING, DeliveryState.DEAD]),
        DeliveryRow.result_id.in_(_earlier_results(result_id)),
    )
    return _withdraw(session, unsent, REPLACED)


def withdraw_destination(session: Session, destination: str) -> int:
    """Withdraw all that was not sent to a destination; return how many objects."""
    unsent = sa.and_(
        DeliveryRow.destination == destination,
        DeliveryRow.state.in_([*UNSENT, DeliveryState.DEAD]),
    )
    return _withdraw(session, unsent, FOR_NOBODY)


def _earlier_results(result_id: int) -> sa.Select[int]:
    later, earlier = aliased(ResultRow), aliased(ResultRow)
    return (
        sa.select(earlier.id)
        .join(later, earlier.study_instance_uid == later.study_instance_uid)
        .where(later.id == result_id, earlier.revision < later.revision)
    )


def _withdraw(session: Session, which: sa.ColumnElement[bool], reason: str) -> int:
    now = database_now(session)
    withdrawn = session.execute(
        sa.update(DeliveryRow)
        .where(which)
        .values(
            state=DeliveryState.WITHDRAWN,
            last_error=reason,
            changed_at=now,
            **FREE,
        )
        .returning(DeliveryRow.id, DeliveryRow.result_id)
        .execution_options(synchronize_session=False)
    ).all()
    if withdrawn:
        session.expire_all()
        _ask_no_longer(session)
        results = {session.get_one(ResultRow, it.result_id) for it in withdrawn}
        for study in {result.study_instance_uid for result in results}:
            close_alarm(session, study)
    return len(withdrawn)


def _ask_no_longer(session: Session) -> None:
    """End the commitments of what is withdrawn: sent again once, and lost."""
    withdrawn = sa.select(DeliveryRow.id).where(
        DeliveryRow.id == CommitmentRow.delivery_id,
        DeliveryRow.state == DeliveryState.WITHDRAWN,
    )
    session.execute(
        sa.update(CommitmentRow)
        .where(CommitmentRow.state.in_(OPEN_COMMITMENTS), withdrawn.exists())
        .values(
            state=CommitmentState.WITHDRAWN,
            changed_at=database_now(session),
            last_error=None,
            **FREE,
        )
        .execution_options(synchronize_session=False)
    )


def close_alarm(session: Session, study_instance_uid: str) -> None:
    """Close a study's alarm once no destination refuses anything of it any more."""
    refused = session.scalar(
        sa.select(DeliveryRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(
            ResultRow.study_instance_uid == study_instance_uid,
            DeliveryRow.state == DeliveryState.DEAD,
        )
        .limit(1)
    )
    if refused is None:
        alarms.resolve(session, AlarmKind.DELIVERY_DEAD, study_instance_uid)
