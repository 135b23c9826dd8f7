"""The DICOM upper layer of one association, driven by the association's thread.

pynetdicom runs it in a thread of its own that asks the socket a thousand times a
second. Here nothing runs beside the association: it takes a step when there is one to
take, and else waits for the peer. So an idle association costs nothing, there is no
race between two threads over a release or an abort, and a peer that sends faster than
we can keep is held back by TCP instead of filling our memory.
"""

from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING

from pynetdicom import evt
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_P_ABORT

from dicom_node.listening.fragments import P_DATA_TF, PDU
from dicom_node.listening.limits import (
    CONTROL_BYTES,
    MAX_ASSOCIATE_BYTES,
    MAX_PDU_BYTES,
)
from dicom_node.listening.messages import INVALID_PDU, Messages
from dicom_node.listening.wire import Wire
from dicom_node.logs import where

if TYPE_CHECKING:
    from pynetdicom.association import Association

CLOSED = "Evt17"
"""The state machine's event: the connection is closed (PS3.8 9.2)."""
IDLE, READY_FOR_DATA, WAITS_FOR_CLOSE = "Sta1", "Sta6", "Sta13"
TLS_HANDSHAKE = 0x16
"""The first byte of a TLS record (RFC 8446 5.1): no PDU type, but often seen."""
BY_PROVIDER = 0x02

MAX_LENGTHS = {
    0x01: MAX_ASSOCIATE_BYTES,
    0x02: MAX_ASSOCIATE_BYTES,
    0x03: CONTROL_BYTES,
    P_DATA_TF: MAX_PDU_BYTES,
    0x05: CONTROL_BYTES,
    0x06: CONTROL_BYTES,
    0x07: CONTROL_BYTES,
}
"""By PDU type: what is longer is not read."""


class Provider(DULServiceProvider):
    """Never started as a thread: `step` is called by the association."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self.failure = ""
        """Why the state machine cannot go on, in words for the log."""

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended, or only waits to be closed."""
        return self._kill_thread or self.state == WAITS_FOR_CLOSE

    @property
    def state(self) -> str:
        """The state of PS3.8 table 9-1 to 9-5, such as ``Sta6``."""
        return str(self.state_machine.current_state)

    @property
    def wire(self) -> Wire:
        """The connection."""
        if not isinstance(self.socket, Wire):
            raise TypeError("the association has no connection yet")
        return self.socket

    @property
    def _messages(self) -> Messages:
        if not isinstance(self.assoc.dimse, Messages):
            raise TypeError("the association does not put its messages together here")
        return self.assoc.dimse

    def step(self) -> None:
        """Let the state machine do one thing, and wait for the peer if it must.

        Raises
        ------
        TimeoutError
            The connection's deadline has passed.
        """
        if self.event_queue.empty() and not self._process_recv_primitive():
            self._hear()
        try:
            event = self.event_queue.get(block=False)
        except Empty:
            return
        try:
            self.state_machine.do_action(event)
        # A peer can bring pynetdicom's state machine where it raises nearly anything;
        # then the association ends as it would for any other invalid PDU.
        except Exception as error:  # noqa: BLE001
            self.failure = f"{type(error).__name__} at {where(error)}"
            self._abort_hard()

    def end(self, deadline: float) -> None:
        """Send what is still to be sent, let the peer close, and close.

        By the deadline it is closed, whatever the peer does.
        """
        self.wire.deadline = deadline
        try:
            while not self._kill_thread and self._has_more_to_do():
                self.step()
        except TimeoutError:
            pass
        finally:
            self.wire.shut()
            if self.state != IDLE:
                peer = self.assoc.requestor
                address = {"address": (peer.address, peer.port)}
                evt.trigger(self.assoc, evt.EVT_CONN_CLOSE, address)

    def _has_more_to_do(self) -> bool:
        queued = not (self.event_queue.empty() and self.to_provider_queue.empty())
        return queued or self.state == WAITS_FOR_CLOSE

    def _abort_hard(self) -> None:
        """Send A-ABORT past a state machine that has lost its way."""
        abort = A_ABORT_RQ()
        abort.source, abort.reason_diagnostic = BY_PROVIDER, 0x00
        self.wire.send(abort.encode())
        self.kill_dul()
        self.to_user_queue.put(A_P_ABORT())

    def _hear(self) -> None:
        """Read one PDU, or see the connection closed; queue the event of it.

        Data has no event: it goes straight to the messages.
        """
        if self.state == WAITS_FOR_CLOSE:
            self.wire.discard()
            self.event_queue.put(CLOSED)
            return
        try:
            self._read_pdu_data()
        except TimeoutError:
            raise
        except OSError:
            self.event_queue.put(CLOSED)

    def _read_pdu_data(self) -> None:
        header = self.wire.recv(PDU.size)
        if len(header) < PDU.size:
            self._ended()
            return
        pdu_type, length = PDU.unpack(header)
        if failure := misfit(pdu_type, length):
            self._refuse(failure)
            return
        body = self.wire.recv(length)
        if len(body) < length:
            self._ended()
            return
        # Where data is expected, the state machine would only pass it on (DT-2).
        if pdu_type == P_DATA_TF and self.state == READY_FOR_DATA:
            self._messages.receive(body)
            return
        self._decode(header + body)

    def _decode(self, encoded: bytearray) -> None:
        """Leave a PDU to pynetdicom, and queue the event of it."""
        try:
            pdu, event = self._decode_pdu(encoded)
        # As in Messages: pynetdicom raises nearly anything at what it cannot decode.
        except Exception as error:  # noqa: BLE001
            kind = type(error).__name__
            self._refuse(f"its PDU of type {encoded[0]} cannot be decoded ({kind})")
            return
        self._recv_pdu.put(pdu)
        self.event_queue.put(event)

    def _ended(self) -> None:
        """Take note that there is nothing more to read."""
        # Where we ended the reading, the association is still to be aborted.
        if not self.wire.is_woken:
            self.event_queue.put(CLOSED)

    def _refuse(self, failure: str) -> None:
        self.failure = failure
        self.event_queue.put(INVALID_PDU)

    def is_alive(self) -> bool:
        """Return False: this is no thread, so nobody need wait for it."""
        return False


def misfit(pdu_type: int, length: int) -> str:
    """Return why a PDU is not read, in words for the log, or nothing."""
    if pdu_type == TLS_HANDSHAKE:
        return "it speaks TLS, and we do not: see [tls] in config.toml"
    if pdu_type not in MAX_LENGTHS:
        return f"it does not speak DICOM (PDU type 0x{pdu_type:02X})"
    limit = MAX_LENGTHS[pdu_type]
    if length > limit:
        return f"a PDU of type {pdu_type} with {length} bytes; the limit is {limit}"
    return ""
