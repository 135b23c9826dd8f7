"""TCP ports for what a test starts later, which nobody is given by chance meanwhile.

The kernel draws the port of each server on port 0, and of each connection, from one
range. A port of that range, once looked up and let go, may be anybody's by the time
its program binds it. These lie below that range, and each is handed out once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from unittest import mock

from dicom_node import demo_pacs
from dicom_node.demo_pacs import free_port as drawn_port

DRAWN_BY_THE_KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST = 10_000
"""Below it lie the ports of services that a machine may well have."""
EACH = 1_000
"""So many belong to one worker of pytest-xdist."""


def free_port() -> int:
    """Return a TCP port that nobody listens on, and that was not returned lately."""
    for port in islice(_in_turn(), EACH):
        if _is_free(port):
            return port
    return drawn_port()  # where nobody says which are drawn: it may be lost again


def own_ports(drawn: Path, worker: str) -> Sequence[int]:
    """Return a worker's ports; none where the kernel does not say which it draws.

    ``worker`` is as pytest-xdist names it, ``gw1``, or nothing where there is but one.
    """
    try:
        lowest_drawn = int(drawn.read_text(encoding="ascii").split()[0])
    except FileNotFoundError:  # not Linux
        return ()
    shares = (lowest_drawn - FIRST) // EACH
    if shares < 1:
        return ()
    first = FIRST + int(worker.removeprefix("gw") or 0) % shares * EACH
    return range(first, first + EACH)


@cache
def _in_turn() -> Iterator[int]:
    """Count through this worker's ports, again and again."""
    own = own_ports(DRAWN_BY_THE_KERNEL, os.environ.get("PYTEST_XDIST_WORKER", ""))
    # Another run of the tests on this machine counts through the same ones.
    begin = os.getpid() * 37 % EACH
    return cycle([*own[begin:], *own[:begin]])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def orthanc(
    folder: Path, ae_title: str, port: int, **further: object
) -> Iterator[demo_pacs.Orthanc]:
    """Run an Orthanc whose port for HTTP is one of these too."""
    with ExitStack() as until_the_end:
        with mock.patch.object(demo_pacs, "free_port", free_port):
            running = until_the_end.enter_context(
                demo_pacs.orthanc(folder, ae_title, port, **further)
            )
        yield running
