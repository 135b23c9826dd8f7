"""The storage SCP: C-ECHO, and C-STORE to a durable receipt.

Nothing of a dataset is parsed here. The answer is Success only when the file, its
folders and its row would survive a power cut (PS3.4 B.2.3 makes the acceptor
responsible from then on).
"""

from __future__ import annotations

import logging
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import cast

from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from dicom_node import commitment
from dicom_node.admission import AllowList
from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
)
from dicom_node.logs import Action, about
from storage.database import Database
from storage.errors import StorageError
from storage.files import Files, StoredFile
from storage.receipts import Receipt, add_receipt

log = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES_FILE = 0xA700
"""The file could not be made durable: the disk is full or broken."""
OUT_OF_RESOURCES_ROW = 0xA701
"""The receipt could not be written: the database is full or away."""
CANNOT_UNDERSTAND_EMPTY = 0xC000
"""A C-STORE-RQ without a dataset."""

REJECTED_PERMANENT, BY_USER = 0x01, 0x01
CALLING_TITLE_UNKNOWN, CALLED_TITLE_UNKNOWN = 0x03, 0x07
"""PS3.8 table 9-21."""
MAX_PDU_BYTES = 131_072
"""Large enough that an image takes few PDUs, and what DCMTK sends at most."""
IDLE_SECONDS = 60.0
PREAMBLE = b"\0" * 128 + b"DICM"
"""PS3.10 7.1."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Turns C-STORE requests into receipts."""

    database: Database
    files: Files
    allow_list: AllowList
    called_ae_title: str

    def on_requested(self, event: evt.Event) -> None:
        """Refuse an association that the allow list does not know."""
        assoc = event.assoc
        request = cast(A_ASSOCIATE, assoc.requestor.primitive)
        calling = request.calling_ae_title.strip()
        called = request.called_ae_title.strip()
        reason = self.allow_list.refusal(calling, assoc.requestor.address)
        diagnostic = CALLING_TITLE_UNKNOWN
        if reason is None and called != self.called_ae_title:
            reason = f"called AE title {called!r}, but ours is {self.called_ae_title!r}"
            diagnostic = CALLED_TITLE_UNKNOWN
        if reason is None:
            return
        log.warning(
            "refused an association from %r at %s: %s",
            calling,
            assoc.requestor.address,
            reason,
            extra=about(Action.ASSOCIATION_REFUSED),
        )
        assoc.acse.send_reject(REJECTED_PERMANENT, BY_USER, diagnostic)
        assoc.kill()

    def on_store(self, event: evt.Event) -> int:
        """Keep what came, exactly as it came, and only then say Success."""
        encoded = cast(C_STORE, event.request).DataSet
        if encoded is None or not encoded.getbuffer().nbytes:
            return self._refuse(CANNOT_UNDERSTAND_EMPTY, "the request has no dataset")
        try:
            stored = self._write(event, encoded)
        except OSError as error:
            return self._refuse(
                OUT_OF_RESOURCES_FILE, f"the file cannot be kept: {error.strerror}"
            )
        try:
            with self.database.sessions.begin() as session:
                add_receipt(session, self._receipt(event, stored))
        except StorageError as error:
            self.files.remove(stored.root, stored.key)
            return self._refuse(OUT_OF_RESOURCES_ROW, f"{error}")
        return SUCCESS

    def _write(self, event: evt.Event, encoded: BytesIO) -> StoredFile:
        request = cast(C_STORE, event.request)
        meta = file_meta(
            str(request.AffectedSOPClassUID or ""),
            str(request.AffectedSOPInstanceUID or ""),
            str(event.context.transfer_syntax),
            event.assoc.requestor.ae_title.strip(),
        )
        with encoded.getbuffer() as dataset:
            return self.files.write_received([PREAMBLE + meta, dataset])

    def _receipt(self, event: evt.Event, stored: StoredFile) -> Receipt:
        request, requestor = cast(C_STORE, event.request), event.assoc.requestor
        return Receipt(
            id=uuid.uuid4().hex,
            received_at=datetime.now(UTC),
            association=f"{requestor.address}:{requestor.port}",
            calling_ae_title=requestor.ae_title.strip(),
            peer_address=requestor.address,
            sop_class_uid=str(request.AffectedSOPClassUID or ""),
            sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            file=stored,
        )

    def _refuse(self, status: int, reason: str) -> int:
        log.error(
            "refused an image with status 0x%04X: %s. The sender keeps it.",
            status,
            reason,
            extra=about(Action.RECEIVE_REFUSED, status=status),
        )
        return status


def file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    source_ae_title: str,
) -> bytes:
    """Encode the File Meta Information of what came (PS3.10 7.1).

    By hand, because the command set may hold any text where a UID should be, and a
    library that validates it must not decide whether an image is kept.
    """
    elements = b"".join(
        (
            struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\0\1",
            _short_element(0x0002, b"UI", sop_class_uid),
            _short_element(0x0003, b"UI", sop_instance_uid),
            _short_element(0x0010, b"UI", transfer_syntax_uid),
            _short_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _short_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
            _short_element(0x0016, b"AE", source_ae_title),
        )
    )
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(elements))
    return length + elements


def _short_element(number: int, vr: bytes, text: str) -> bytes:
    """Encode an element of group 0002, Explicit VR Little Endian (PS3.5 7.1.2)."""
    value = text.encode("utf-8", "surrogateescape")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value


def start(
    receiver: Receiver, host: str, port: int, max_associations: int
) -> ThreadedAssociationServer:
    """Listen, and return the running server; port 0 takes a free one.

    Raises
    ------
    OSError
        The address is in use, or not ours.
    """
    # pynetdicom then takes every storage SOP class, unknown and private ones too,
    # in whatever transfer syntax is proposed first. It is a module-wide switch.
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    ae = AE(ae_title=receiver.called_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_associations = max_associations
    ae.maximum_pdu_size = MAX_PDU_BYTES
    ae.network_timeout = IDLE_SECONDS
    ae.add_supported_context(Verification)
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_REQUESTED, receiver.on_requested),
        (evt.EVT_REJECTED, _on_rejected),
        (evt.EVT_C_STORE, receiver.on_store),
        (evt.EVT_C_ECHO, _on_echo),
        *commitment.accept_reports(ae, receiver.database),
    ]
    server = ae.start_server((host, port), block=False, evt_handlers=handlers)
    if server is None:
        raise OSError(f"cannot listen on {host}:{port}")
    return server


def _on_echo(_: evt.Event) -> int:
    return SUCCESS


def _on_rejected(event: evt.Event) -> None:
    """Say so when pynetdicom itself refuses: the only reason left is the limit."""
    log.warning(
        "refused an association from %s: more than %d at once; "
        "raise receiver.max_associations if that is usual",
        event.assoc.requestor.address,
        event.assoc.ae.maximum_associations,
        extra=about(Action.ASSOCIATION_REFUSED),
    )


def stop(server: ThreadedAssociationServer) -> None:
    """Stop listening and abort what is open: nothing unacknowledged is ours."""
    server.shutdown()
    for assoc in server.ae.active_associations:
        assoc.abort()
