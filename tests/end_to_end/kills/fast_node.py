"""The node's command line with a stand-in for the network, started by forking.

``python -m tests.end_to_end.kills.fast_node`` imports the program once and then forks
a process for each line of JSON that it reads, so that a thousand restarts are cheap;
their children are forked too (`nursery`). With a verb it runs that one itself. Each of
them runs `dicom_node.__main__.main`: the verbs, the configuration and every object are
the node's own, except the grader, and a shorter wait for a PACS's answer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from pydicom import Dataset

# The verbs would import most of this by themselves, each time anew.
import dicom_node.service  # noqa: F401
from dicom_node import __main__ as program
from dicom_node import commitment, committing, grading_process, making, reading
from dicom_node.completeness import Settler
from dicom_node.delivery import Deliverer
from dicom_node.indexer import Indexer
from dicom_node.receiver import Receiver
from dicom_node.verbs import working
from dicom_node.worker import Worker
from grading.boxes import Box
from grading.grades import SliceKey, StudyGrades
from tests.dicom_factories import MODEL
from tests.end_to_end.kills.nursery import fork_children
from tests.end_to_end.kills.stages import Marker, Page, Stage
from tests.fakes import SameEverywhere

FAST_NODE = "tests.end_to_end.kills.fast_node"
CHILD = "grading-process"
PAGE = "NODE_STAGES_PAGE"
"""The environment variable that says where the page of stages is."""
LONGEST_GRADING_SECONDS = 0.05
ANSWER_HERE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class FastGrader:
    """Grades alike everywhere, and takes a moment in which one can be killed."""

    @property
    def bundle(self) -> SimpleNamespace:
        return SimpleNamespace(identity=MODEL)

    @property
    def engine_words(self) -> str:
        return "by a stand-in for the network"

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        time.sleep(random.uniform(0, LONGEST_GRADING_SECONDS))
        return SameEverywhere().grade(datasets, drawn)


STAGES: tuple[tuple[type[Any], str, Stage], ...] = (
    (Receiver, "keep", Stage.RECEIVING),
    # Not every tick: most find nothing to do.
    (Indexer, "_index", Stage.INDEXING),
    (Settler, "settle", Stage.SETTLING),
    (FastGrader, "grade", Stage.GRADING),
    (making.Maker, "_objects", Stage.SAVING),
    (Worker, "_save", Stage.SAVING),
    (Deliverer, "_send", Stage.SENDING),
    (committing.Committer, "_ask", Stage.COMMITTING),
    (commitment.Reports, "on_event_report", Stage.COMMITTING),
)
"""The methods in which each stage happens."""


def run(words: Sequence[str]) -> int:
    """Run one verb of the node in this process; return the exit status."""
    # The verb has imported it by its name.
    mock.patch.object(working, "grader_of", return_value=FastGrader()).start()
    _default(grading_process.GradingProcess, ("-m", FAST_NODE, CHILD))
    _default(committing.Committer, None, ANSWER_HERE_SECONDS)
    if words[0] == "work":
        fork_children(_become_child)
    if page := os.environ.get(PAGE):
        marker = Marker(Page(Path(page)), child=words[0] == CHILD)
        for owner, name, stage in STAGES:
            marker.mark(owner, name, stage)
    return program.main(words)


def _default(kind: type[Any], *values: object) -> None:
    """Let a dataclass's last fields have other values where none are given."""
    assert len(kind.__init__.__defaults__) == len(values)
    kind.__init__.__defaults__ = values


def _become_child(command: Sequence[str]) -> None:
    _, _, module, *words = command  # the interpreter, -m
    if module == reading.__name__:
        reading.main()
    else:
        run(words)


def main() -> None:
    """Fork a process per line ``{"words": [...], "log": FILE, "page": FILE}``."""
    # Nobody waits for the children: whoever asked watches them by their pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked)
        print(child, flush=True)


def _become(asked: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # so that it can be ended with all that it started
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    random.seed()
    os.environ[PAGE] = asked["page"]  # for its children too
    status = 1
    try:
        status = run(asked["words"])
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()  # into the log; nobody else would see it
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(run(sys.argv[1:]))
    main()
