"""The storage SCP: C-ECHO, and C-STORE to a durable receipt.

Nothing of a dataset is parsed here. The answer is Success only when the file, its
folders and its row would survive a power cut (PS3.4 B.2.3 makes the acceptor
responsible from then on).
"""

from __future__ import annotations

import logging
import ssl
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import cast

from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node import commitment
from dicom_node.admission import AllowList
from dicom_node.audit.messages import Peer
from dicom_node.audit.trail import Trail, silent
from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
)
from dicom_node.listening.acceptor import Refusal
from dicom_node.listening.arrivals import Arrival
from dicom_node.listening.complaints import Complaints
from dicom_node.listening.limits import MAX_PDU_BYTES, Limits
from dicom_node.listening.server import Server
from dicom_node.logs import Action, about, where
from storage.errors import StorageError
from storage.files import StoredFile
from storage.intake import Intake
from storage.receipts import Receipt
from storage.space import SpaceGate

log = logging.getLogger(__name__)

SUCCESS = 0x0000
OUT_OF_RESOURCES_FILE = 0xA700
"""The file could not be made durable: the disk is full, nearly so, or broken."""
OUT_OF_RESOURCES_ROW = 0xA701
"""The receipt could not be written: the database is full or away."""
CANNOT_UNDERSTAND_EMPTY = 0xC000
"""A C-STORE-RQ without a dataset."""
CANNOT_UNDERSTAND_UNFORESEEN = 0xC211
"""An error that is ours, and none of those above."""

CALLING_TITLE_UNKNOWN, CALLED_TITLE_UNKNOWN = 0x03, 0x07
"""PS3.8 table 9-21."""
DEFAULT_LIMITS = Limits()
PREAMBLE = b"\0" * 128 + b"DICM"
"""PS3.10 7.1."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Turns C-STORE requests into receipts."""

    intake: Intake
    allow_list: AllowList
    called_ae_title: str
    space: SpaceGate | None = None
    """Refuses images before the disk is full; None where nothing watches it."""
    trail: Trail = field(default_factory=silent)

    def admits(self, calling: str, called: str, address: str) -> Refusal | None:
        """Refuse an association that the allow list does not know."""
        reason = self.allow_list.refusal(calling, address)
        if reason is not None:
            return self._refusal(calling, address, reason, CALLING_TITLE_UNKNOWN)
        if called != self.called_ae_title:
            reason = f"called AE title {called!r}, but ours is {self.called_ae_title!r}"
            return self._refusal(calling, address, reason, CALLED_TITLE_UNKNOWN)
        return None

    def address_refusal(self, address: str) -> str | None:
        """Say why nobody at an address may connect; None where somebody may."""
        reason = self.allow_list.address_refusal(address)
        if reason is not None:
            self.trail.refused(Peer("", address), reason)
        return reason

    def unproven(self, address: str, reason: str) -> None:
        """Take note of a peer that could not prove by TLS who it is."""
        self.trail.refused(Peer("", address), reason)

    def _refusal(
        self, calling: str, address: str, reason: str, diagnostic: int
    ) -> Refusal:
        self.trail.refused(Peer(calling, address), reason)
        return Refusal(reason, diagnostic)

    def keep(self, arrival: Arrival) -> int:
        """Keep what came, exactly as it came, and only then say Success."""
        size_bytes = arrival.dataset.nbytes
        if not size_bytes:
            return self._refuse(CANNOT_UNDERSTAND_EMPTY, "the request has no dataset")
        if self.space and not self.space.admits(size_bytes):
            return OUT_OF_RESOURCES_FILE  # said once in the log, not for each image
        try:
            self.intake.keep(
                [PREAMBLE + file_meta(arrival), arrival.dataset],
                partial(_receipt, arrival),
            )
        except OSError as error:
            return self._refuse(
                OUT_OF_RESOURCES_FILE, f"the file cannot be kept: {error.strerror}"
            )
        except StorageError as error:
            return self._refuse(OUT_OF_RESOURCES_ROW, f"{error}")
        # The sender shall hear that its image is not kept, and may send the next one.
        except Exception as error:  # noqa: BLE001
            unforeseen = f"{type(error).__name__} at {where(error)}"
            return self._refuse(CANNOT_UNDERSTAND_UNFORESEEN, unforeseen)
        return SUCCESS

    def on_store(self, event: evt.Event) -> int:
        """Keep what came in a message that pynetdicom had to understand."""
        request, requestor = cast(C_STORE, event.request), event.assoc.requestor
        encoded = (request.DataSet or BytesIO()).getbuffer()
        return self.keep(
            Arrival(
                sop_class_uid=str(request.AffectedSOPClassUID or ""),
                sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
                transfer_syntax_uid=str(event.context.transfer_syntax),
                calling_ae_title=requestor.ae_title.strip(),
                peer_address=requestor.address,
                peer_port=requestor.port,
                dataset=encoded,
            )
        )

    def _refuse(self, status: int, reason: str) -> int:
        log.error(
            "refused an image with status 0x%04X: %s. The sender keeps it.",
            status,
            reason,
            extra=about(Action.RECEIVE_REFUSED, status=status),
        )
        return status


