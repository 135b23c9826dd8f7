"""A copy of a node that goes on receiving is whole, and says where it is not."""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage import backup, retention
from storage.backup import DUMP_NAME, SQLITE_NAME, _connection, back_up
from storage.database import Database, check_schema, open_database
from storage.errors import BackupFailed
from storage.files import Files
from storage.receipts import add_receipt
from storage.tables import ReceiptRow
from tests.peers import require_peer
from tests.storage import builders


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def sqlite(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


def keep(database: Database, data: Path, content: bytes = b"image") -> str:
    """Receive a file; return its key."""
    stored = Files(data).write_received([content])
    receipt = replace(builders.receipt(), file=stored)
    with database.sessions.begin() as session:
        add_receipt(session, receipt)
    return stored.key


def keys_in(folder: Path) -> set[str]:
    found = (folder / "received").rglob("*.dcm")
    return {str(path.relative_to(folder / "received")) for path in found}


def rows_in(url: str) -> set[str]:
    with closing(open_database(url)) as copy, copy.reading.begin() as session:
        return set(
            session.scalars(
                sa.select(ReceiptRow.key).where(ReceiptRow.condemned_at.is_(None))
            )
        )


def test_every_row_of_the_copy_finds_its_file_while_images_come_in(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    before = {keep(sqlite, data) for _ in range(20)}
    stop = threading.Event()

    def receive() -> None:
        while not stop.is_set():
            keep(sqlite, data)

    scanner = threading.Thread(target=receive)
    scanner.start()
    try:
        copied = back_up(sqlite_database_url, data, target)
    finally:
        stop.set()
        scanner.join()

    rows = rows_in(f"sqlite:///{target / SQLITE_NAME}")
    assert before <= rows == keys_in(target)
    assert copied.files == len(rows)


def test_only_the_owner_can_read_a_backup(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    keep(sqlite, data)
    target.mkdir(mode=0o755)

    back_up(sqlite_database_url, data, target)

    for path in [target, *target.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_later_backup_copies_only_what_is_new(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    keep(sqlite, data)
    back_up(sqlite_database_url, data, target)
    keep(sqlite, data)

    copied = back_up(sqlite_database_url, data, target)

    assert (copied.files, copied.there_already) == (1, 1)
    assert len(rows_in(f"sqlite:///{target / SQLITE_NAME}")) == 2


def test_a_file_that_is_damaged_or_missing_is_named_and_the_others_are_copied(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    good, damaged, missing = (keep(sqlite, data) for _ in range(3))
    (data / "received" / damaged).write_bytes(b"imagE")
    (data / "received" / missing).unlink()

    with pytest.raises(BackupFailed, match="lacks 2 files") as failed:
        back_up(sqlite_database_url, data, target)

    assert damaged in str(failed.value)
    assert keys_in(target) == {good}
    assert (target / SQLITE_NAME).exists()


def test_a_file_that_goes_by_rule_meanwhile_is_no_damage(
    sqlite: Database,
    sqlite_database_url: str,
    data: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sqlite.sessions.begin() as session:
        builders.set_aside(session, Files(data).write_received([b"text"]), megabytes=2)

    place = backup._place

    def remove_first(source: Path, file: Path, sha256: str | None = None) -> bool:
        with sqlite.sessions.begin() as session:
            retention.trim_quarantine(session, 1 << 20, 10)
        source.unlink()
        return place(source, file, sha256)

    monkeypatch.setattr(backup, "_place", remove_first)
    copied = back_up(sqlite_database_url, data, target)

    assert (copied.files, copied.lost) == (0, [])
    assert rows_in(f"sqlite:///{target / SQLITE_NAME}") == set()
    assert list(target.rglob("*partial*")) == []


def test_a_later_backup_finds_and_mends_what_was_damaged_in_the_backup(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    key = keep(sqlite, data)
    back_up(sqlite_database_url, data, target)
    (target / "received" / key).write_bytes(b"imagE")

    copied = back_up(sqlite_database_url, data, target)

    assert (copied.files, copied.there_already) == (1, 0)
    assert (target / "received" / key).read_bytes() == b"image"


@pytest.mark.parametrize("damage", ["other bytes", "gone", "unreadable"])
def test_a_later_backup_names_what_was_damaged_here_and_keeps_its_own(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path, damage: str
) -> None:
    key = keep(sqlite, data)
    back_up(sqlite_database_url, data, target)
    path = data / "received" / key
    path.unlink()
    if damage == "other bytes":
        path.write_bytes(b"imagE")
    elif damage == "unreadable":
        path.mkdir()

    with pytest.raises(BackupFailed, match="1 files are missing or damaged here") as it:
        back_up(sqlite_database_url, data, target)

    assert f"received/{key}" in str(it.value)
    assert (target / "received" / key).read_bytes() == b"image"


@pytest.mark.parametrize("here", ["gone", "damaged"])
def test_a_backup_that_fails_to_read_its_own_copy_once_keeps_it(
    sqlite: Database,
    sqlite_database_url: str,
    data: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    here: str,
) -> None:
    key = keep(sqlite, data)
    back_up(sqlite_database_url, data, target)
    path = data / "received" / key
    path.unlink() if here == "gone" else path.write_bytes(b"imagE")
    monkeypatch.setattr(backup, "_sha256", lambda _: "")

    with pytest.raises(BackupFailed):
        back_up(sqlite_database_url, data, target)

    assert (target / "received" / key).read_bytes() == b"image"


def test_a_file_that_cannot_be_read_does_not_keep_the_others(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path
) -> None:
    broken, good = keep(sqlite, data), keep(sqlite, data)
    (data / "received" / broken).unlink()
    (data / "received" / broken).mkdir()

    with pytest.raises(BackupFailed, match="lacks 1 files"):
        back_up(sqlite_database_url, data, target)

    assert keys_in(target) == {good}
    assert list(target.rglob("*.part")) == []


def test_more_files_than_a_driver_takes_parameters_may_be_missing(
    sqlite: Database,
    sqlite_database_url: str,
    data: Path,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = [keep(sqlite, data) for _ in range(5)]
    shutil.rmtree(data / "received")
    monkeypatch.setattr(backup, "ROWS", 2)
    most = 0

    def count(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        nonlocal most
        if " IN (" in statement:
            most = max(most, len(values))

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        with pytest.raises(BackupFailed, match="lacks 5 files") as failed:
            back_up(sqlite_database_url, data, target)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)

    assert keys[0] in str(failed.value)
    assert 0 < most <= 2


def test_a_backup_into_the_data_directory_is_refused(
    sqlite_database_url: str, data: Path
) -> None:
    with pytest.raises(BackupFailed, match="lies in the data directory"):
        back_up(sqlite_database_url, data, data / "backup")


def test_a_restored_copy_opens_and_takes_more(
    sqlite: Database, sqlite_database_url: str, data: Path, target: Path, tmp_path: Path
) -> None:
    keep(sqlite, data)
    back_up(sqlite_database_url, data, target)
    restored = tmp_path / "restored"
    shutil.copytree(target, restored)

    with closing(open_database(f"sqlite:///{restored / SQLITE_NAME}")) as database:
        check_schema(database)
        keep(database, restored)

    assert len(keys_in(restored)) == 2


def test_postgresql_is_dumped_with_the_files_its_rows_name(
    postgresql_database_url: str, data: Path, target: Path
) -> None:
    (pg_restore, _) = require_peer("postgresql", "pg_restore", "pg_dump")
    with closing(open_database(postgresql_database_url)) as database:
        key = keep(database, data)

    back_up(postgresql_database_url, data, target)

    listed = builders.output_of(pg_restore, "--list", target / DUMP_NAME)
    assert "TABLE DATA public receipts" in listed
    assert keys_in(target) == {key}


def test_a_password_is_handed_to_the_dump_where_nobody_reads_it() -> None:
    named = _connection("postgresql+psycopg://node:secret@db.example:5433/lumbar")

    assert named == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "node",
        "PGPASSWORD": "secret",
        "PGDATABASE": "lumbar",
    }
