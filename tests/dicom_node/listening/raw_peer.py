"""A peer that writes DICOM byte by byte, so that it can also write it wrongly."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dimse_messages import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from dicom_node.sender import Peer
from tests.waiting import PATIENCE_SECONDS

VERIFICATION, MR = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.4"
ECHO_CONTEXT, STORE_CONTEXT = 1, 3
ACCEPTED, REJECTED, DATA, RELEASED, ABORTED = 0x02, 0x03, 0x04, 0x06, 0x07
"""PDU types (PS3.8 9.3)."""
SUCCESS = bytes.fromhex("0000 0009 0200 0000 0000")
"""(0000,0900) Status, 0x0000, as it is encoded in a response."""
OUT_OF_RESOURCES = bytes.fromhex("0000 0009 0200 0000 00A7")
"""The same, 0xA700."""


def request(called: str, calling: str = "SCANNER") -> bytes:
    """Return an A-ASSOCIATE-RQ that proposes C-ECHO and C-STORE of MR."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = [
        build_context(VERIFICATION, ImplicitVRLittleEndian),
        build_context(MR, ExplicitVRLittleEndian),
    ]
    for number, context in zip((ECHO_CONTEXT, STORE_CONTEXT), contexts, strict=True):
        context.context_id = number
    primitive.presentation_context_definition_list = contexts
    length, implementation = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
    )
    length.maximum_length_received = 16_382
    implementation.implementation_class_uid = UID("2.25.1")
    primitive.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def echo_request() -> bytes:
    """Return a C-ECHO-RQ in its one P-DATA-TF."""
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, UID(VERIFICATION)
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    (fragment,) = message.encode_msg(ECHO_CONTEXT, 16_382)
    return bytes(P_DATA_TF(fragment).encode())


def store_request(dataset: bytes, pdu_bytes: int = 16_382) -> list[bytes]:
    """Return a C-STORE-RQ in its P-DATA-TFs: the command first, then the dataset."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 1, 2
    primitive.AffectedSOPClassUID = UID(MR)
    primitive.AffectedSOPInstanceUID = UID("2.25.1")
    primitive.DataSet = BytesIO(dataset)
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    fragments = message.encode_msg(STORE_CONTEXT, pdu_bytes)
    return [bytes(P_DATA_TF(fragment).encode()) for fragment in fragments]


def cancel_request() -> bytes:
    """Return a C-CANCEL-RQ for the C-STORE-RQ above, which nobody may cancel."""
    primitive = C_CANCEL()
    primitive.MessageIDBeingRespondedTo = 1
    message = C_CANCEL_RQ()
    message.primitive_to_message(primitive)
    (fragment,) = message.encode_msg(STORE_CONTEXT, 16_382)
    return bytes(P_DATA_TF(fragment).encode())


def pdu(pdu_type: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU, which may lie about its length."""
    said = len(body) if length is None else length
    return struct.pack(">BxI", pdu_type, said) + body


def fragment(context: int, header: int, body: bytes) -> bytes:
    """Return a P-DATA-TF with one PDV (PS3.8 9.3.5, E.2)."""
    value = struct.pack(">IBB", len(body) + 2, context, header) + body
    return pdu(DATA, value)


class RawPeer:
    """One TCP connection to the node."""

    def __init__(self, node: Peer, tls: ssl.SSLContext | None = None) -> None:
        self.node = node
        self.socket = socket.create_connection(
            (node.host, node.port), timeout=PATIENCE_SECONDS
        )
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=node.host)

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def answer(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU; type 0 is the end of the connection."""
        header = self._read(6)
        if len(header) < 6:
            return 0, b""
        pdu_type, length = struct.unpack(">BxI", header)
        return pdu_type, self._read(length)

    def _read(self, count: int) -> bytes:
        received = b""
        try:
            while len(received) < count:
                part = self.socket.recv(count - len(received))
                if not part:
                    break
                received += part
        except ConnectionError:
            pass
        return received

    def associate(self, calling: str = "SCANNER") -> RawPeer:
        self.send(request(self.node.ae_title, calling))
        assert self.answer()[0] == ACCEPTED
        return self

    def echo(self) -> None:
        self.send(echo_request())
        pdu_type, body = self.answer()
        assert pdu_type == DATA
        assert SUCCESS in body

    def release(self) -> None:
        self.send(bytes(A_RELEASE_RQ().encode()))
        assert self.answer()[0] == RELEASED
        self.close()

    def is_closed(self) -> bool:
        """Wait for the node to close the connection; whatever comes before is read."""
        while self.answer()[0]:
            pass
        self.close()
        return True

    def close(self) -> None:
        self.socket.close()


def echo(node: Peer, tls: ssl.SSLContext | None = None) -> None:
    """Ask the node for a C-ECHO on an association of its own."""
    peer = RawPeer(node, tls)
    try:
        peer.associate().echo()
        peer.release()
    finally:
        peer.close()


class Heartbeat:
    """A C-ECHO again and again; a test asks for some while it attacks."""

    def __init__(self, node: Peer, tls: ssl.SSLContext | None) -> None:
        self._node, self._tls = node, tls
        self._beats = 0
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ending.wait(0.02):
                echo(self._node, self._tls)
                self._tell(None)
        except BaseException as error:  # noqa: BLE001 (told to the test)
            self._tell(error)

    def _tell(self, failure: BaseException | None) -> None:
        with self._changed:
            self._beats += failure is None
            self._failure = failure
            self._changed.notify_all()

    def end(self) -> None:
        self._ending.set()

    def answers(self, count: int = 3) -> bool:
        """Wait until so many more echoes were asked for, and answered."""
        with self._changed:
            # One may have been answered before the attack began.
            wanted = self._beats + count + 1
            self._changed.wait_for(
                lambda: self._beats >= wanted or self._failure,
                timeout=count * PATIENCE_SECONDS,
            )
            if self._failure:
                raise AssertionError("a C-ECHO was not answered") from self._failure
            return self._beats >= wanted


@contextmanager
def heartbeat(node: Peer, tls: ssl.SSLContext | None = None) -> Iterator[Heartbeat]:
    """Ask for C-ECHO throughout the block."""
    beating = Heartbeat(node, tls)
    thread = threading.Thread(target=beating.run)
    thread.start()
    try:
        yield beating
    finally:
        beating.end()
        thread.join()


@contextmanager
def connections(node: Peer, count: int) -> Iterator[Sequence[RawPeer]]:
    """Open so many connections, and close them whatever happens."""
    peers = [RawPeer(node) for _ in range(count)]
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()