def _receipt(arrival: Arrival, stored: StoredFile) -> Receipt:
    return Receipt(
        id=uuid.uuid4().hex,
        received_at=datetime.now(UTC),
        association=f"{arrival.peer_address}:{arrival.peer_port}",
        calling_ae_title=arrival.calling_ae_title,
        peer_address=arrival.peer_address,
        sop_class_uid=arrival.sop_class_uid,
        sop_instance_uid=arrival.sop_instance_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        file=stored,
    )


def file_meta(arrival: Arrival) -> bytes:
    """Encode the File Meta Information of what came (PS3.10 7.1).

    By hand, because the command set may hold any text where a UID should be, and a
    library that validates it must not decide whether an image is kept.
    """
    elements = b"".join(
        (
            struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\0\1",
            _short_element(0x0002, b"UI", arrival.sop_class_uid),
            _short_element(0x0003, b"UI", arrival.sop_instance_uid),
            _short_element(0x0010, b"UI", arrival.transfer_syntax_uid),
            _short_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _short_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
            _short_element(0x0016, b"AE", arrival.calling_ae_title),
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
    receiver: Receiver,
    host: str,
    port: int,
    limits: Limits = DEFAULT_LIMITS,
    tls: ssl.SSLContext | None = None,
    further: Sequence[evt.EventHandlerType] = (),
) -> Server:
    """Listen, and return the running server; port 0 takes a free one.

    ``further`` handlers only watch.

    Raises
    ------
    OSError
        The address is in use, or not ours.
    """
    # pynetdicom then takes every storage SOP class, unknown and private ones too,
    # in whatever transfer syntax is proposed first. It is a module-wide switch.
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    # Its own lines about each PDU quote what came; they are not shown in any case.
    _config.LOG_HANDLER_LEVEL = "none"
    ae = AE(ae_title=receiver.called_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = MAX_PDU_BYTES
    # Places are given out by the server; pynetdicom counts silent connections too.
    ae.maximum_associations = limits.max_connections + 1
    ae.add_supported_context(Verification)
    server = Server(
        ae,
        (host, port),
        limits=limits,
        admits=receiver.admits,
        keeps=receiver.keep,
        address_refusal=receiver.address_refusal,
        complaints=Complaints(),
        tls=tls,
        unproven=receiver.unproven,
        handlers=[
            (evt.EVT_C_STORE, receiver.on_store),
            (evt.EVT_C_ECHO, _on_echo),
            *commitment.accept_reports(ae, receiver.intake.database),
            *further,
        ],
    )
    server.start()
    return server


def _on_echo(_: evt.Event) -> int:
    return SUCCESS


def stop(server: Server) -> None:
    """Stop listening and abort what is open: nothing unacknowledged is ours."""
    server.stop()
