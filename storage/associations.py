"""Associations that are open now, as their receivers say.

Several receiving processes may share one database, so "nothing that touched this
study is still open" cannot live in one of them. A receiver repeats every few seconds
which associations it has open; what a dead one left lapses by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.database import database_now, insert_missing
from storage.tables import InstanceRow, OpenAssociationRow, ReceiptRow, SeriesRow

LAPSE = timedelta(seconds=35)
"""A receiver that was silent for so long is dead: it beats every 10 s."""


def beat(session: Session, receiver: str, still_open: Mapping[str, str]) -> None:
    """Say that a receiver lives, and which associations it has open.

    ``still_open`` gives the peer's address and port by the association's own id, as
    the receipts of that association name it. What is not in it is closed; what was
    never written, because the database was away, is written now; what other
    receivers left behind when they died is removed.
    """
    now = database_now(session)
    mine = OpenAssociationRow.receiver == receiver
    closed = sa.and_(mine, OpenAssociationRow.id.not_in(list(still_open)))
    lapsed = OpenAssociationRow.seen_at <= now - LAPSE
    session.execute(sa.delete(OpenAssociationRow).where(sa.or_(closed, lapsed)))
    session.execute(sa.update(OpenAssociationRow).where(mine).values(seen_at=now))
    for id_, association in still_open.items():
        opened(session, receiver, id_, association, now)


def opened(
    session: Session,
    receiver: str,
    id_: str,
    association: str,
    now: datetime | None = None,
) -> None:
    """Write down that an association is open; nothing happens where it is known."""
    now = now or database_now(session)
    insert_missing(
        session,
        OpenAssociationRow,
        id=id_,
        receiver=receiver,
        association=association,
        opened_at=now,
        seen_at=now,
    )


def closed(session: Session, id_: str) -> None:
    """Write down that an association is over; one that is unknown is no error."""
    session.execute(sa.delete(OpenAssociationRow).where(OpenAssociationRow.id == id_))


def is_being_received(session: Session, study_instance_uid: str) -> bool:
    """Tell whether an association is open over which images of a study came.

    Only what is indexed counts; what waits to be indexed may belong to any study.
    """
    alive = sa.select(OpenAssociationRow.association).where(
        OpenAssociationRow.seen_at > database_now(session) - LAPSE
    )
    touched = (
        sa.select(ReceiptRow.id)
        .join(InstanceRow, ReceiptRow.instance_id == InstanceRow.id)
        .join(SeriesRow, InstanceRow.series_id == SeriesRow.id)
        .where(
            SeriesRow.study_instance_uid == study_instance_uid,
            ReceiptRow.association.in_(alive),
        )
    )
    return bool(session.scalar(sa.select(touched.exists())))
