"""Tell systemd how we are (sd_notify(3)), in a few lines instead of a dependency."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1``, ``STATUS=...`` or ``STOPPING=1``.

    Does nothing where no service manager listens: a manager that is gone must not
    end the service, and one that hears nothing restarts it by its watchdog.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket, as the kernel writes it
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification,
    ):
        notification.connect(address)
        notification.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """Return how often systemd wants a sign of life, None where it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 1e6 if microseconds else None
