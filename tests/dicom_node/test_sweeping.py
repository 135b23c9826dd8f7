"""Files that no row names go; whatever a row names, or may yet name, stays."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dicom_node.sweeping import Sweeper
from storage.database import Database, open_database
from storage.files import Files, Root, StoredFile
from storage.installation import occupied
from storage.receipts import add_receipt
from storage.states import ObjectKind
from storage.strays import AT_ONCE
from storage.tables import ReceiptRow
from tests.storage import builders

DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3600.0


@dataclass
class Stopwatch:
    now: float = 0.0

    def seconds(self) -> float:
        return self.now


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as opened:
        yield opened


@pytest.fixture
def files(database: Database, tmp_path: Path) -> Files:
    """The files of a node that has been at work for a month."""
    made = Files(tmp_path / "data")
    with occupied(database, made.data_directory):
        pass
    with database.sessions.begin() as session:
        builders.pass_time(session, 30 * DAY_SECONDS)
    return made


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def sweeper(database: Database, files: Files, watch: Stopwatch) -> Sweeper:
    return Sweeper(database, files, watch.seconds)


def received(files: Files, *, days_ago: float = 2) -> StoredFile:
    """Write a file as the receiver does, so many days ago; it has no row."""
    then = datetime.now(UTC) - timedelta(days=days_ago)
    file = files.write_received([b"image"])
    key = f"{then:%Y/%m/%d/%H}/{file.key.rpartition('/')[2]}"
    path = files.path(file.root, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.path(file.root, file.key).rename(path)
    os.utime(path, (then.timestamp(), then.timestamp()))
    return replace(file, key=key)


def produced(files: Files, name: str, *, days_ago: float = 2) -> StoredFile:
    file = files.write_produced(builders.STUDY, name, b"report")
    then = datetime.now(UTC) - timedelta(days=days_ago)
    path = files.path(file.root, file.key)
    os.utime(path, (then.timestamp(), then.timestamp()))
    return file


def named(database: Database, file: StoredFile, *, days_ago: float = 2) -> None:
    """Give a received file its row."""
    one = replace(builders.receipt(), file=file)
    with database.sessions.begin() as session:
        add_receipt(session, one)
        session.flush()
        when = datetime.now(UTC) - timedelta(days=days_ago)
        session.execute(
            sa.update(ReceiptRow)
            .where(ReceiptRow.id == one.id)
            .values(recorded_at=when)
        )


def sweep(sweeper: Sweeper, folders: int = 6) -> int:
    """Go round all folders at least once."""
    return sum(sweeper.sweep_folder() for _ in range(folders))


def there(files: Files, *of: StoredFile) -> list[bool]:
    return [files.path(file.root, file.key).exists() for file in of]


def test_an_old_file_that_no_row_names_goes_at_a_second_look_an_hour_later(
    sweeper: Sweeper,
    files: Files,
    database: Database,
    watch: Stopwatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    kept, stray = received(files), received(files)
    named(database, kept)
    first = sweep(sweeper)
    watch.now += HOUR_SECONDS - 1
    too_early = sweep(sweeper)
    watch.now += 1

    removed = sweep(sweeper)

    assert (first, too_early, removed) == (0, 0, 1)
    assert there(files, kept, stray) == [True, False]
    assert "removed 1 files of received that no row names" in caplog.text


def test_the_files_of_an_attempt_that_did_not_count_go_and_the_report_stays(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    report, left = (produced(files, f"2.25.0.1-{claim}.dcm") for claim in (2, 1))
    with database.sessions.begin() as session:
        made = replace(builders.produced(ObjectKind.STRUCTURED_REPORT), file=report)
        builders.graded(session, objects=[made])
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 1
    assert there(files, report, left) == [True, False]


def test_a_file_stays_though_its_row_is_where_the_index_does_not_look(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    # The database's clock was wrong by days when the row was written.
    file = received(files)
    named(database, file, days_ago=9)
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 0
    assert there(files, file) == [True]


def test_a_file_whose_row_comes_after_the_first_look_stays(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    # Old by a clock that went ahead, and being committed this moment.
    file = received(files)
    sweep(sweeper)
    named(database, file)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 0
    assert there(files, file) == [True]


def test_a_young_file_and_one_from_before_this_database_stay(
    sweeper: Sweeper, files: Files, watch: Stopwatch
) -> None:
    young, foreign = received(files, days_ago=0.9), received(files, days_ago=31)
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 0
    assert there(files, young, foreign) == [True, True]


def test_a_file_that_a_power_cut_brought_back_goes_again(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    file = received(files)
    named(database, file)
    with database.sessions.begin() as session:
        now = datetime.now(UTC)
        session.execute(sa.update(ReceiptRow).values(condemned_at=now, removed_at=now))
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 1
    assert there(files, file) == [False]


def test_more_files_than_one_question_holds_are_told_apart(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    strays = [received(files) for _ in range(AT_ONCE + 1)]
    kept = received(files)
    named(database, kept)
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == len(strays)
    assert there(files, kept) == [True]


def test_a_file_in_a_folder_that_is_none_of_ours_is_looked_up_all_the_same(
    sweeper: Sweeper, files: Files, database: Database, watch: Stopwatch
) -> None:
    kept, stray = received(files), received(files)
    moved = []
    for file in (kept, stray):
        key = f"2026/99/99/99/{file.key.rpartition('/')[2]}"
        path = files.path(file.root, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.path(file.root, file.key).rename(path)
        moved.append(replace(file, key=key))
    named(database, moved[0])
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 1
    assert there(files, *moved) == [True, False]


def test_without_a_node_of_this_database_nothing_is_touched(
    database: Database, tmp_path: Path, watch: Stopwatch
) -> None:
    files = Files(tmp_path / "data")
    file = received(files)
    sweeper = Sweeper(database, files, watch.seconds)
    sweep(sweeper)
    watch.now += HOUR_SECONDS

    assert sweep(sweeper) == 0
    assert file.root is Root.RECEIVED
    assert there(files, file) == [True]
