"""What a person should look at, once each, with how often it happened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.database import database_now, insert_or_update
from storage.states import AlarmKind as AlarmKind
from storage.tables import AlarmRow


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to look at, open until somebody or something resolves it."""

    id: int
    kind: AlarmKind
    study_instance_uid: str | None
    sentence: str
    count: int
    first_at: datetime
    last_at: datetime


def raise_alarm(
    session: Session, kind: AlarmKind, study_instance_uid: str | None, sentence: str
) -> None:
    """Open an alarm, or count one up that is open with the same words."""
    now = database_now(session)
    insert_or_update(
        session,
        AlarmRow,
        unique="open_key",
        changes={"count": AlarmRow.count + 1, "last_at": now},
        open_key=_open_key(kind, study_instance_uid, sentence),
        kind=kind,
        study_instance_uid=study_instance_uid,
        sentence=sentence,
        count=1,
        first_at=now,
        last_at=now,
    )


def open_alarms(session: Session) -> list[Alarm]:
    """Return what nobody has resolved yet, the latest first."""
    query = (
        sa.select(AlarmRow)
        .where(AlarmRow.resolved_at.is_(None))
        .order_by(AlarmRow.last_at.desc(), AlarmRow.id.desc())
    )
    return [_alarm(row) for row in session.scalars(query)]


def is_open(session: Session, kind: AlarmKind) -> bool:
    """Tell whether any alarm of this kind is open."""
    query = sa.select(AlarmRow.id).where(
        AlarmRow.kind == kind, AlarmRow.resolved_at.is_(None)
    )
    return session.scalar(query.limit(1)) is not None


def resolve(session: Session, kind: AlarmKind, study_instance_uid: str | None) -> int:
    """Close the open alarms of one kind about one study; return how many."""
    closed = session.scalars(
        sa.update(AlarmRow)
        .where(
            AlarmRow.kind == kind,
            AlarmRow.study_instance_uid.is_not_distinct_from(study_instance_uid),
            AlarmRow.resolved_at.is_(None),
        )
        .values(resolved_at=database_now(session), open_key=None)
        .returning(AlarmRow.id)
    )
    return len(closed.all())


def _open_key(kind: AlarmKind, study_instance_uid: str | None, sentence: str) -> str:
    # A digest, because PostgreSQL cannot index a sentence of any length.
    said = repr((kind.value, study_instance_uid, sentence))
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()


def _alarm(row: AlarmRow) -> Alarm:
    return Alarm(
        row.id,
        row.kind,
        row.study_instance_uid,
        row.sentence,
        row.count,
        row.first_at,
        row.last_at,
    )
