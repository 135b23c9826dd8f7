"""Who waits to write an SQLite database comes before who has just written."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import database as database_module
from storage import turns
from storage.database import database_now, open_database
from storage.turns import Turns
from tests.waiting import PATIENCE_SECONDS, comes_true


def test_who_waits_comes_before_who_has_just_written(
    sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So seldom does who waits look at the lock: by luck alone it would come last.
    monkeypatch.setattr("storage.database.LOOK_SECONDS", 0.2)
    monkeypatch.setattr(turns, "COURTESY_SECONDS", PATIENCE_SECONDS)
    order = []
    # Two databases: as in two processes, which share a file and no lock in memory.
    with (
        closing(open_database(sqlite_database_url)) as one,
        closing(open_database(sqlite_database_url)) as other,
    ):

        def write_when_possible() -> None:
            with other.sessions.begin() as session:
                database_now(session)
                order.append("who waited")

        waiting = threading.Thread(target=write_when_possible)
        with one.sessions.begin() as session:
            database_now(session)
            waiting.start()
            assert comes_true(lambda: is_taken(turn_file(sqlite_database_url)))
        with one.sessions.begin() as session:
            database_now(session)
            order.append("who has just written")
        waiting.join()

    assert order == ["who waited", "who has just written"]


def turn_file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///") + "-turn")


def is_taken(path: Path) -> bool:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_turn_that_never_ends_stops_nobody_for_long(
    sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "COURTESY_SECONDS", 0.05)
    with (
        turn_file(sqlite_database_url).open("w") as stopped,
        closing(open_database(sqlite_database_url)) as database,
    ):
        fcntl.flock(stopped, fcntl.LOCK_EX)
        begun = time.monotonic()

        with database.sessions.begin() as session:
            database_now(session)
            waited = time.monotonic() - begun

    assert 0.05 <= waited < PATIENCE_SECONDS


def test_a_turn_ends_with_its_block(tmp_path: Path) -> None:
    queue = Turns(tmp_path / "turn")

    with queue.next():
        during = is_taken(queue.path)

    assert (during, is_taken(queue.path)) == (True, False)


def test_without_a_place_for_its_file_a_turn_is_not_waited_for(tmp_path: Path) -> None:
    queue = Turns(tmp_path / "not there" / "turn")

    with queue.next():
        pass

    assert not queue.path.exists()


def test_a_file_system_without_locks_has_no_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    begun = time.monotonic()

    with Turns(tmp_path / "turn").next():
        waited = time.monotonic() - begun

    assert waited < turns.COURTESY_SECONDS


@pytest.mark.parametrize("name", [":memory:", "file:/x?uri=true"])
def test_a_database_that_no_path_names_has_no_turns(name: str) -> None:
    url = sa.engine.make_url(f"sqlite:///{name}")

    assert database_module._turns(url) is None
