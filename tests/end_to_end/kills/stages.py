"""What a process is doing this moment, where another process can read it.

The methods in which a stage happens write it into a shared page when they begin and
when they end. The page outlives the process, so that a kill can be aimed at a stage
and the stage in which it fell is known afterwards.
"""

from __future__ import annotations

import mmap
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntFlag, auto
from functools import reduce, wraps
from operator import or_
from pathlib import Path
from typing import Any


class Stage(IntFlag):
    """What a thread of the node may be doing when its process dies."""

    RECEIVING = auto()
    INDEXING = auto()
    SETTLING = auto()
    GRADING = auto()
    SAVING = auto()
    SENDING = auto()
    COMMITTING = auto()


NAMES = {stage: str(stage.name).lower() for stage in Stage}
OF_RECEIVER = (Stage.RECEIVING, Stage.COMMITTING)
OF_WORKER = (
    Stage.INDEXING,
    Stage.SETTLING,
    Stage.GRADING,
    Stage.SAVING,
    Stage.SENDING,
    Stage.COMMITTING,
)
"""What kills are aimed at."""


class Page:
    """Two bytes in a file that several processes map: a process's, and its child's."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(2))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 2)

    @property
    def stages(self) -> Stage:
        return Stage(self._bytes[0] | self._bytes[1])

    def put(self, stages: Stage, *, child: bool) -> None:
        self._bytes[int(child)] = int(stages)


@dataclass(frozen=True, slots=True)
class Marker:
    """Writes into the page which stages the threads of one process are in."""

    page: Page
    child: bool
    _inside: Counter[Stage] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mark(self, owner: type[Any], name: str, stage: Stage) -> None:
        """Have a method of a class tell when it is in a stage."""
        method = getattr(owner, name)

        @wraps(method)
        def marked(*arguments: Any, **named: Any) -> Any:
            with self.being(stage):
                return method(*arguments, **named)

        setattr(owner, name, marked)

    @contextmanager
    def being(self, stage: Stage) -> Iterator[None]:
        self._change(stage, 1)
        try:
            yield
        finally:
            self._change(stage, -1)

    def _change(self, stage: Stage, by: int) -> None:
        with self._lock:
            self._inside[stage] += by
            now = (one for one, threads in self._inside.items() if threads)
            self.page.put(reduce(or_, now, Stage(0)), child=self.child)


def names(stages: Stage) -> list[str]:
    return [NAMES[stage] for stage in stages]
