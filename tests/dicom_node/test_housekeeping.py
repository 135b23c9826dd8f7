"""The node's own ticks: room, files that go, times that were wrong."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dicom_node import housekeeping
from dicom_node.audit.trail import silent
from dicom_node.housekeeping import Housekeeper, Rules, log_room
from storage import alarms
from storage.database import Database, open_database
from storage.files import Files, Root, StoredFile
from storage.overview import overview
from storage.retention import condemned_files
from storage.space import FileSystem, Room, Watermarks
from storage.states import AlarmKind
from tests.storage import builders

MARKS = Watermarks(100 << 20, 200 << 20)
RULES = Rules(MARKS, timedelta(days=30), 1 << 20, 300.0)


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Housekeeper:
    files = Files(tmp_path / "data")
    return Housekeeper(database, files, (tmp_path,), RULES, silent())


def open_kinds(database: Database) -> set[AlarmKind]:
    with database.reading.begin() as session:
        return {alarm.kind for alarm in alarms.open_alarms(session)}


def test_a_low_disk_is_one_alarm_that_closes_itself_above_the_upper_mark(
    house: Housekeeper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for free_mb in (150, 99, 50, 150, 199, 200):
        room = FileSystem(Path("/data"), free_mb << 20, 1 << 40)
        monkeypatch.setattr(housekeeping, "scarcest", lambda _, room=room: room)
        house.watch_disk()
        seen.append(open_kinds(database) == {AlarmKind.DISK_LOW})

    assert seen == [False, True, True, True, True, False]


def set_aside(house: Housekeeper, file: StoredFile) -> None:
    with house.database.sessions.begin() as session:
        builders.set_aside(session, file, megabytes=2)


def test_a_file_over_the_quota_goes_and_its_receipt_stays(
    house: Housekeeper, database: Database
) -> None:
    file = house.files.write_received([b"no DICOM"])
    set_aside(house, file)

    removed = house.remove_files()

    assert removed == 1
    assert not house.files.path(file.root, file.key).exists()
    assert open_kinds(database) >= {AlarmKind.QUARANTINE_TRIMMED}
    with database.reading.begin() as session:
        assert overview(session).receipts.quarantined == 1


def test_what_was_condemned_before_a_crash_is_unlinked_by_the_next_tick(
    house: Housekeeper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = house.files.write_received([b"no DICOM"])
    set_aside(house, file)
    with monkeypatch.context() as dying:
        dying.setattr(Housekeeper, "_unlink", lambda _: 0)
        house.remove_files()
    there = house.files.path(file.root, file.key).exists()

    house.remove_files()

    assert there
    assert not house.files.path(file.root, file.key).exists()


def test_a_file_that_cannot_be_unlinked_does_not_keep_the_others(
    house: Housekeeper, database: Database
) -> None:
    stuck = house.files.write_received([b"stuck"])
    path = house.files.path(stuck.root, stuck.key)
    path.unlink()
    path.mkdir()  # unlink(2) refuses a folder, whoever asks
    other = house.files.write_received([b"other"])
    for file in (stuck, other):
        set_aside(house, file)

    with pytest.raises(OSError, match="directory"):
        replace(house, rules=replace(RULES, quarantine_bytes=0)).remove_files()

    assert not house.files.path(other.root, other.key).exists()
    with database.reading.begin() as session:
        assert [it.file.key for it in condemned_files(session, 9)] == [stuck.key]


def test_a_row_says_gone_only_once_a_power_cut_cannot_bring_the_file_back(
    house: Housekeeper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = house.files.write_received([b"no DICOM"])
    set_aside(house, file)

    def broken(_files: Files, _folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as on_a_bad_disk:
        on_a_bad_disk.setattr(Files, "flush_removed", broken)
        with pytest.raises(OSError, match="Input/output"):
            house.remove_files()
    with database.reading.begin() as session:
        still_condemned = [it.file.key for it in condemned_files(session, 9)]

    assert still_condemned == [file.key]
    assert house.remove_files() == 1


def test_nothing_goes_where_everything_is_to_be_kept(
    house: Housekeeper, database: Database
) -> None:
    set_aside(house, StoredFile(Root.RECEIVED, "2026/a.dcm", "ab" * 32, 1))
    with database.sessions.begin() as session:
        builders.graded(session, destinations=())
        builders.pass_time(session, 400 * 86400)
    everything = replace(RULES, keep=None, quarantine_bytes=None)

    assert replace(house, rules=everything).remove_files() == 0


def test_a_finished_study_goes_and_the_log_says_so_once(
    house: Housekeeper, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.sessions.begin() as session:
        builders.graded(session, destinations=())
        builders.pass_time(session, 31 * 86400)
    caplog.set_level(logging.INFO)

    counts = [house.remove_files(), house.remove_files()]

    assert counts == [1, 0]
    assert caplog.text.count("files of a finished study go") == 1


def test_times_that_lie_in_the_future_are_corrected_and_said(
    house: Housekeeper, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.sessions.begin() as session:
        builders.receive(session)
        builders.pass_time(session, -3600)

    house.pull_times_back()
    house.pull_times_back()

    assert caplog.text.count("clock was set back") == 1


@pytest.mark.parametrize(("taken", "word"), [(True, "taken again"), (False, "refused")])
def test_a_change_of_room_is_said_with_what_is_left(
    caplog: pytest.LogCaptureFixture, taken: bool, word: str
) -> None:
    log_room(Room(taken, FileSystem(Path("/data"), 99 << 20, 1 << 40)))

    assert word in caplog.text
    assert "99 MB are free for /data" in caplog.text
