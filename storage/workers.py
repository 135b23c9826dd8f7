"""Which workers live: each says so again and again, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.database import database_now, insert_or_update
from storage.tables import WorkerRow

SIGN_SECONDS = 10.0
"""How often a worker gives a sign of life."""
SILENT_SECONDS = 60.0
"""Several signs missed, and not only one late: the worker is taken for dead."""
FORGOTTEN_AFTER = timedelta(days=1)
"""Long enough to be seen the next morning; a restarted worker has another name."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One worker that did not say goodbye."""

    name: str
    """Its host and process number."""
    started_at: datetime
    silent_seconds: float
    alive: bool


def give_sign(session: Session, name: str) -> None:
    """Keep that a worker lives, and forget those that have been silent for long."""
    now = database_now(session)
    changes = {"seen_at": now}
    insert_or_update(
        session, WorkerRow, "worker", changes, worker=name, started_at=now, seen_at=now
    )
    long_ago = now - FORGOTTEN_AFTER
    session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < long_ago))


def leave(session: Session, name: str) -> None:
    """Forget a worker that ends because it was told to."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.worker == name))


def workers(session: Session, now: datetime) -> list[WorkerSeen]:
    """Return the workers that are known, by name.

    Whoever gives a sign of life forgets those that were silent for a day; where nobody
    does, all of them are still told.
    """
    rows = session.scalars(sa.select(WorkerRow).order_by(WorkerRow.worker))
    return [_seen(row, (now - row.seen_at).total_seconds()) for row in rows]


def _seen(row: WorkerRow, silent_seconds: float) -> WorkerSeen:
    # A clock that was set back makes the silence negative: it was seen just now.
    silent_seconds = max(silent_seconds, 0.0)
    alive = silent_seconds <= SILENT_SECONDS
    return WorkerSeen(row.worker, row.started_at, silent_seconds, alive)
