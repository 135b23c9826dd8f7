"""An AE that requests associations: pynetdicom's, with a socket and a gate of our own.

Our socket waits by poll(2), so a process with more than 1,024 descriptors open can
still send, switches Nagle's algorithm off, and keeps why a connection failed. Our gate
keeps an association's own thread from taking the answer that its caller waits for.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from typing import cast

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

SAY_AGAIN_SECONDS = 0.01

NOT_CONNECTED = "Evt17"
"""The state machine's event (PS3.8 9.2)."""


class CallingAE(AE):
    """As pynetdicom's; what an association is carried by differs."""

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[ssl.SSLContext, str] | None,
    ) -> AssociationSocket:
        carrier = CallingSocket(assoc, address=address)
        carrier.tls_args = tls_args
        gate = cast(threading.Event, _Gate(assoc))
        assoc._reactor_checkpoint = gate  # noqa: SLF001
        return carrier


class _Gate:
    """Where an association's own thread waits while its caller sends.

    pynetdicom has an event there, and the caller goes on as soon as the thread says
    that it is paused. A caller that opens an event and closes it again at once finds
    the thread still paused, although it is about to wake: it then takes the answer to
    the next request as one that nobody asked for, and the caller waits until its time
    is up. Here a thread that finds the gate closed again goes on waiting, and what is
    paused waits at a closed gate. (pynetdicom also says so while a handler runs.)
    """

    def __init__(self, assoc: Association) -> None:
        self._assoc = assoc
        self._is_open = True
        self._changed = threading.Condition()

    def is_set(self) -> bool:
        """Whether the thread may pass."""
        return self._is_open

    def set(self) -> None:
        """Let the thread pass."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Close the gate; the thread is paused once it has come to it."""
        with self._changed:
            if self._is_open:
                self._is_open = False
                self._say_paused(False)
                # A thread that has ended comes to no gate; `kill` says it is paused.
                if self._assoc._kill:  # noqa: SLF001
                    self._say_paused(True)

    def wait(self) -> bool:
        """Pass the gate, or wait until it is open."""
        with self._changed:
            while not self._is_open:
                self._say_paused(True)
                # A report is served by a thread of its own, which says at its end that
                # nobody is paused.
                self._changed.wait(SAY_AGAIN_SECONDS)
        return True

    def _say_paused(self, paused: bool) -> None:
        self._assoc._is_paused = paused  # noqa: SLF001


class CallingSocket(AssociationSocket):
    """A socket that may have any descriptor."""

    failure: OSError | None = None
    """What ended the connection, or kept it from being made."""

    @property
    def ready(self) -> bool:
        """Whether there is something to read, or the connection has ended."""
        connected = self.socket
        if connected is None or not self._is_connected:
            return False
        if isinstance(connected, ssl.SSLSocket) and connected.pending():
            return True
        try:
            waiting = select.poll()
            waiting.register(connected, select.POLLIN)
            return bool(waiting.poll(0))
        except (OSError, ValueError):  # the descriptor is closed
            self.event_queue.put(NOT_CONNECTED)
            return False

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect within the association's time-out, TLS included."""
        try:
            self._connect(primitive)
            primitive.result = "Evt2"
        except OSError as error:
            self.failure = error
            self._shutdown_socket()
            self.socket = None
            primitive.result = NOT_CONNECTED
        finally:
            self.provider_queue.put(primitive)
            self._ready.set()

    def _connect(self, primitive: T_CONNECT) -> None:
        plain = self.socket
        if plain is None:
            raise ConnectionError("the socket is closed")
        plain.settimeout(self.assoc.connection_timeout)
        plain.connect(primitive.address_info.as_tuple)
        # It stalls each small request by 40 ms.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls_args:
            context, name = self.tls_args
            self.socket = plain = context.wrap_socket(plain, server_hostname=name)
        plain.settimeout(None)
        own = AddressInformation.from_tuple(plain.getsockname())
        self.assoc.requestor.address_info = own
        self._is_connected = True
        address = {"address": primitive.address_info.as_tuple}
        evt.trigger(self.assoc, evt.EVT_CONN_OPEN, address)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, and keep what kept us from it."""
        try:
            return super().recv(nr_bytes)
        except OSError as error:
            self.failure = error
            raise

    def _shutdown_socket(self) -> None:
        # pynetdicom's own leaves the descriptor open where the peer closed first.
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                self.socket.close()


def failure_of(assoc: Association) -> str:
    """Return why an association was not established, in words, or nothing."""
    carrier = assoc.dul.socket
    error = carrier.failure if isinstance(carrier, CallingSocket) else None
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'unknown').replace('_', ' ').lower()}"
    return (error.strerror or "") if error else ""
