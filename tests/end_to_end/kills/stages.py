"""What a process is doing this moment, where another process can read it.

A thread looks at the stacks of all others and writes what it sees into a shared
page. The page outlives the process, so that a kill can be aimed at a stage and the
stage in which it fell is known afterwards.
"""

from __future__ import annotations

import mmap
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from enum import IntFlag, auto
from pathlib import Path
from types import CodeType, FrameType

LOOK_SECONDS = 0.002


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

_PLACES: tuple[tuple[str, frozenset[str], Stage], ...] = (
    # It sends as well, so it comes before what sends.
    ("dicom_node/committing.py", frozenset({"_ask"}), Stage.COMMITTING),
    ("dicom_node/commitment.py", frozenset({"on_event_report"}), Stage.COMMITTING),
    ("kills/fast_node.py", frozenset({"grade"}), Stage.GRADING),
    ("dicom_node/receiver.py", frozenset({"keep"}), Stage.RECEIVING),
    # Not every tick: most find nothing to do.
    ("dicom_node/indexer.py", frozenset({"_index"}), Stage.INDEXING),
    ("dicom_node/completeness.py", frozenset({"settle"}), Stage.SETTLING),
    ("dicom_node/sender.py", frozenset(), Stage.SENDING),
    ("dicom_node/report/objects.py", frozenset(), Stage.SAVING),
    ("storage/results.py", frozenset(), Stage.SAVING),
)
"""Where in the program a stage happens: end of the path, functions (none: all)."""


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


def watch(page: Page, *, child: bool) -> None:
    """Keep the page up to date from a thread of its own, for ever."""

    def look() -> None:
        me = threading.get_ident()
        while True:
            others = [at for who, at in sys._current_frames().items() if who != me]
            page.put(_seen(others), child=child)
            time.sleep(LOOK_SECONDS)

    threading.Thread(target=look, name="stages", daemon=True).start()


def names(stages: Stage) -> list[str]:
    return [NAMES[stage] for stage in stages]


def _seen(tops: Iterable[FrameType]) -> Stage:
    stages = Stage(0)
    for top in tops:
        for end, functions, stage in _PLACES:
            if any(_is_at(code, end, functions) for code in _stack(top)):
                stages |= stage
                break
    return stages


def _stack(top: FrameType) -> Iterator[CodeType]:
    frame: FrameType | None = top
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _is_at(code: CodeType, end: str, functions: frozenset[str]) -> bool:
    return code.co_filename.endswith(end) and (
        not functions or code.co_name in functions
    )
