"""One association, from the connection to its end, in one thread."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation, AssociationServer

from dicom_node.listening.answers import (
    arrival_of,
    refuse,
    short_of_memory,
    stored,
)
from dicom_node.listening.arrivals import Keeps
from dicom_node.listening.budget import Budget
from dicom_node.listening.complaints import Complaints
from dicom_node.listening.handshake import HandshakeFailed, handshake_failure
from dicom_node.listening.limits import Limits
from dicom_node.listening.messages import Messages, Request, Store
from dicom_node.listening.places import NoRoom, Place, Places
from dicom_node.listening.provider import Provider
from dicom_node.listening.wire import Wire
from dicom_node.logs import Action, where

REJECTED_PERMANENT, REJECTED_TRANSIENT = 0x01, 0x02
BY_USER, BY_PRESENTATION = 0x01, 0x03
LOCAL_LIMIT_EXCEEDED = 0x02
"""PS3.8 table 9-21."""
SERVICE_USER = 0x00


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an association is rejected for good: for the log, and for the peer."""

    reason: str
    diagnostic: int
    """Of a rejection by the service user (PS3.8 table 9-21)."""


Admission = Callable[[str, str, str], Refusal | None]
"""Of calling AE title, called AE title and address; None lets the peer in."""


@dataclass(frozen=True, slots=True)
class House:
    """What all associations of a server share."""

    limits: Limits
    places: Places
    memory: Budget
    admits: Admission
    keeps: Keeps
    complaints: Complaints
    unproven: Callable[[str, str], None]
    """Told the address of each peer whose TLS handshake failed, and why."""
    left: Callable[[Acceptor], None]
    """Told of each association whose thread is at its end."""


