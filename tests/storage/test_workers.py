"""Workers that live, that fell silent, and that said goodbye."""

from __future__ import annotations

from storage import workers
from storage.database import Database, database_now
from tests.storage.builders import pass_time


def seen(database: Database) -> dict[str, bool]:
    """Return whether each worker lives, by its name."""
    with database.sessions.begin() as session:
        found = workers.workers(session, database_now(session))
    return {worker.name: worker.alive for worker in found}


def test_a_worker_that_gives_signs_lives_and_one_that_was_killed_is_silent(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        workers.give_sign(session, "host:1")
        pass_time(session, workers.SILENT_SECONDS + 1)
        workers.give_sign(session, "host:2")
        workers.give_sign(session, "host:2")

    assert seen(database) == {"host:1": False, "host:2": True}


def test_a_worker_that_was_told_to_stop_is_not_missed(database: Database) -> None:
    with database.sessions.begin() as session:
        workers.give_sign(session, "host:1")

        workers.leave(session, "host:1")

    assert seen(database) == {}


def test_a_worker_that_has_been_silent_for_days_is_forgotten(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        workers.give_sign(session, "host:1")
        pass_time(session, 2 * 86_400)

        workers.give_sign(session, "host:2")

    assert seen(database) == {"host:2": True}
