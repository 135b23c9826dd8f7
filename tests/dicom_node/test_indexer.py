"""The reading child: what it answers, and what becomes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.reading import Reader, Unreadable, read_header
from storage.states import Role

HITACHI = Path(__file__).parents[1] / "data" / "hitachi"


@pytest.fixture
def reader() -> Iterator[Reader]:
    with closing(Reader(timeout_seconds=30)) as opened:
        yield opened


@pytest.fixture
def image() -> Path:
    return sorted(HITACHI.rglob("*.dcm"))[0]


def test_a_real_image_is_read_by_the_child(reader: Reader, image: Path) -> None:
    header = reader.read(image)

    assert (header.modality, header.role) == ("MR", Role.IMAGE)
    assert header.study_instance_uid.startswith("2.25.")


def test_a_signal_to_the_whole_group_does_not_reach_the_child(
    reader: Reader, image: Path
) -> None:
    reader.read(image)
    child = reader.child.process_id
    assert child is not None

    os.kill(child, signal.SIGTERM)
    os.kill(child, signal.SIGINT)

    assert reader.read(image).modality == "MR"
    assert reader.child.process_id == child


def test_a_child_that_was_killed_by_something_else_costs_no_image(
    reader: Reader, image: Path
) -> None:
    reader.read(image)
    assert reader.child.process_id is not None
    os.kill(reader.child.process_id, signal.SIGKILL)

    assert reader.read(image).modality == "MR"


def test_a_child_that_never_saw_the_file_does_not_blame_it(
    reader: Reader, image: Path
) -> None:
    reader.child.words = ("-c", "raise SystemExit(3)")

    with pytest.raises(OSError, match="its process ended with status 3"):
        reader.read(image)


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path, image: Path) -> None:
    pipe = tmp_path / "never-ends"
    os.mkfifo(pipe)
    with closing(Reader(timeout_seconds=0.5)) as impatient:
        with pytest.raises(Unreadable, match="more than"):
            impatient.read(pipe)
        patient = Reader(timeout_seconds=30)
        with closing(patient):
            assert patient.read(image).modality == "MR"


def test_a_file_that_is_gone_says_so(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no longer there"):
        reader.read(tmp_path / "gone.dcm")


def test_an_error_of_the_system_that_a_decoder_raises_is_the_files_fault(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Dataset) -> str:
        raise OSError("broken data stream when reading image file")

    monkeypatch.setattr("dicom_node.reading.content_digest", broken)

    with pytest.raises(Unreadable, match="damaged: OSError while reading"):
        read_header(image)


def test_a_disk_that_fails_is_not_the_files_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        read_header(tmp_path)  # as good as a sector that cannot be read
