"""Images are refused while there is still room for the database and the reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.space import (
    LOOK_SECONDS,
    FileSystem,
    Room,
    SpaceGate,
    Watermarks,
    look,
    scarcest,
)

MARKS = Watermarks(refuse_below_bytes=100, resume_above_bytes=200)
FOLDER = Path("/data")


class Disk:
    """A file system of any fullness, and a clock that stands still until told."""

    def __init__(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes
        self.now = 0.0
        self.looks = 0
        self.changes: list[bool] = []

    def measure(self, _: tuple[Path, ...]) -> FileSystem:
        self.looks += 1
        return FileSystem(FOLDER, self.free_bytes, 1000)

    def heard(self, room: Room) -> None:
        self.changes.append(room.taken)

    def gate(self) -> SpaceGate:
        return SpaceGate(
            (FOLDER,), MARKS, self.heard, self.measure, seconds=lambda: self.now
        )

    def becomes(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes
        self.now += LOOK_SECONDS


def test_images_are_taken_while_there_is_room() -> None:
    disk = Disk(free_bytes=1000)

    assert disk.gate().admits(10)
    assert disk.changes == []


def test_between_the_marks_nothing_changes() -> None:
    disk = Disk(free_bytes=99)
    gate = disk.gate()

    admitted = []
    for free_bytes in (99, 150, 209, 210, 150, 109):
        disk.becomes(free_bytes)
        admitted.append(gate.admits(10))

    assert admitted == [False, False, False, True, True, False]
    assert disk.changes == [False, True, False]


def test_an_image_that_would_pass_the_mark_is_refused_before_it_is_written() -> None:
    disk = Disk(free_bytes=1000)

    assert not disk.gate().admits(901)


def test_what_was_taken_since_the_last_look_counts() -> None:
    disk = Disk(free_bytes=1000)
    gate = disk.gate()

    admitted = [gate.admits(300) for _ in range(4)]

    assert admitted == [True, True, True, False]
    assert disk.looks == 1


def test_many_images_in_a_second_cost_one_look() -> None:
    disk = Disk(free_bytes=10**9)
    gate = disk.gate()

    for _ in range(1000):
        gate.admits(1)
    disk.becomes(10**9)
    gate.admits(1)

    assert disk.looks == 2


def test_a_file_system_that_does_not_answer_is_left_to_the_write() -> None:
    gate = SpaceGate((FOLDER,), MARKS, measure=lambda _: None)

    assert gate.admits(10**12)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=50))
def test_it_never_takes_below_the_lower_mark_nor_refuses_above_the_upper(
    frees: list[int],
) -> None:
    disk = Disk(free_bytes=0)
    gate = disk.gate()
    for free_bytes in frees:
        disk.becomes(free_bytes)

        taken = gate.admits(0)

        assert taken or free_bytes < MARKS.resume_above_bytes
        assert not taken or free_bytes >= MARKS.refuse_below_bytes
    assert all(a is not b for a, b in zip(disk.changes, disk.changes[1:], strict=False))


def test_a_folder_that_is_not_made_yet_is_measured_where_it_will_lie(
    tmp_path: Path,
) -> None:
    found = look(tmp_path / "not" / "yet")

    assert found.total_bytes == look(tmp_path).total_bytes
    assert 0 < found.free_bytes <= found.total_bytes


def test_the_fullest_of_several_file_systems_counts(
    tmp_path: Path, small_disk: Path
) -> None:
    found = scarcest((tmp_path, small_disk))

    assert found is not None
    assert found.folder == small_disk
    assert found.free_bytes == pytest.approx(1 << 20, abs=1 << 16)
