"""The reading child: what it answers, and what becomes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, config, dcmread, dcmwrite

from dicom_node.reading import Reader, Unreadable, header_of, images_of
from grading.headers import image_headers
from storage.states import Role
from tests.dicom_factories import as_received, enhanced_mr, mr_image, put_raw

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


def test_a_disk_that_does_not_answer_is_not_the_files_fault(
    tmp_path: Path, image: Path
) -> None:
    pipe = tmp_path / "never-ends"
    os.mkfifo(pipe)
    with closing(Reader(timeout_seconds=30)) as reader:
        reader.read(image)  # the child is up: what follows is no slow start
        reader.timeout_seconds = 0.5
        with pytest.raises(TimeoutError, match="the disk does not answer"):
            reader.read(pipe)
        reader.timeout_seconds = 30
        assert reader.read(image).modality == "MR"


HANGS_ON_ANYTHING = """
import time
from dicom_node import reading
reading.header_of = reading.images_of = lambda _: time.sleep(3600)
reading.main()
"""


class SoonGivesUp(Reader):
    """Lets the disk take its time, and what is asked about a file hardly any."""

    def _fetch(self, path: Path) -> None:
        self.timeout_seconds = 30
        super()._fetch(path)
        self.timeout_seconds = 0.5


def test_a_file_that_takes_too_long_is_given_up(image: Path) -> None:
    with closing(SoonGivesUp(timeout_seconds=30)) as reader:
        reader.child.words = ("-c", HANGS_ON_ANYTHING)
        with pytest.raises(Unreadable, match="more than"):
            reader.read(image)
        with pytest.raises(Unreadable, match="more than"):
            reader.images(image)


def test_a_file_that_is_gone_says_so(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reader.read(tmp_path / "gone.dcm")


def test_an_error_of_the_system_that_a_decoder_raises_is_the_files_fault(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Dataset) -> str:
        raise OSError("broken data stream when reading image file")

    monkeypatch.setattr("dicom_node.reading.content_digest", broken)

    with pytest.raises(Unreadable, match="damaged: OSError while reading"):
        header_of(image.read_bytes())


def test_a_disk_that_fails_is_not_the_files_fault(
    reader: Reader, tmp_path: Path
) -> None:
    with pytest.raises(IsADirectoryError):
        reader.read(tmp_path)  # as good as a sector that cannot be read


def test_the_images_of_a_file_come_from_the_child_as_they_are(
    reader: Reader, image: Path
) -> None:
    told = reader.images(image)

    assert told == tuple(image_headers(dcmread(image)))


def test_the_frames_of_an_enhanced_image_come_from_the_child_as_they_are(
    reader: Reader, tmp_path: Path
) -> None:
    path = tmp_path / "enhanced.dcm"
    as_received(enhanced_mr(4)).save_as(path)

    told = reader.images(path)

    assert told == tuple(image_headers(dcmread(path)))
    assert len(told) == 4


@pytest.fixture
def as_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


@pytest.mark.usefixtures("as_in_the_child")
@pytest.mark.parametrize("text", [b"2.25.2\x7f1", b"2.25.2\x001", b"2.\xff1"])
@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
)
def test_a_uid_that_no_database_keeps_as_it_is_names_no_study(
    keyword: str, text: bytes
) -> None:
    ds = as_received(mr_image())
    put_raw(ds, keyword, text)

    with pytest.raises(Unreadable, match="Instance UID holds characters that no UID"):
        header_of(part10(ds))


@pytest.mark.usefixtures("as_in_the_child")
def test_a_uid_that_only_breaks_the_rules_is_taken_as_it_is() -> None:
    ds = as_received(mr_image())
    put_raw(ds, "SeriesInstanceUID", b"2.025.x-1")

    assert header_of(part10(ds)).series_instance_uid == "2.025.x-1"


def part10(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def test_a_header_with_a_number_that_no_message_carries_is_refused(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = image_headers(dcmread(image))[0]
    absurd = replace(first, rows=10**30)
    monkeypatch.setattr("dicom_node.reading.image_headers", lambda _: [absurd])

    with pytest.raises(Unreadable, match="its header cannot be understood: Overflow"):
        images_of(image.read_bytes())
