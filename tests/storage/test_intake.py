"""Many keep at once: durable in groups, refused one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.database import Database, open_database
from storage.errors import ConnectionLost, DatabaseUnreachable, StorageError
from storage.files import Files, StoredFile
from storage.intake import Intake
from storage.receipts import Receipt, add_receipt, unindexed_receipts
from tests.storage.builders import receipt


def about(receipt_id: str = "") -> Callable[[StoredFile], Receipt]:
    def receipt_of(stored: StoredFile) -> Receipt:
        made = replace(receipt(), file=stored)
        return replace(made, id=receipt_id) if receipt_id else made

    return receipt_of


def rows(database: Database) -> list[Receipt]:
    with database.reading.begin() as session:
        return unindexed_receipts(session, 1000)


def names(files: Files) -> set[str]:
    return {path.name for path in files.data_directory.rglob("*") if path.is_file()}


def names_of(receipts: Sequence[Receipt]) -> set[str]:
    return {it.file.key.rpartition("/")[2] for it in receipts}


@dataclass(frozen=True)
class FirstFlushWaits(Files):
    """A disk that holds the first flush of names up until the others wait too."""

    flushed: list[Path] = field(default_factory=list, compare=False)
    entered: threading.Event = field(default_factory=threading.Event, compare=False)
    may_go_on: threading.Event = field(default_factory=threading.Event, compare=False)

    def flush_names(self, folder: Path) -> None:
        first = not self.flushed
        self.flushed.append(folder)
        if first:
            self.entered.set()
            self.may_go_on.wait(60)
        super().flush_names(folder)


def keep_together(
    intake: Intake, files: FirstFlushWaits, receipt_ids: Sequence[str]
) -> list[Future[None]]:
    """Keep one object, and behind it one for each ID in a single group."""
    with ThreadPoolExecutor(len(receipt_ids) + 1) as pool:
        futures = [pool.submit(intake.keep, [b"image"], about())]
        files.entered.wait(60)
        for count, receipt_id in enumerate(receipt_ids, start=1):
            futures.append(pool.submit(intake.keep, [b"image"], about(receipt_id)))
            while len(intake._group._waiting) < count:
                time.sleep(0.001)
        files.may_go_on.set()
    return futures


def test_what_is_kept_has_its_file_and_its_row(
    database: Database, files: Files
) -> None:
    Intake(database, files).keep([b"pre", memoryview(b"amble")], about())

    [row] = rows(database)
    assert files.read(row.file.root, row.file.key) == b"preamble"
    assert names(files) == names_of([row])


def test_those_that_wait_share_one_flush_and_one_transaction(
    database: Database, tmp_path: Path
) -> None:
    files = FirstFlushWaits(tmp_path / "data")
    intake = Intake(database, files)
    commits: list[sa.Connection] = []
    sa.event.listen(database.engine, "commit", commits.append)

    for future in keep_together(intake, files, ["a", "b", "c"]):
        future.result(60)

    assert len(commits) == 2
    kept = rows(database)
    behind = [row for row in kept if row.id in {"a", "b", "c"}]
    [first] = [row for row in kept if row not in behind]
    # Each folder of a group once; a group has two where an hour ends meanwhile.
    folders = {files.folder_of(row.file) for row in behind}
    assert files.flushed[0] == files.folder_of(first.file)
    assert sorted(files.flushed[1:]) == sorted(folders)
    assert names(files) == names_of(kept)
    assert len(behind) == 3


def test_a_row_that_is_refused_costs_its_own_file_and_no_other(
    database: Database, tmp_path: Path
) -> None:
    taken = replace(receipt(), id="taken")
    with database.sessions.begin() as session:
        add_receipt(session, taken)
    files = FirstFlushWaits(tmp_path / "data")

    futures = keep_together(Intake(database, files), files, ["a", "taken", "c"])

    errors = [future.exception(60) for future in futures]
    assert [type(it) if it else None for it in errors] == [
        None,
        None,
        StorageError,
        None,
    ]
    kept = [row for row in rows(database) if row != taken]
    assert len(kept) == 3
    assert names(files) == names_of(kept)


def test_a_database_that_is_away_refuses_all_and_leaves_no_file(tmp_path: Path) -> None:
    files = FirstFlushWaits(tmp_path / "data")
    url = f"postgresql+psycopg://postgres@/postgres?host={tmp_path}"
    with closing(open_database(url)) as database:
        futures = keep_together(Intake(database, files), files, ["a", "b"])

    assert {type(it.exception(60)) for it in futures} == {DatabaseUnreachable}
    assert names(files) == set()


@dataclass(frozen=True)
class Unflushable(Files):
    """A disk that breaks when names are flushed."""

    def flush_names(self, folder: Path) -> None:
        raise OSError(5, "Input/output error")


def test_a_name_that_cannot_be_flushed_leaves_no_file_and_no_row(
    database: Database, tmp_path: Path
) -> None:
    files = Unflushable(tmp_path / "data")

    with pytest.raises(OSError, match="Input/output error"):
        Intake(database, files).keep([b"image"], about())

    assert names(files) == set()
    assert rows(database) == []


def test_where_the_connection_breaks_the_file_stays_for_a_row_that_may_be_there(
    postgresql_database_url: str, files: Files
) -> None:
    with (
        closing(open_database(postgresql_database_url)) as database,
        closing(open_database(postgresql_database_url)) as other,
    ):

        @_before_commit(database)
        def end_the_connection() -> None:
            with other.engine.begin() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        with pytest.raises(ConnectionLost):
            Intake(database, files).keep([b"image"], about())

    assert len(names(files)) == 1


def _before_commit(database: Database) -> Callable[[Callable[[], None]], None]:
    def listen(do: Callable[[], None]) -> None:
        sa.event.listen(database.engine, "commit", lambda _: do(), once=True)

    return listen
