"""Fork a worker's children, where the node starts an interpreter for each.

A process with threads must not fork. So a worker that has none yet forks a nursery,
which forks its children later; it ends when the worker does. What the children run,
and all that they say, is the node's own.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest import mock

from dicom_node import children

LONGEST_REQUEST_BYTES = 4096
STATUS_UNKNOWN = 1


@dataclass(slots=True)
class Forked:
    """What `dicom_node.children` uses of a `subprocess.Popen`."""

    pid: int
    returncode: int | None = None
    _descriptor: int = field(init=False)

    def __post_init__(self) -> None:
        self._descriptor = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._descriptor], [], [], 0)[0]:
            self._ended(STATUS_UNKNOWN)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._ended(STATUS_UNKNOWN)
        return self.returncode or 0

    def _ended(self, status: int) -> None:
        self.returncode = status
        os.close(self._descriptor)


def fork_children(become: Callable[[Sequence[str]], object]) -> None:
    """From now on have children forked; ``become`` runs a child's command line."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _nurse(theirs, become)
        os._exit(0)
    theirs.close()
    turn = threading.Lock()

    def start(words: Sequence[str], *, stdin: int) -> Forked:
        with turn:  # of two at once, either could take the other's child for its own
            socket.send_fds(ours, [json.dumps(words).encode()], [stdin])
            child = int(ours.recv(LONGEST_REQUEST_BYTES))
        return Forked(child)

    as_subprocess = SimpleNamespace(
        Popen=start, TimeoutExpired=subprocess.TimeoutExpired
    )
    mock.patch.object(children, "subprocess", as_subprocess).start()


def _nurse(link: socket.socket, become: Callable[[Sequence[str]], object]) -> None:
    """Fork a child for each request, until the worker is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the worker watches them
    while True:
        request, descriptors, _, _ = socket.recv_fds(link, LONGEST_REQUEST_BYTES, 1)
        if not request:
            return
        child = os.fork()
        if child == 0:
            link.close()
            _live(json.loads(request), descriptors[0], become)
        os.close(descriptors[0])
        link.send(str(child).encode())


def _live(
    words: Sequence[str], stdin: int, become: Callable[[Sequence[str]], object]
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(stdin, 0)
    os.close(stdin)
    random.seed()
    status = 1
    try:
        become(words)
        status = 0
    except BaseException:
        traceback.print_exc()  # into the log; nobody else would see it
        raise
    finally:
        os._exit(status)
