"""Where audit messages go: a file that turns over, or syslog (PS3.15 A.6, A.7)."""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Protocol

FILE_MODE = 0o600
PRIORITY = 85
"""Facility 10, security and authorization, and severity 5, notice (RFC 5424 6.2.1)."""
MESSAGE_ID = "DICOM+RFC3881"
"""As PS3.15 A.6 demands."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Says that what follows is UTF-8 (RFC 5424 6.4)."""
CONNECT_SECONDS = 5.0


class Sink(Protocol):
    """Takes one message after the other, from one thread."""

    def write(self, message: bytes) -> None:
        """Keep or send a message.

        Raises
        ------
        OSError
            It could not be kept.
        """

    def close(self) -> None:
        """Let go of file or socket."""


@dataclass(slots=True)
class FileSink:
    """A file with a message on each line, turned over at a size.

    Several processes may write to it: each write is one append, and turning over is
    done under a lock, by whoever finds the file full.
    """

    path: Path
    max_bytes: int
    files: int
    """So many are kept, the one that is written to among them."""
    _descriptor: int | None = field(default=None, init=False)

    def write(self, message: bytes) -> None:
        line = message.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        descriptor = self._open_current()
        os.write(descriptor, line)
        if os.fstat(descriptor).st_size >= self.max_bytes:
            self._turn_over(descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_current(self) -> int:
        """Return the file at the path, which another process may have turned over."""
        if self._descriptor is None or not self._is_current(self._descriptor):
            self.close()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self.path, flags, FILE_MODE)
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _turn_over(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not self._is_current(descriptor):
            return  # somebody was quicker; the lock goes with the descriptor
        numbered = [self.path, *(self._older(n) for n in range(1, self.files))]
        numbered[-1].unlink(missing_ok=True)
        for younger, older in reversed(list(pairwise(numbered))):
            if younger.exists():
                younger.rename(older)
        self.close()

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


@dataclass(slots=True)
class SyslogSink:
    """Syslog, RFC 5424: over UDP (RFC 5426), TCP (RFC 6587) or a local socket."""

    protocol: str
    """``udp``, ``tcp`` or ``unix``."""
    address: str
    host: str
    application: str
    _socket: socket.socket | None = field(default=None, init=False)

    def write(self, message: bytes) -> None:
        frame = self._frame(message)
        if self.protocol == "tcp":  # octet counting, RFC 6587 3.4.1
            frame = f"{len(frame)} ".encode() + frame
        try:
            self._connected().sendall(frame)
        except OSError:
            self.close()  # the next message tries a new connection
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _frame(self, message: bytes) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        header = (
            f"<{PRIORITY}>1 {now} {self.host} {self.application} {os.getpid()} "
            f"{MESSAGE_ID} - "
        )
        return header.encode("ascii", "replace") + BYTE_ORDER_MARK + message

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        if self.protocol == "unix":
            local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            local.settimeout(CONNECT_SECONDS)
            local.connect(self.address)
            return local
        host, _, port = self.address.rpartition(":")
        there = host.strip("[]"), int(port)
        if self.protocol == "tcp":
            return socket.create_connection(there, CONNECT_SECONDS)
        (family, kind, number, _, where), *_ = socket.getaddrinfo(
            *there, type=socket.SOCK_DGRAM
        )
        datagrams = socket.socket(family, kind, number)
        datagrams.connect(where)
        return datagrams
