"""Read what the index needs of a file, in a child process.

A dataset from the wire can be anything: a text file, sequences nested a thousand
deep, a length that asks for all memory. It is therefore read in a child that is
bounded in time and memory; the worst it can do is to be quarantined.
"""

from __future__ import annotations

import errno
import os
import resource
import warnings
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


def read_header(path: Path) -> InstanceHeader:
    """Read what the index needs of one Part 10 file.

    Raises
    ------
    Unreadable
        It is no DICOM, is damaged, or lacks one of the three UIDs that place it.
    OSError
        The disk failed, not the file.
    """
    try:
        # Read apart from parsing: an OSError from here is the disk's fault, and the
        # receipt waits. Parsers and decoders raise it too, and then it is the file's.
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise Unreadable("the file is no longer there") from error
    except MemoryError as error:
        raise Unreadable("reading it takes too much memory") from error
    try:
        header = _header(pydicom.dcmread(BytesIO(content)))
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
    missing = [
        name
        for name, uid in (
            ("Study Instance UID", header.study_instance_uid),
            ("Series Instance UID", header.series_instance_uid),
            ("SOP Instance UID", header.sop_instance_uid),
        )
        if not uid
    ]
    if missing:
        raise Unreadable(f"it has no {' and no '.join(missing)}")
    return header


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


class Read(msgspec.Struct, frozen=True, tag=True):
    """What the index needs of the file."""

    header: InstanceHeader


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The file cannot be filed."""

    reason: str


class DiskFailed(msgspec.Struct, frozen=True, tag=True):
    """The file could not be got at."""

    number: int | None
    sentence: str | None


@dataclass(slots=True)
class Reader:
    """A child process that reads headers, replaced when it hangs or dies."""

    timeout_seconds: float
    child: Child[Read | Refused | DiskFailed] = field(
        default_factory=lambda: Child(
            ("-m", "dicom_node.reading"),
            msgspec.msgpack.Decoder(Read | Refused | DiskFailed),
        )
    )

    def read(self, path: Path) -> InstanceHeader:
        """Read one file's header, within the time and memory allowed.

        Raises
        ------
        Unreadable
            As `read_header`, or the child hung, or died twice.
        OSError
            The disk failed, or twice the child before it saw the path; not the file.
        """
        try:
            answer = self._ask(path)
        except ChildDied:
            answer = None  # it may have died of something else: once more, afresh
        try:
            answer = answer or self._ask(path)
        except ChildGone as error:
            raise OSError(errno.ECHILD, f"no header is read: {error}") from error
        except ChildDied as error:
            raise Unreadable("reading it killed the reading process") from error
        if isinstance(answer, Refused):
            raise Unreadable(answer.reason)
        if isinstance(answer, DiskFailed):
            raise OSError(answer.number, answer.sentence)
        return answer.header

    def close(self) -> None:
        """End the child; the next `read` starts another."""
        self.child.close()

    def _ask(self, path: Path) -> Read | Refused | DiskFailed:
        try:
            return self.child.ask(os.fsencode(path), self.timeout_seconds)
        except ChildHung as error:
            raise Unreadable(
                f"reading it took more than {self.timeout_seconds:.0f} seconds"
            ) from error


def _answer(path: bytes) -> Read | Refused | DiskFailed:
    try:
        return Read(read_header(Path(os.fsdecode(path))))
    except Unreadable as error:
        return Refused(str(error))
    except OSError as error:
        return DiskFailed(error.errno, error.strerror)


def main() -> None:
    """Answer paths with headers or reasons, until the parent goes away."""
    link = children.parent()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_CHILD_BYTES, MAX_CHILD_BYTES))
    # Values that break the standard's rules are read as they are.
    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")
    children.serve(link, msgspec.msgpack.Decoder(bytes), _answer)


if __name__ == "__main__":
    main()
