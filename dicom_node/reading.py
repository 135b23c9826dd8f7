"""Read what the node needs of a file, in a child process.

A dataset from the wire can be anything: a text file, sequences nested a thousand
deep, a length that asks for all memory. It is therefore read in a child that is
bounded in time and memory; the worst it can do is to be quarantined.

The child fetches the bytes first and is then asked about them. What fails or hangs
while it fetches is the disk's fault, what fails afterwards the file's.
"""

from __future__ import annotations

import errno
import os
import resource
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pydicom
from pydicom import Dataset, config
from pydicom.errors import InvalidDicomError

from dicom_node import children
from dicom_node.children import Child
from dicom_node.digests import content_digest, patient_digest
from dicom_node.errors import ChildDied, ChildGone, ChildHung
from dicom_node.logs import where
from grading.headers import ImageHeader, image_headers
from storage.instances import InstanceHeader
from storage.states import Role

MAX_CHILD_BYTES = 4 << 30
"""Address space of the reading child; a large enhanced MR needs under 1 GiB."""
NOT_IMAGES = {
    "SR",
    "PR",
    "KO",
    "DOC",
    "SEG",
    "REG",
    "RTSTRUCT",
    "AU",
    "OT",
    "FID",
    "RWV",
}
"""Modalities of objects that tell about images."""
NO_SOURCE = ("Secondary Capture", "Segmentation", "Parametric Map", "Encapsulated")
"""In the names of SOP classes that hold pixels, but not a scanner's."""


class Unreadable(Exception):
    """The file cannot be filed; the message says why, without quoting it."""


def parsed(content: bytes, *, pixels: bool = True) -> Dataset:
    """Return the dataset of a Part 10 file.

    Raises
    ------
    Exception
        Whatever a parser raises; `_blamed` puts it into words.
    """
    return pydicom.dcmread(BytesIO(content), stop_before_pixels=not pixels)


def header_of(content: bytes) -> InstanceHeader:
    """Return what the index needs of a Part 10 file.

    Raises
    ------
    Unreadable
        It is no DICOM, is damaged, or lacks one of the three UIDs that place it.
    """
    with _blamed():
        header = _header(parsed(content))
    uids = {
        "Study Instance UID": header.study_instance_uid,
        "Series Instance UID": header.series_instance_uid,
        "SOP Instance UID": header.sop_instance_uid,
    }
    if missing := [name for name, uid in uids.items() if not uid]:
        raise Unreadable(f"it has no {' and no '.join(missing)}")
    # Odd UIDs are taken as they are, but not what a database would write otherwise.
    if odd := [name for name, uid in uids.items() if not _could_be_uid(uid)]:
        raise Unreadable(f"damaged: its {odd[0]} holds characters that no UID has")
    return header


def _could_be_uid(text: str) -> bool:
    return text.isascii() and text.isprintable()


def images_of(content: bytes) -> tuple[ImageHeader, ...]:
    """Return what each image of a Part 10 file says of itself.

    Raises
    ------
    Unreadable
        It is no DICOM, or is damaged.
    """
    with _blamed():
        dataset = parsed(content, pixels=False)
    try:
        images = tuple(image_headers(dataset))
        children.encoded(images)  # a number that no message can carry is damage too
    except Exception as error:
        odd = f"{type(error).__name__} at {where(error)}"
        raise Unreadable(f"its header cannot be understood: {odd}") from error
    return images


@contextmanager
def _blamed() -> Iterator[None]:
    """Turn whatever a parser raises into a reason that quotes nothing."""
    try:
        yield
    except InvalidDicomError as error:
        raise Unreadable("not a DICOM file") from error
    except EOFError as error:
        raise Unreadable("damaged: it ends too early") from error
    except RecursionError as error:
        raise Unreadable("sequences are nested too deep to be read") from error
    except MemoryError as error:
        raise Unreadable("reading it takes too much memory") from error
    # The parser meets bytes from the wire: whatever it raises, the file stays and
    # a person can look. Its message may quote a patient's data, its type cannot.
    except Exception as error:
        raise Unreadable(f"damaged: {type(error).__name__} while reading") from error


def _header(ds: Dataset) -> InstanceHeader:
    meta = ds.file_meta
    sop_class = ds.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID", "")
    return InstanceHeader(
        study_instance_uid=str(ds.get("StudyInstanceUID") or ""),
        series_instance_uid=str(ds.get("SeriesInstanceUID") or ""),
        sop_instance_uid=str(ds.get("SOPInstanceUID") or ""),
        sop_class_uid=str(sop_class),
        modality=str(ds.get("Modality") or ""),
        series_description=str(ds.get("SeriesDescription") or ""),
        role=_role(ds, sop_class),
        content_digest=content_digest(ds),
        patient_digest=patient_digest(ds),
    )


def _role(ds: Dataset, sop_class: Any) -> Role:
    """Tell scanner images from what was made of them: only images open a revision."""
    name = str(getattr(sop_class, "name", ""))
    if "PixelData" not in ds or ds.get("Modality") in NOT_IMAGES:
        return Role.OTHER
    return Role.OTHER if any(part in name for part in NO_SOURCE) else Role.IMAGE


