"""Writers of one SQLite file take turns: who waits comes before who has just written.

SQLite has no queue. A receiver that commits without a pause takes its lock again
before anybody else has looked, and a worker beside it waits by luck.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LOOK_SECONDS = 0.001
"""How often somebody looks whether it is their turn."""
COURTESY_SECONDS = 1.0
"""How long a turn is waited for. It is a courtesy: SQLite's own lock is what keeps two
writers apart, and a process that was stopped while it waited must not stop others."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Who begins the next transaction on one database file."""

    path: Path
    """Of a file beside the database, empty; it may be removed when nobody runs."""
    _here: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def next(self) -> Iterator[None]:
        """Be the one who begins next, from here to the end of the block.

        Whoever wants to begin meanwhile waits, however early they ask; after
        `COURTESY_SECONDS` the block is entered all the same.
        """
        until = time.monotonic() + COURTESY_SECONDS
        # Threads of one process first: between them a lock of a file means nothing.
        got = self._here.acquire(timeout=COURTESY_SECONDS)
        try:
            with self._before_other_processes(until):
                yield
        finally:
            if got:
                self._here.release()

    @contextmanager
    def _before_other_processes(self, until: float) -> Iterator[None]:
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            # A full disk, or a folder that may only be read: SQLite says which.
            yield
            return
        try:
            while not _locked(file) and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            os.close(file)


def _locked(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
