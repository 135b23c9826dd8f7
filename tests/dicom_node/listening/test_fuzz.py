"""A short run of the fuzzer in the suite; `fuzz.py` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

from dicom_node.listening.limits import Limits
from tests.dicom_node.listening.conftest import Start
from tests.dicom_node.listening.fuzz import left_behind, run_cases
from tests.dicom_node.listening.mutating import mutated
from tests.dicom_node.listening.raw_peer import echo
from tests.dicom_node.listening.recording import Traces, conversations

CASES = 40


def test_no_mutated_association_stops_the_receiver_or_leaves_anything_behind(
    start: Start, tmp_path: Path
) -> None:
    node = start(Limits(close_seconds=0.2))
    corpus = conversations(node.peer)
    echo(node.peer)
    before = Traces.of(os.getpid(), tmp_path)

    run_cases(node.peer, corpus, seed=1, cases=range(CASES))

    data = node.files.data_directory
    assert left_behind(before, os.getpid(), tmp_path, data) == ""


def test_a_case_is_the_same_whenever_it_is_run() -> None:
    corpus = [(b"\1\0\0\0\0\4abcd", b"\4\0\0\0\0\2xy"), (b"\5\0\0\0\0\4\0\0\0\0",)]

    first, again = ([mutated(corpus, 7, case) for case in range(50)] for _ in range(2))

    assert first == again
    assert len({tuple(parts) for parts in first}) > 40