class Fetch(msgspec.Struct, frozen=True, tag=True):
    """Take the bytes of a file into memory."""

    path: bytes


class Index(msgspec.Struct, frozen=True, tag=True):
    """Say what the index needs of the file that was fetched, and let go of it."""


class Judge(msgspec.Struct, frozen=True, tag=True):
    """Say what its images tell of themselves, and let go of it."""


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """The bytes are in the child's memory."""


class Header(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Index`."""

    header: InstanceHeader


class Images(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Judge`."""

    images: tuple[ImageHeader, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file itself is at fault."""

    reason: str


class DiskFailed(msgspec.Struct, frozen=True, tag=True):
    """The file could not be got at."""

    number: int | None
    sentence: str | None


class Forgotten(msgspec.Struct, frozen=True, tag=True):
    """Nothing was fetched: another child did that, and has died since."""


Question = Fetch | Index | Judge
Answer = Fetched | Header | Images | Refused | DiskFailed | Forgotten


@dataclass(slots=True)
class Reader:
    """A child process that reads headers, replaced when it hangs or dies.

    Any thread may ask; one question at a time is answered.
    """

    timeout_seconds: float
    """For the bytes of one file, and again for what is asked about them."""
    child: Child[Answer] = field(
        default_factory=lambda: Child(
            ("-m", "dicom_node.reading"), msgspec.msgpack.Decoder(Answer)
        )
    )
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def read(self, path: Path) -> InstanceHeader:
        """Return what the index needs of one file, within the time and memory allowed.

        Raises
        ------
        Unreadable
            As `header_of`; or it hung the child, or killed it twice.
        OSError
            The disk failed or hung, or the child died before it heard; not the file.
        """
        answer = self._answer(path, Index())
        if not isinstance(answer, Header):
            raise Unreadable("reading it made the reading process talk nonsense")
        return answer.header

    def images(self, path: Path) -> tuple[ImageHeader, ...]:
        """Return what the images of one file tell of themselves; raises as `read`."""
        answer = self._answer(path, Judge())
        if not isinstance(answer, Images):
            raise Unreadable("reading it made the reading process talk nonsense")
        return answer.images

    def close(self) -> None:
        """End the child; the next question starts another."""
        self.child.close()

    def _answer(self, path: Path, question: Question) -> Answer:
        with self._turn:
            try:
                self._fetch(path)
                return self._ask(question)
            except ChildDied:
                pass  # it may have died of something else: once more, afresh
            try:
                self._fetch(path)
            except ChildDied as error:
                raise OSError(errno.ECHILD, f"nothing is read: {error}") from error
            try:
                return self._ask(question)
            except ChildGone as error:
                raise OSError(errno.ECHILD, f"nothing is read: {error}") from error
            except ChildDied as error:
                raise Unreadable("reading it killed the reading process") from error

    def _ask(self, question: Question) -> Answer:
        try:
            answer = self.child.ask(question, self.timeout_seconds)
        except ChildHung as error:
            raise Unreadable(
                f"reading it took more than {self.timeout_seconds:.0f} seconds"
            ) from error
        if isinstance(answer, Forgotten):
            raise ChildDied("its process was ended by somebody else")
        if isinstance(answer, Refused):
            raise Unreadable(answer.reason)
        return answer

    def _fetch(self, path: Path) -> None:
        try:
            answer = self.child.ask(Fetch(os.fsencode(path)), self.timeout_seconds)
        except ChildHung as error:
            raise OSError(errno.ETIMEDOUT, "the disk does not answer") from error
        if isinstance(answer, DiskFailed):
            raise OSError(answer.number, answer.sentence)
        if isinstance(answer, Refused):
            raise Unreadable(answer.reason)


@dataclass(slots=True)
class Desk:
    """What the child has in hand: the bytes of one file, until it is asked once."""

    content: bytes | None = None

    def answer(self, question: Question) -> Answer:
        """Answer one question; whatever fails is somebody's fault, and said."""
        try:
            if isinstance(question, Fetch):
                self.content = Path(os.fsdecode(question.path)).read_bytes()
                return Fetched()
            content, self.content = self.content, None
            if content is None:
                return Forgotten()
            if isinstance(question, Index):
                return Header(header_of(content))
            return Images(images_of(content))
        except Unreadable as error:
            return Refused(str(error))
        except MemoryError:
            return Refused("reading it takes too much memory")
        except OSError as error:
            # Parsers raise it too: theirs has become an `Unreadable` by now.
            return DiskFailed(error.errno, error.strerror)


def main() -> None:
    """Answer paths with headers or reasons, until the parent goes away."""
    link = children.parent()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_CHILD_BYTES, MAX_CHILD_BYTES))
    # Values that break the standard's rules are read as they are.
    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")
    children.serve(link, msgspec.msgpack.Decoder(Question), Desk().answer)


if __name__ == "__main__":
    main()
