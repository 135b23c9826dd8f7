"""What is asked every second must not read what is finished, however much that is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.filling import fill
from storage import commitments, jobs, outbox
from storage.database import Database, open_database
from storage.instances import quiet_studies, unindexed_receipts

STUDIES = 2000
"""So many that reading all of them would be the slower plan."""
WORKER, LEASE_SECONDS = "worker", 60.0
EVERY_TICK: dict[str, tuple[Callable[[Session], object], set[str]]] = {
    "quiet": (lambda it: quiet_studies(it, 60), {"ix_studies_in_motion"}),
    "unindexed": (
        lambda it: unindexed_receipts(it, 100),
        {"ix_receipts_state_recorded_at"},
    ),
    "claim": (
        lambda it: jobs.claim(it, WORKER, LEASE_SECONDS),
        {"ix_jobs_state_priority_created_at"},
    ),
    "look for a job": (jobs.anything_free, {"ix_jobs_state_priority_created_at"}),
    "look for a delivery": (
        lambda it: outbox.anything_free(it, "pacs"),
        {"ix_deliveries_destination_state_not_before"},
    ),
    "look for a commitment": (
        lambda it: commitments.anything_free(it, "pacs"),
        {"ix_commitments_destination_state_not_before"},
    ),
    "send": (
        lambda it: outbox.claim_due(it, "pacs", WORKER, LEASE_SECONDS, 10),
        {"ix_studies_held_since", "ix_deliveries_destination_state_not_before"},
    ),
    "commit": (
        lambda it: commitments.claim_due(it, "pacs", WORKER, LEASE_SECONDS, 10),
        {"ix_commitments_destination_state_not_before"},
    ),
}
"""What to ask, and the indexes that answer it."""
GROWS_FOR_EVER = ("studies", "jobs", "deliveries", "receipts", "commitments")
WHOLE = (
    *(f"SCAN {table}" for table in GROWS_FOR_EVER),
    *(f"Seq Scan on {table}" for table in GROWS_FOR_EVER),
)


def test_what_is_asked_every_tick_is_answered_by_an_index(database_url: str) -> None:
    fill(database_url, STUDIES, series=1, images=1)

    with closing(open_database(database_url)) as database:
        plans = {name: plan(database, ask) for name, (ask, _) in EVERY_TICK.items()}

    for name, (_, indexes) in EVERY_TICK.items():
        steps = plans[name]
        used = {index for index in indexes if any(index in it for it in steps)}
        assert (name, used) == (name, indexes)
        assert (name, [it for it in steps if is_whole(it)]) == (name, [])


def is_whole(step: str) -> bool:
    """Whether a step reads a table that grows for ever from end to end."""
    return any(step == it or f"{it} " in step for it in WHOLE) and "USING" not in step


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ("send", "deliveries"),
        ("look for a delivery", "deliveries"),
        ("commit", "commitments"),
        ("look for a commitment", "commitments"),
    ],
)
def test_what_was_delivered_and_committed_is_not_read_again(
    what: str, of: str, sqlite_database_url: str
) -> None:
    ask, _ = EVERY_TICK[what]

    with closing(open_database(sqlite_database_url)) as database:
        steps = plan(database, ask)

    index = f"ix_{of}_destination_state_not_before (destination=? AND state=?)"
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
        sa.event.listen(database.engine, "before_cursor_execute", explain)
        try:
            ask(session)
        finally:
            sa.event.remove(database.engine, "before_cursor_execute", explain)
    return steps
