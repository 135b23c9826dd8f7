"""One connection, read and written against a deadline."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from pynetdicom import evt
from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from pynetdicom.association import Association

DISCARD_BYTES = 65_536
MAX_DISCARDED_BYTES = 16 * DISCARD_BYTES
"""What a peer may still have had under way when we said our last word."""


class Wire(AssociationSocket):
    """A connected socket whose every call ends at `deadline`.

    Python waits for a socket with a time-out by poll(2), TLS included, so descriptors
    beyond 1,024 are as good as others (select(2), which pynetdicom uses, ends there).
    """

    def __init__(self, assoc: Association, connected: socket.socket) -> None:
        super().__init__(assoc, client_socket=connected)
        self.deadline = float("inf")
        """A moment of time.monotonic."""
        self.is_woken = False
        """Whether a read that finds the end was ended by us, and not by the peer."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or fewer if the peer closes before.

        Raises
        ------
        TimeoutError
            The deadline has passed.
        OSError
            The connection is broken.
        """
        received = bytearray(nr_bytes)
        filled = 0
        with memoryview(received) as room:
            while filled < nr_bytes:
                with room[filled:] as rest:
                    count = self._ready_to_read().recv_into(rest)
                if not count:
                    break
                filled += count
        del received[filled:]
        return received

    def send(self, bytestream: bytes) -> None:
        """Send it all; a connection that does not take it counts as closed."""
        try:
            self._in_time().sendall(bytestream)
            evt.trigger(self.assoc, evt.EVT_DATA_SENT, {"data": bytestream})
        except OSError:
            self.event_queue.put("Evt17")

    def discard(self) -> None:
        """Read until the peer closes, within reason, and keep nothing of it."""
        waste, left = bytearray(DISCARD_BYTES), MAX_DISCARDED_BYTES
        with contextlib.suppress(OSError):
            while left > 0 and (count := self._in_time().recv_into(waste)):
                left -= count

    def wake(self) -> None:
        """Let a read that waits in another thread end."""
        self.is_woken = True
        if self.socket is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket: that one forgets its session.
                socket.socket.shutdown(self.socket, socket.SHUT_RD)

    def shut(self) -> None:
        """Close the connection, whatever its state."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                self.socket.close()

    def _shutdown_socket(self) -> None:
        # pynetdicom's own leaves the descriptor open where the peer closed first.
        self.shut()

    def _ready_to_read(self) -> socket.socket:
        """Return the socket, with everything acknowledged that came so far.

        A sender that does not set TCP_NODELAY holds the last piece of what it writes
        back until all before it is acknowledged (RFC 896), and the kernel would wait up
        to 40 ms with that, for an answer to send it with (RFC 1122 4.2.3.2). It forgets
        by itself that it shall not (tcp(7), TCP_QUICKACK), so it is told each time.
        """
        connected = self._in_time()
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return connected

    def _in_time(self) -> socket.socket:
        """Return the socket, set to end what it is about to do by the deadline."""
        if self.socket is None:
            raise ConnectionError("the connection is closed")
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(None if left == float("inf") else left)
        return self.socket
