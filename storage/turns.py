"""Writers of one SQLite file take turns: who waits comes before who has just written.

SQLite has no queue. A receiver that commits without a pause takes its lock again
before anybody else has looked, and a worker beside it waits by luck.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 0.001
"""How often somebody looks whether it is their turn."""
COURTESY_SECONDS = 0.25
"""How long a turn is waited for. It is a courtesy: SQLite's own lock is what keeps two
writers apart, and a process that was stopped while it waited must not stop others."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Who begins the next transaction on one database file."""

    path: Path
    """Of an empty file beside the database; it may be removed when nobody runs."""

    @contextmanager
    def next(self) -> Iterator[None]:
        """Be the one who begins next, from here to the end of the block.

        Whoever wants to begin meanwhile, in this process or another, waits; after
        `COURTESY_SECONDS` the block is entered all the same.
        """
        until = time.monotonic() + COURTESY_SECONDS
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            # A full disk, or a folder that may only be read: SQLite says which.
            yield
            return
        try:
            # Threads poll as processes do: the lock belongs to the open file, and
            # among those who wait nobody has a shorter way.
            while _is_taken(file) and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            os.close(file)


def _is_taken(file: int) -> bool:
    """Take the turn; return whether somebody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without such locks has no turns
    return False
