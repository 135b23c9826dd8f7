"""The listening socket: accepts, counts, and hands over. It never waits for a peer."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from socketserver import BaseServer
from typing import Any, cast

from pynetdicom import AE, evt
from pynetdicom.transport import AssociationServer

from dicom_node.listening.acceptor import Acceptor, Admission, House
from dicom_node.listening.arrivals import Keeps
from dicom_node.listening.budget import Budget
from dicom_node.listening.complaints import Complaints
from dicom_node.listening.limits import Limits
from dicom_node.listening.places import NoRoom, Places
from dicom_node.logs import Action, where

ACCEPT_SECONDS = 0.1
"""How often the accepting thread looks whether it is to stop."""
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
STOP_SECONDS = 5.0
"""For an image that is just being kept."""


class Server(AssociationServer):
    """Listens, with one thread for each connection and none that polls."""

    request_queue_size = 128

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        *,
        limits: Limits,
        admits: Admission,
        keeps: Keeps,
        address_refusal: Callable[[str], str | None],
        complaints: Complaints,
        tls: ssl.SSLContext | None,
        unproven: Callable[[str, str], None],
        handlers: Sequence[evt.EventHandlerType],
    ) -> None:
        self.places = Places(limits)
        self.memory = Budget(
            limits.memory_bytes, limits.max_object_bytes, limits.memory_seconds
        )
        self._house = House(
            limits,
            self.places,
            self.memory,
            admits,
            keeps,
            complaints,
            unproven,
            self._left,
        )
        self._address_refusal = address_refusal
        self._acceptors: set[Acceptor] = set()
        self._lock = threading.Lock()
        super().__init__(
            ae,
            address,
            ae.ae_title,
            ae.supported_contexts,
            ssl_context=tls,
            evt_handlers=list(handlers),
        )
        self._thread = threading.Thread(
            target=self.serve_forever,
            args=(ACCEPT_SECONDS,),
            name="AcceptorServer",
            daemon=True,
        )

    def start(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    @property
    def is_listening(self) -> bool:
        """Whether connections are still accepted."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Accept nobody any more, abort what is open, and wait until all have left."""
        BaseServer.shutdown(self)
        self.server_close()
        for acceptor in self._running():
            acceptor.stop()
        self.memory.close()
        deadline = time.monotonic() + STOP_SECONDS
        for acceptor in self._running():
            acceptor.join(max(deadline - time.monotonic(), 0))
        for acceptor in self._running():
            acceptor.cut()
            acceptor.join(self._house.limits.close_seconds)

    def _left(self, acceptor: Acceptor) -> None:
        with self._lock:
            self._acceptors.discard(acceptor)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection; the TLS handshake is its own thread's business."""
        try:
            connected, address = cast(socket.socket, self.socket).accept()
        except OSError as error:
            if error.errno in EXHAUSTED:
                why = f"cannot accept a connection: {error.strerror}"
                self._house.complaints.say("", Action.CONNECTION_REFUSED, why)
                time.sleep(ACCEPT_SECONDS)  # the connection still waits: do not spin
            raise
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected, address

    def process_request(
        self,
        request: socket.socket | tuple[bytes, socket.socket],
        client_address: Any,
    ) -> None:
        """Give the connection a place and a thread, or close it."""
        address, port = client_address[:2]
        try:
            if refusal := self._address_refusal(address):
                raise NoRoom(refusal)
            place = self.places.connect(address)
        except NoRoom as error:
            self._house.complaints.say(
                address,
                Action.CONNECTION_REFUSED,
                f"refused a connection from {address}: {error}",
            )
            self.shutdown_request(request)
            return
        try:
            connected = cast(socket.socket, request)
            acceptor = Acceptor(self, self._house, connected, place, port)
            self._open(acceptor)
        except BaseException:
            self.places.leave(place)
            raise

    def _open(self, acceptor: Acceptor) -> None:
        with self._lock:
            self._acceptors.add(acceptor)
        try:
            acceptor.start()
        except BaseException:  # no thread can be had
            self._left(acceptor)
            raise

    def handle_error(self, request: object, client_address: Any) -> None:
        """Log what broke, without what it says: it may quote the peer."""
        error = sys.exception()
        why = f"{type(error).__name__} at {where(error)}" if error else "unknown"
        self._house.complaints.say(
            client_address[0],
            Action.CONNECTION_REFUSED,
            f"cannot serve a connection from {client_address[0]}: {why}",
        )

    def service_actions(self) -> None:
        """Do nothing: the garbage collector runs by itself."""

    def _running(self) -> list[Acceptor]:
        with self._lock:
            return list(self._acceptors)