class Acceptor(Association):
    """An association that a peer has asked for, or is still to ask for.

    Nothing that a peer does may end anything but its own association.
    """

    def __init__(
        self,
        server: AssociationServer,
        house: House,
        connected: socket.socket,
        place: Place,
        port: int,
    ) -> None:
        super().__init__(server.ae, MODE_ACCEPTOR)
        self._server: AssociationServer = server
        self._house = house
        self.dul: Provider = Provider(self)
        self.dimse: Messages = Messages(self)
        self.dimse.max_object_bytes = house.limits.max_object_bytes
        self.dimse.memory = house.memory.share()
        self._handlers = handlers_of(server)
        self._connected, self._place = connected, place
        self._connected_at = time.monotonic()
        self._is_stopping = False
        self.name = f"AcceptorThread@{place.address}:{port}"
        self._introduce(port)

    def _introduce(self, port: int) -> None:
        ours, ae = self.acceptor, self._server.ae
        ours.maximum_length = ae.maximum_pdu_size
        ours.ae_title = self._server.ae_title
        ours.address_info = AddressInformation.from_tuple(self._server.server_address)
        ours.implementation_class_uid = ae.implementation_class_uid
        ours.implementation_version_name = ae.implementation_version_name
        ours.supported_contexts = deepcopy(self._server.contexts)
        self.requestor.address_info = AddressInformation(self._place.address, port)

    def _bind_defaults(self) -> None:
        """Bind nothing one by one: all handlers are the server's."""

    def run_reactor(self) -> None:
        """Serve this peer until it, or we, have had enough: the thread's body."""
        try:
            self._converse()
        # One association must never take another one along, nor the process.
        except Exception as error:  # noqa: BLE001
            self._complain(f"{type(error).__name__} at {where(error)}")
            self._abort()
        finally:
            self._leave()

    def stop(self) -> None:
        """Ask, from another thread, that the association be aborted.

        An image that is just being kept is kept, and acknowledged, before.
        """
        self._is_stopping = True
        if self.dul.socket is not None:
            self.dul.wire.wake()
        else:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._connected, socket.SHUT_RD)

    def cut(self) -> None:
        """Close the connection under the association, from another thread."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._connected, socket.SHUT_RDWR)

    def _converse(self) -> None:
        limits = self._house.limits
        deadline = self._connected_at + limits.setup_seconds
        try:
            self._secure(deadline)
            self.set_socket(Wire(self, self._connected))
            self.dul.wire.deadline = deadline
            peer = self.requestor
            address = {"address": (peer.address, peer.port)}
            evt.trigger(self, evt.EVT_CONN_OPEN, address)
            requested = self._request()
        except TimeoutError:
            self._complain(f"no association request within {limits.setup_seconds:g} s")
            return
        except HandshakeFailed as error:
            self._complain(f"{error}")
            self._house.unproven(self._place.address, f"{error}")
            return
        if requested is None:
            return
        if self._admit(requested):
            self.acse.negotiate_association()
        while self.is_established:
            self._next()

    def _secure(self, deadline: float) -> None:
        """Shake hands by TLS, where the server has a certificate.

        Raises
        ------
        TimeoutError
            It took too long.
        HandshakeFailed
            It failed; the message says why.
        """
        context = self._server.ssl_context
        if context is None:
            return
        try:
            self._connected.settimeout(max(deadline - time.monotonic(), 0.001))
            secured = context.wrap_socket(
                self._connected, server_side=True, do_handshake_on_connect=False
            )
            self._connected = secured
            secured.do_handshake()
        except TimeoutError:
            raise
        except OSError as error:
            raise HandshakeFailed(handshake_failure(error)) from error

    def _request(self) -> A_ASSOCIATE | None:
        """Return the peer's request, None where it sent something else, or went."""
        while not self.dul.is_over and not self._is_stopping:
            self.dul.step()
            primitive: object = self.dul.receive_pdu(wait=False)
            if isinstance(primitive, A_ASSOCIATE):
                return primitive
        if self.dul.failure:
            self._complain(self.dul.failure)
        return None

    def _admit(self, requested: A_ASSOCIATE) -> bool:
        """Let the peer in, or reject it with a reason."""
        self.requestor.primitive = requested
        evt.trigger(self, evt.EVT_REQUESTED, {})
        address = self._place.address
        calling = requested.calling_ae_title.strip()
        called = requested.called_ae_title.strip()
        refusal = self._house.admits(calling, called, address)
        if refusal is not None:
            self._reject(
                (REJECTED_PERMANENT, BY_USER, refusal.diagnostic),
                f"from {calling!r} at {address}: {refusal.reason}",
            )
            return False
        try:
            self._house.places.associate(self._place)
        except NoRoom as error:
            self._reject(
                (REJECTED_TRANSIENT, BY_PRESENTATION, LOCAL_LIMIT_EXCEEDED),
                f"from {address}: {error}",
            )
            return False
        return True

    def _reject(self, answer: tuple[int, int, int], who_and_why: str) -> None:
        self._house.complaints.say(
            self._place.address,
            Action.ASSOCIATION_REFUSED,
            f"refused an association {who_and_why}",
        )
        self.acse.send_reject(*answer)
        evt.trigger(self, evt.EVT_REJECTED, {})

    def _next(self) -> None:
        """Answer a request if there is one, and else wait for what the peer does."""
        message = self.dimse.next()
        if message is not None:
            self._answer(message)
            self.dimse.memory.give_back()
        elif self.acse.is_release_requested():
            self._release()
        elif self.acse.is_aborted():
            self._aborted()
        elif self._is_stopping:
            self._abort()
        else:
            self._wait()

    def _answer(self, message: Store | Request) -> None:
        """Answer a whole message: most are images, which pass pynetdicom by."""
        status = short_of_memory(message)
        if status is not None:
            self._say_short_of_memory(status)
        if isinstance(message, Request):
            if status is None:
                self._serve_request(message.primitive, message.context_id)
            else:
                refuse(self, message, status)
            return
        if status is None:
            status = self._house.keeps(arrival_of(self, message))
        # The peer's silence counts from our answer on.
        self.dul.wire.deadline = time.monotonic() + self._house.limits.idle_seconds
        self.dul.wire.send(stored(self, message, status))

    def _say_short_of_memory(self, status: int) -> None:
        self._house.complaints.say(
            self._place.address,
            Action.RECEIVE_REFUSED,
            f"refused what {self.requestor.ae_title.strip()!r} at "
            f"{self._place.address} sends with status 0x{status:04X}: no memory for it "
            f"within {self._house.limits.memory_seconds:g} s, other images take it; "
            "raise receiver.memory_megabytes if so many at once are usual",
        )

    def _wait(self) -> None:
        limits = self._house.limits
        deadline = time.monotonic() + limits.idle_seconds
        what = f"nothing came for {limits.idle_seconds:g} s"
        if self.dimse.begun is not None:
            whole = self.dimse.begun + limits.message_seconds
            if whole < deadline:
                deadline = whole
                what = f"its message was not whole in {limits.message_seconds:g} s"
        self.dul.wire.deadline = deadline
        try:
            self.dul.step()
        except TimeoutError:
            self._complain(what)
            self._abort()

    def _release(self) -> None:
        self.acse.send_release(is_response=True)
        self.is_released, self.is_established = True, False
        evt.trigger(self, evt.EVT_RELEASED, {})

    def _aborted(self) -> None:
        """Take note that the peer, or our own upper layer, has aborted."""
        self.dul.receive_pdu(wait=False)
        if failure := self.dul.failure or self.dimse.failure:
            self._complain(failure)
        self.is_aborted, self.is_established = True, False
        evt.trigger(self, evt.EVT_ABORTED, {})

    def _abort(self) -> None:
        if self.is_established:
            self.acse.send_abort(SERVICE_USER)
            evt.trigger(self, evt.EVT_ABORTED, {})

    def _leave(self) -> None:
        """End the connection, and give everything back."""
        # Before the peer learns that it is over: it may ask for the next one at once.
        self._house.places.part(self._place)
        self.dimse.memory.give_back()
        try:
            if self.dul.socket is not None:
                closing = time.monotonic() + self._house.limits.close_seconds
                self.dul.end(closing)
        finally:
            with contextlib.suppress(OSError):
                self._connected.close()
            self._house.places.leave(self._place)
            self._house.left(self)

    def _complain(self, why: str) -> None:
        if self._is_stopping:
            return
        who = f"{self._place.address}: {why}"
        associated = self._place.associated
        self._house.complaints.say(
            self._place.address,
            Action.ASSOCIATION_ABORTED if associated else Action.CONNECTION_REFUSED,
            f"aborted the association with {self.requestor.ae_title.strip()!r} at {who}"
            if associated
            else f"closed a connection from {who}",
        )


def handlers_of(server: AssociationServer) -> dict[Any, Any]:
    """Return a server's handlers, for one association to have of its own."""
    return {
        event: list(bound) if isinstance(bound, list) else bound
        for event, bound in server._handlers.items()  # noqa: SLF001
    }
