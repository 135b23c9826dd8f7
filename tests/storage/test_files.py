import errno
import hashlib
import os
import resource
import signal
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.errors import BadKey
from storage.files import Files, Root
from tests.storage.conftest import ONE_MEGABYTE

ANY_TEXT = st.text(st.characters(), max_size=80)
"""Lone surrogates, NUL and slashes included."""


def everything_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def test_what_was_received_in_parts_reads_back_whole(files: Files) -> None:
    stored = files.write_received([b"preamble", memoryview(b"dataset")])

    assert files.read(stored.root, stored.key) == b"preambledataset"
    assert stored.root is Root.RECEIVED
    assert stored.size_bytes == 15
    assert stored.sha256 == hashlib.sha256(b"preambledataset").hexdigest()


def test_equal_objects_received_twice_are_two_files(files: Files) -> None:
    first = files.write_received([b"same"])
    second = files.write_received([b"same"])

    assert first.key != second.key
    assert len(everything_in(files.data_directory)) == 2


def test_only_the_owner_can_read_folders_and_files(files: Files) -> None:
    files.write_received([b"image"])
    files.write_produced("1.2.3", "report.dcm", b"report")

    below = list(files.data_directory.rglob("*"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in below if path.is_file()}
    folders = [files.data_directory, *(path for path in below if path.is_dir())]
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_an_object_produced_again_replaces_the_first(files: Files) -> None:
    first = files.write_produced("1.2.3", "report.dcm", b"first attempt")

    second = files.write_produced("1.2.3", "report.dcm", b"second attempt")

    assert second.key == first.key
    assert files.read(second.root, second.key) == b"second attempt"
    assert len(everything_in(files.data_directory)) == 1


def test_what_is_made_once_stays_as_it_was_and_is_the_owners_alone(
    files: Files,
) -> None:
    first = files.made_once("identity", b"first")

    assert files.made_once("identity", b"second") == first == b"first"
    [kept] = everything_in(files.data_directory)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_two_studies_never_share_an_object(files: Files) -> None:
    first = files.write_produced("1.2.3", "report.dcm", b"one")
    second = files.write_produced("1.2.4", "report.dcm", b"other")

    assert first.key != second.key


@settings(max_examples=40)
@given(study_instance_uid=ANY_TEXT)
@example("../../outside")
@example("/absolute")
@example("1.2.3\x00")
@example("\ud800")
def test_no_study_uid_becomes_a_path(study_instance_uid: str) -> None:
    with TemporaryDirectory() as folder:
        files = Files(Path(folder) / "data")

        stored = files.write_produced(study_instance_uid, "report.dcm", b"report")

        path = files.path(stored.root, stored.key)
        assert everything_in(Path(folder)) == [path]
        assert path.resolve().is_relative_to(
            (files.data_directory / "produced").resolve()
        )


@given(key=ANY_TEXT)
@example("../received/other.dcm")
@example("a/../../b")
@example("/etc/passwd")
@example("a//b")
@example("a/./b")
@example(".hidden")
@example("a\n")
@example("")
def test_a_key_stays_below_its_root_or_is_refused(key: str) -> None:
    files = Files(Path("data"))

    try:
        path = files.path(Root.RECEIVED, key)
    except BadKey:
        return

    within = Path(os.path.normpath(path)).relative_to("data/received")
    assert within.as_posix() == key


@pytest.mark.parametrize("key", ["../x", "/x", "a/../b", "", "a\x00", ".part", "a/"])
def test_a_key_that_could_leave_its_root_is_refused_by_name(
    files: Files, key: str
) -> None:
    with pytest.raises(BadKey, match="no key of a stored file"):
        files.path(Root.PRODUCED, key)


@pytest.mark.parametrize("name", ["../report.dcm", "", "a/../b", "re port"])
def test_a_name_that_is_no_file_name_is_refused(files: Files, name: str) -> None:
    with pytest.raises(BadKey):
        files.write_produced("1.2.3", f"{name}/", b"report")

    assert not files.data_directory.exists()


def test_a_removed_file_is_gone_and_may_be_removed_again(files: Files) -> None:
    stored = files.write_received([b"image"])

    files.remove(stored.root, stored.key)
    files.remove(stored.root, stored.key)

    assert not files.path(stored.root, stored.key).exists()


def test_a_file_is_found_after_the_data_directory_has_moved(files: Files) -> None:
    stored = files.write_received([b"image"])
    moved = files.data_directory.rename(files.data_directory.with_name("moved"))

    assert Files(moved).read(stored.root, stored.key) == b"image"


def test_old_temporaries_are_removed_and_young_ones_are_left(files: Files) -> None:
    stored = files.write_received([b"image"])
    folder = files.path(stored.root, stored.key).parent
    old, young = folder / ".old.part", folder / ".young.part"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))

    removed = files.remove_abandoned_temporaries(timedelta(hours=1))

    assert removed == 1
    assert set(everything_in(folder)) == {files.path(stored.root, stored.key), young}


@pytest.fixture
def file_size_limit() -> Iterator[int]:
    """No file of this process can grow beyond so many bytes while the test runs."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ONE_MEGABYTE, before[1]))
    yield ONE_MEGABYTE
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_write_that_fails_halfway_leaves_nothing(
    files: Files, file_size_limit: int
) -> None:
    with pytest.raises(OSError, match="File too large"):
        files.write_received([bytes(file_size_limit), b"one byte too many"])

    assert everything_in(files.data_directory) == []


def test_what_is_made_once_is_whole_or_not_there(
    files: Files, file_size_limit: int
) -> None:
    with pytest.raises(OSError, match="File too large"):
        files.made_once("identity", bytes(file_size_limit + 1))

    assert files.made_once("identity", b"whole") == b"whole"


def test_an_object_that_cannot_be_replaced_stays_as_it_was(
    files: Files, file_size_limit: int
) -> None:
    stored = files.write_produced("1.2.3", "report.dcm", b"first attempt")

    with pytest.raises(OSError, match="File too large"):
        files.write_produced("1.2.3", "report.dcm", bytes(file_size_limit + 1))

    assert files.read(stored.root, stored.key) == b"first attempt"
    assert len(everything_in(files.data_directory)) == 1


def test_a_full_disk_leaves_nothing_and_works_again_once_there_is_room(
    small_disk: Path,
) -> None:
    files = Files(small_disk / "data")
    stored = files.write_received([b"image"])

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        files.write_received([bytes(ONE_MEGABYTE)])

    assert everything_in(small_disk) == [files.path(stored.root, stored.key)]
    assert files.write_received([b"next"]).size_bytes == 4
