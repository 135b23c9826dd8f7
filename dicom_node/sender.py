"""The storage SCU: one association, several objects, one outcome each."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.calling import CallingAE, failure_of
from dicom_node.errors import ContextRefused, PeerUnreachable, SendRefused
from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
)

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""A PACS under load may take long to store; silence beyond this is a failure."""

STORED = {0x0000, 0xB000, 0xB006, 0xB007}
"""Success, and warnings: the object was stored (PS3.4 table B.2-1)."""
TRY_AGAIN = {0x0110, 0x0210, 0x0211, 0x0213}
"""Processing failure and unrecognised operation: seen while a PACS restarts. Duplicate
invocation and resource limitation: about the moment, and not about the object."""
SOP_CLASS_NOT_SUPPORTED = 0x0122


@dataclass(frozen=True, slots=True)
class Peer:
    """A remote application entity."""

    ae_title: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    tls_name: str = ""
    """The name in its certificate, where that is not `host`."""

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class OpenAssociation:
    """An association to send on."""

    assoc: Association
    peer: Peer

    def send(self, part10: bytes) -> int:
        """Send one object; return the status with which the peer stored it.

        Raises
        ------
        PeerUnreachable
            No answer, the association is gone, or the status asks to try again.
        ContextRefused
            The peer does not take this SOP class.
        SendRefused
            Any other status; it is carried along.
        """
        ds = pydicom.dcmread(BytesIO(part10))
        accepted = {context.abstract_syntax for context in self.assoc.accepted_contexts}
        if ds.SOPClassUID not in accepted:
            raise ContextRefused(
                f"{self.peer} accepts no {ds.SOPClassUID.name} objects"
            )
        try:
            answer = self.assoc.send_c_store(ds)
        except RuntimeError as error:
            raise PeerUnreachable(f"{self.peer} closed the association") from error
        if "Status" not in answer:
            raise PeerUnreachable(f"{self.peer} gave no answer, or aborted")
        return outcome(int(answer.Status), self.peer)


def outcome(status: int, peer: Peer) -> int:
    """Return a status that means "stored", raise what any other one means.

    Raises
    ------
    PeerUnreachable, ContextRefused, SendRefused
        See `OpenAssociation.send`.
    """
    if status in STORED:
        return status
    sentence = f"{peer} answered with status 0x{status:04X}"
    if status in TRY_AGAIN or 0xA700 <= status <= 0xA7FF:
        raise PeerUnreachable(sentence, status)
    if status == SOP_CLASS_NOT_SUPPORTED:
        raise ContextRefused(sentence, status)
    raise SendRefused(sentence, status)


@contextmanager
def association(
    calling_ae_title: str,
    peer: Peer,
    sop_class_uids: Iterable[str],
    answer_seconds: float = ANSWER_SECONDS,
    handlers: Sequence[evt.EventHandlerType] = (),
) -> Iterator[OpenAssociation]:
    """Open an association that proposes these SOP classes, and release it.

    A peer that is silent for ``answer_seconds`` is given up. Whatever it does on the
    association ends within the time limits above: those of pynetdicom, and a socket
    that does not wait longer for a peer that stops reading.

    Raises
    ------
    PeerUnreachable
        Nobody listens there, its name is not known, or the association was rejected.
    ContextRefused
        The peer takes none of these SOP classes.
    """
    ae = CallingAE(ae_title=calling_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = CONNECT_SECONDS
    ae.acse_timeout = min(CONNECT_SECONDS, answer_seconds)
    ae.dimse_timeout = answer_seconds
    ae.network_timeout = answer_seconds
    for uid in sorted(set(sop_class_uids)):
        ae.add_requested_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        assoc = ae.associate(
            peer.host,
            peer.port,
            ae_title=peer.ae_title,
            tls_args=(peer.tls, peer.tls_name or peer.host) if peer.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, _bound_socket), *handlers],
        )
    # A name that does not resolve, or that is none; a process without descriptors.
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "its host is no name"
        raise PeerUnreachable(f"{peer}: no connection ({reason})") from error
    if not assoc.is_established:
        # pynetdicom aborts an association on which it could send nothing.
        if assoc.rejected_contexts and not assoc.accepted_contexts:
            raise ContextRefused(f"{peer} accepts none of the SOP classes to be sent")
        raise PeerUnreachable(_why_not(assoc, peer, calling_ae_title))
    try:
        yield OpenAssociation(assoc, peer)
    finally:
        _release(assoc)


def _release(assoc: Association) -> None:
    """Release an association, and leave one whose end pynetdicom has missed.

    Its `release` waits without a limit for a thread that may have ended just then.
    """
    releasing = threading.Thread(target=assoc.release, daemon=True)
    releasing.start()
    releasing.join(2 * CONNECT_SECONDS)
    if releasing.is_alive():
        assoc.abort()
        releasing.join(2 * CONNECT_SECONDS)


def echo(calling_ae_title: str, peer: Peer) -> None:
    """Verify that the peer answers a C-ECHO.

    Raises
    ------
    PeerUnreachable
        It does not, with what is wrong.
    """
    with association(calling_ae_title, peer, [Verification]) as opened:
        answer = opened.assoc.send_c_echo()
    if "Status" not in answer or answer.Status != 0:
        raise PeerUnreachable(f"{peer} does not answer C-ECHO")


def _why_not(assoc: Association, peer: Peer, calling_ae_title: str) -> str:
    if assoc.is_rejected:
        primitive = assoc.acceptor.primitive
        reason = primitive.reason_str if primitive else "no reason given"
        return f"{peer} rejected {calling_ae_title!r}: {reason}"
    failure = failure_of(assoc)
    reason = f" ({failure})" if failure else ""
    return f"{peer}: no connection, or no DICOM peer there{reason}"


def _bound_socket(event: evt.Event) -> None:
    """Bound every wait on the socket.

    pynetdicom lets a write wait for ever once it is connected, so that a peer that
    stops reading would keep us.
    """
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.settimeout(event.assoc.network_timeout)
