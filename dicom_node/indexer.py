"""Receipt to instance of a study, or to quarantine with a reason.

A dataset from the wire can be anything: a text file, sequences nested a thousand
deep, a length that asks for all memory. It is therefore read in a child process
that is bounded in time and memory; the worst it can do is to be quarantined.
"""

from __future__ import annotations

import logging
import multiprocessing
import resource
import signal
import warnings
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset, config
from pydicom.errors import InvalidDicomError

from dicom_node.audit.messages import Did, Peer
from dicom_node.audit.trail import Trail, silent
from dicom_node.digests import content_digest, patient_digest
from dicom_node.logs import Action, about
from storage.database import Database
from storage.files import Files
from storage.instances import InstanceHeader, file_receipt
from storage.receipts import Receipt, quarantine, unindexed_receipts
from storage.states import Filed, Role

log = logging.getLogger(__name__)

MAX_CHILD_BYTES = 4 << 30
"""Address space of the reading child; a large enhanced MR needs under 1 GiB."""
BATCH = 200
"""Receipts taken per tick, so that stopping never waits long."""
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


@dataclass(slots=True)
class Reader:
    """A child process that reads headers, replaced when it hangs or dies."""

    timeout_seconds: float
    _child: BaseProcess | None = field(default=None, init=False)
    _pipe: Connection | None = field(default=None, init=False)

    def read(self, path: Path) -> InstanceHeader:
        """Read one file's header, within the time and memory allowed.

        Raises
        ------
        Unreadable
            As `read_header`, or the child hung, or died twice.
        OSError
            The disk failed, not the file.
        """
        try:
            return self._ask(path)
        except EOFError:
            self.close()  # it may have died of something else: once more, afresh
        try:
            return self._ask(path)
        except EOFError as error:
            self.close()
            raise Unreadable("reading it killed the reading process") from error

    def _ask(self, path: Path) -> InstanceHeader:
        pipe = self._connected()
        try:
            pipe.send(path)
            if not pipe.poll(self.timeout_seconds):
                self.close()
                raise Unreadable(
                    f"reading it took more than {self.timeout_seconds:.0f} seconds"
                )
            answer = pipe.recv()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError from error
        if isinstance(answer, InstanceHeader):
            return answer
        if isinstance(answer, OSError):
            raise answer
        raise Unreadable(str(answer))

    def close(self) -> None:
        """End the child; the next `read` starts another."""
        if self._child is not None:
            self._child.kill()
            self._child.join()
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None

    def _connected(self) -> Connection:
        if self._pipe is None:
            # A fresh interpreter: a fork would carry threads' locks and the GPU.
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._child = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._child.start()
            theirs.close()
        return self._pipe


def _serve(pipe: Connection) -> None:
    """Answer paths with headers or reasons, until the parent goes away."""
    # Stopping the service signals the whole group; the parent ends this child.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_CHILD_BYTES, MAX_CHILD_BYTES))
    # Values that break the standard's rules are read as they are.
    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(read_header(path))
        except Unreadable as error:
            pipe.send(str(error))
        except OSError as error:
            pipe.send(OSError(error.errno, error.strerror))


AUDITED_AS = {
    Filed.NEW: Did.CREATE,
    Filed.IDENTICAL: Did.READ,
    Filed.CHANGED: Did.UPDATE,
}


@dataclass(frozen=True, slots=True)
class _Transfer:
    """What one association brought of one study, for one line of the audit trail."""

    association: str
    peer: Peer
    study: str
    did: Did


@dataclass(frozen=True, slots=True)
class Indexer:
    """Files every receipt that waits."""

    database: Database
    files: Files
    reader: Reader
    trail: Trail = field(default_factory=silent)

    def index_waiting(self) -> int:
        """File or quarantine a batch of receipts, oldest first; return how many."""
        with self.database.reading.begin() as session:
            receipts = unindexed_receipts(session, BATCH)
        transfers: dict[_Transfer, Counter[str]] = {}
        try:
            for receipt in receipts:
                if transfer := self._index(receipt):
                    counts = transfers.setdefault(transfer, Counter())
                    counts[receipt.sop_class_uid] += 1
        finally:
            for transfer, counts in transfers.items():
                self.trail.received(transfer.did, transfer.peer, transfer.study, counts)
        return len(receipts)

    def _index(self, receipt: Receipt) -> _Transfer | None:
        path = self.files.path(receipt.file.root, receipt.file.key)
        try:
            header = self.reader.read(path)
        except Unreadable as error:
            self._quarantine(receipt, str(error))
            return None
        with self.database.sessions.begin() as session:
            filed = file_receipt(session, receipt, header)
        if filed is Filed.CHANGED:
            log.warning(
                "an instance came again with other content; both versions are kept, "
                "the newer one counts",
                extra=about(Action.INSTANCE_CHANGED, header.study_instance_uid),
            )
        return _Transfer(
            receipt.association,
            Peer(receipt.calling_ae_title, receipt.peer_address),
            header.study_instance_uid,
            AUDITED_AS[filed],
        )

    def _quarantine(self, receipt: Receipt, reason: str) -> None:
        with self.database.sessions.begin() as session:
            quarantine(session, receipt.id, reason)
        log.error(
            "quarantined %s: %s",
            receipt.file.key,
            reason,
            extra=about(Action.QUARANTINED),
        )
