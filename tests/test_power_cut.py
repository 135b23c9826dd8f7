"""A power cut, imitated in short; `python -m tests.power_cut` does 200 of them."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.peers import require_peer
from tests.power_cut import cuts
from tests.power_cut.cuts import Recorded
from tests.power_cut.lies import LIES
from tests.power_cut.recording import (
    ROOT,
    Make,
    Operation,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
)
from tests.power_cut.replay import materialise

FOLDER, FILE = 1, 2
States: TypeAlias = set[frozenset[tuple[str, bytes]]]
"""Names and contents of the files that each of many cuts left."""
WRITTEN: tuple[Operation, ...] = (
    Make(ROOT, "folder", FOLDER, True),
    Make(FOLDER, "part", FILE, False),
    Write(FILE, 0, b"a" * 1024),
    Sync(FILE, "/folder/part", 3),
    Rename(FOLDER, "part", FOLDER, "file"),
    Sync(FOLDER, "/folder", 5),
    Sync(ROOT, "/", 6),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    require_peer("fuse3", "fusermount3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        # The kernel's, not a package's: nobody can be told to install it.
        pytest.skip("a file system cannot be mounted here: no /dev/fuse")
    return cuts.record(1, 12, tmp_path_factory.mktemp("recorded"))


def test_what_was_acknowledged_before_a_power_cut_is_there_after_it(
    recorded: Recorded,
) -> None:
    found = [cuts.cut(recorded, random.Random(seed)) for seed in range(10)]

    assert [cut for cut in found if cut.broken] == []
    assert all(cut.acknowledged for cut in found)


@pytest.mark.parametrize("forgotten", sorted(LIES))
def test_a_forgotten_sync_would_be_noticed(recorded: Recorded, forgotten: str) -> None:
    found = (
        cuts.cut(recorded, random.Random(seed), LIES[forgotten]) for seed in range(40)
    )

    assert any(cut.broken for cut in found)


def states(operations: Sequence[Operation], tmp_path: Path) -> States:
    """Return what a hundred cuts after these operations leave: names and contents."""
    seen = set()
    for seed in range(100):
        target = tmp_path / str(seed)
        target.mkdir()
        materialise(operations, target, random.Random(seed))
        files = [path for path in target.rglob("*") if path.is_file()]
        seen.add(frozenset((path.name, path.read_bytes()) for path in files))
    return seen


def contents(left: States) -> set[bytes]:
    return {content for files in left for _, content in files}


def test_what_is_synced_with_its_folders_survives_every_cut(tmp_path: Path) -> None:
    assert states(WRITTEN, tmp_path) == {frozenset({("file", b"a" * 1024)})}


def test_a_name_may_be_lost_until_its_folder_is_synced(tmp_path: Path) -> None:
    left = states([*WRITTEN[:5], Sync(ROOT, "/", 5)], tmp_path)

    names = {frozenset(name for name, _ in files) for files in left}
    assert names == {frozenset(), frozenset({"part"}), frozenset({"file"})}


def test_content_may_be_lost_or_torn_until_it_is_synced(tmp_path: Path) -> None:
    forgetful = [done for done in WRITTEN if done != Sync(FILE, "/folder/part", 3)]

    assert contents(states(forgetful, tmp_path)) == {
        b"",
        b"a" * 512,
        bytes(512) + b"a" * 512,
        b"a" * 1024,
    }


def test_a_sync_vouches_for_nothing_that_came_after_it_began(tmp_path: Path) -> None:
    late = [*WRITTEN, Write(FILE, 1024, b"b"), Sync(FILE, "/folder/file", 7)]

    found = contents(states(late, tmp_path))

    assert found == {b"a" * 1024, b"a" * 1024 + b"b"}


def test_a_removed_file_may_come_back_and_a_shortened_one_be_long(
    tmp_path: Path,
) -> None:
    shortened = [*WRITTEN, Truncate(FILE, 1)]
    removed = [*shortened, Unlink(FOLDER, "file")]

    assert contents(states(shortened, tmp_path)) == {b"a" * 1024, b"a"}
    (tmp_path / "removed").mkdir()
    assert frozenset() in states(removed, tmp_path / "removed")
