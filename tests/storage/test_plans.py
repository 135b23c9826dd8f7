"""What is asked every second must not read what is finished, however much that is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import jobs, outbox
from storage.database import Database, open_database
from storage.instances import quiet_studies, unindexed_receipts

WORKER, LEASE_SECONDS = "worker", 60.0
EVERY_TICK: dict[str, tuple[Callable[[Session], object], set[str]]] = {
    "quiet": (lambda it: quiet_studies(it, 60), {"ix_studies_in_motion"}),
    "unindexed": (
        lambda it: unindexed_receipts(it, 100),
        {"ix_receipts_state_recorded_at"},
    ),
    "claim": (
        lambda it: jobs.claim(it, WORKER, LEASE_SECONDS),
        {"ix_studies_in_motion", "ix_jobs_state_priority_created_at"},
    ),
    "send": (
        lambda it: outbox.claim_due(it, "pacs", WORKER, LEASE_SECONDS, 10),
        {"ix_studies_held_since", "ix_deliveries_destination_state_not_before"},
    ),
}
"""What to ask, and the indexes that answer it."""
GROWS_FOR_EVER = ("studies", "jobs", "deliveries", "receipts")


@pytest.mark.parametrize("asked", EVERY_TICK)
def test_what_is_asked_every_tick_is_answered_by_an_index(
    database: Database, asked: str
) -> None:
    ask, indexes = EVERY_TICK[asked]

    steps = plan(database, ask)

    used = {index for index in indexes if any(index in it for it in steps)}
    if database.engine.dialect.name == "sqlite":
        assert used == indexes
    else:
        # Of tables without rows PostgreSQL may take any index that fits: which one is
        # asserted on SQLite; here that it takes one, and that all of them are there.
        with database.reading.begin() as session:
            there = session.scalars(sa.text("SELECT indexname FROM pg_indexes")).all()
        assert used
        assert indexes <= set(there)
    whole = [f"SCAN {table}" for table in GROWS_FOR_EVER]
    assert [it for it in steps if it in whole or "Seq Scan" in it] == []


def test_what_was_delivered_is_not_read_again(sqlite_database_url: str) -> None:
    send, _ = EVERY_TICK["send"]

    with closing(open_database(sqlite_database_url)) as database:
        steps = plan(database, send)

    index = "ix_deliveries_destination_state_not_before (destination=? AND state=?)"
    assert any(index in step for step in steps)


def plan(database: Database, ask: Callable[[Session], object]) -> list[str]:
    """Return how the database answers every statement, step by step."""
    steps: list[str] = []
    sqlite = database.engine.dialect.name == "sqlite"

    def explain(
        connection: sa.Connection,
        _cursor: Any,
        statement: str,
        parameters: Any,
        *_: Any,
    ) -> None:
        if statement.split()[0] not in ("SELECT", "UPDATE"):
            return
        how = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        cursor = connection.connection.cursor()
        cursor.execute(f"{how} {statement}", parameters)
        steps.extend(str(row[-1]).strip() for row in cursor.fetchall())

    with database.sessions.begin() as session:
        if not sqlite:
            # Of an empty table the planner reads all, though it has an index.
            session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        sa.event.listen(database.engine, "before_cursor_execute", explain)
        try:
            ask(session)
        finally:
            sa.event.remove(database.engine, "before_cursor_execute", explain)
    return steps
