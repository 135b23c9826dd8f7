"""Room on disk: whether there is enough to take one more image.

A node that fills its disk loses more than the image that no longer fits: its database
cannot commit, and no report can be written. So images are refused while there is still
room for both. Two marks instead of one, or a node at the mark would refuse and take by
turns with every file that comes and goes.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LOOK_SECONDS = 1.0
"""How long a look at a file system counts: not one system call for each image."""


@dataclass(frozen=True, slots=True)
class Watermarks:
    """Below the lower one nothing is taken, until the upper one is reached again."""

    refuse_below_bytes: int
    resume_above_bytes: int


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The room on the file system of one folder."""

    folder: Path
    free_bytes: int
    """What a process without privileges may still write."""
    total_bytes: int


def look(folder: Path) -> FileSystem:
    """Return the room where a folder lies, or will lie once it is made.

    Raises
    ------
    OSError
        The file system does not answer.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    found = os.statvfs(there)
    return FileSystem(
        folder, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    )


def scarcest(folders: tuple[Path, ...]) -> FileSystem | None:
    """Return the file system with the least room; one that does not answer is left out.

    Whether that one can be written to is told by the write itself.
    """
    found = []
    for folder in folders:
        try:
            found.append(look(folder))
        except OSError:
            continue
    return min(found, key=lambda it: it.free_bytes, default=None)


@dataclass(frozen=True, slots=True)
class Room:
    """What changed: whether images are taken now, and the file system that says so."""

    taken: bool
    scarcest: FileSystem


def _nobody(_: Room) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class SpaceGate:
    """Decides for each image whether there is room, from many threads at once."""

    folders: tuple[Path, ...]
    marks: Watermarks
    on_change: Callable[[Room], None] = _nobody
    """Told once when images begin to be refused, and once when they are taken again."""
    measure: Callable[[tuple[Path, ...]], FileSystem | None] = scarcest
    seconds: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _looked_at: float = field(default=-math.inf, init=False)
    _found: FileSystem | None = field(default=None, init=False)
    _taken_bytes: int = field(default=0, init=False)
    """Taken since the last look, which cannot know of it."""
    _refusing: bool = field(default=False, init=False)

    def admits(self, size_bytes: int) -> bool:
        """Return whether an object of this size may be written."""
        with self._lock:
            self._look_again()
            if self._found is None:
                return True
            free = self._found.free_bytes - self._taken_bytes - size_bytes
            changed = self._decide(free)
            if not self._refusing:
                self._taken_bytes += size_bytes
            refusing, found = self._refusing, self._found
        if changed:
            self.on_change(Room(not refusing, found))
        return not refusing

    def _look_again(self) -> None:
        now = self.seconds()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._found, self._looked_at = self.measure(self.folders), now
        self._taken_bytes = 0

    def _decide(self, free_bytes: int) -> bool:
        """Move between refusing and taking; return whether that is a change."""
        before = self._refusing
        if free_bytes < self.marks.refuse_below_bytes:
            self._refusing = True
        elif free_bytes >= self.marks.resume_above_bytes:
            self._refusing = False
        return self._refusing is not before
