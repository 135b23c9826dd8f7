"""Two nodes never share a data directory or a database, though told to by mistake."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from storage.database import Database, migrate, open_database
from storage.errors import NotOurs
from storage.installation import (
    ID_NAME,
    _shared,
    installation_id,
    nobody_works,
    occupied,
    tighten,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def another_database(folder: Path) -> Iterator[Database]:
    url = f"sqlite:///{folder / 'another.sqlite'}"
    migrate(url)
    with closing(open_database(url)) as opened:
        yield opened


def test_receiver_and_workers_of_one_node_share_its_directory(
    database: Database, data: Path
) -> None:
    with (
        occupied(database, data, alone_as="receive") as first,
        occupied(database, data) as second,
        occupied(database, data) as third,
    ):
        assert first == second == third == installation_id(data)


def test_nobody_is_let_in_meanwhile_and_nobody_is_there(
    database: Database, data: Path
) -> None:
    with (
        occupied(database, data),
        pytest.raises(NotOurs, match="stop lumbar-node-worker"),
        nobody_works(data),
    ):
        pass

    with nobody_works(data):
        pass

    with occupied(database, data):
        pass


def test_a_second_receiver_is_refused(database: Database, data: Path) -> None:
    with (
        occupied(database, data, alone_as="receive"),
        pytest.raises(NotOurs, match="another `lumbar-node receive` works in"),
        occupied(database, data, alone_as="receive"),
    ):
        pass


def test_a_node_with_another_database_is_refused_while_the_first_one_works(
    database: Database, data: Path, tmp_path: Path
) -> None:
    with (
        another_database(tmp_path) as other,
        occupied(database, data),
        pytest.raises(NotOurs, match=r"for another database: .* data directory"),
        occupied(other, data),
    ):
        pass


def test_a_node_may_move_to_another_database_when_nobody_works(
    database: Database, data: Path, tmp_path: Path
) -> None:
    with occupied(database, data) as before:
        pass
    with another_database(tmp_path) as other, occupied(other, data) as after:
        assert before == after


def test_a_node_with_another_directory_is_refused_by_the_database(
    database: Database, data: Path, tmp_path: Path
) -> None:
    with occupied(database, data):
        pass
    with (
        pytest.raises(NotOurs, match="two nodes must not share a database"),
        occupied(database, tmp_path / "other"),
    ):
        pass


def test_a_restored_directory_is_let_in_once_it_has_its_id(
    database: Database, data: Path, tmp_path: Path
) -> None:
    with occupied(database, data) as ours:
        pass
    other = tmp_path / "other"
    other.mkdir()
    (other / ID_NAME).write_text(f"{ours}\n")

    with occupied(database, other) as theirs:
        assert theirs == ours


def _hold(path: Path, held: Event) -> None:
    with _shared(path, "first"):
        held.set()
        signal.pause()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "node.lock"
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(path, held))
    process.start()
    try:
        held.wait()
        with pytest.raises(NotOurs), _shared(path, "second"):
            pass
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()

    with _shared(path, "second"):
        assert path.read_text() == "second"


def test_what_others_could_read_they_no_longer_can(
    data: Path, sqlite_database_url: str
) -> None:
    file = Path(sqlite_database_url.removeprefix("sqlite:///"))
    data.mkdir(mode=0o755)
    file.chmod(0o644)

    tightened = tighten(data, file)

    assert tightened == [data, file]
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tighten(data, file) == []
