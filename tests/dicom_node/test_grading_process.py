"""A process that grades may hang, die or break; the next study never notices."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given
from pydicom.uid import UID

from dicom_node.children import Child, Link, encoded
from dicom_node.errors import GradingBroke, GradingInterrupted, NodeError
from dicom_node.grading_process import GradingProcess
from dicom_node.orders import Answer, Broke, Made, Order
from dicom_node.report.context import Wanted
from grading.errors import BundleError, NotGradable
from tests.storage.builders import produced, study_grades

STAND_IN = ("-m", "tests.dicom_node.stand_in")
PATIENCE_SECONDS = 60.0


def process(
    config: bytes = b"fit", seconds: float = PATIENCE_SECONDS
) -> GradingProcess:
    return GradingProcess(config, seconds, STAND_IN)


@pytest.fixture
def grading() -> Iterator[GradingProcess]:
    with closing(process()) as running:
        yield running


def order(study: str) -> Order:
    moment = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    return Order(study, 1, 1, moment, (), (), Wanted())


def who_refuses(grading: GradingProcess) -> str:
    """Return the process that answers a study that it can only refuse."""
    with pytest.raises(NotGradable) as refusal:
        grading.make(order("sound"))
    return str(refusal.value)


def test_a_process_says_which_bundle_it_grades_with(grading: GradingProcess) -> None:
    assert grading.start().model.name == "stand-in"


def test_a_process_is_kept_from_study_to_study(grading: GradingProcess) -> None:
    assert who_refuses(grading) == who_refuses(grading)


@pytest.mark.parametrize(
    ("study", "reason"),
    [
        ("dies", "its process was ended by SIGKILL"),
        ("leaves", "its process ended with status 3"),
        ("babbles", "its process answered nonsense"),
        ("Broke", "RuntimeError at forward:12"),
    ],
)
def test_what_kills_or_breaks_its_process_costs_that_process_and_no_other_study(
    grading: GradingProcess, study: str, reason: str
) -> None:
    before = who_refuses(grading)

    with pytest.raises(GradingBroke, match=reason):
        grading.make(order(study))

    # A new process has a new context on the GPU, whatever became of the old one's.
    assert who_refuses(grading) != before


def test_a_study_that_hangs_is_ended_with_its_process() -> None:
    with closing(process(seconds=PATIENCE_SECONDS)) as grading:
        grading.start()
        hanging = grading.child.process_id
        assert hanging is not None
        grading.timeout_seconds = 0.2

        with pytest.raises(GradingBroke, match="took more than"):
            grading.make(order("hangs"))

        assert has_ended(hanging)
        grading.timeout_seconds = PATIENCE_SECONDS
        assert who_refuses(grading) != f"process {hanging}"


def test_a_process_that_was_killed_between_two_studies_costs_neither(
    grading: GradingProcess,
) -> None:
    before = who_refuses(grading)
    assert grading.child._process is not None
    grading.child._process.kill()
    grading.child._process.wait()

    assert who_refuses(grading) != before


def test_a_process_that_dies_before_it_hears_of_the_study_costs_it_no_attempt() -> None:
    with closing(process(b"deaf")) as grading:
        grading.start()

        with pytest.raises(GradingInterrupted, match=r"status 3 before it saw the"):
            grading.make(order("sound"))


class DiesJustBefore(Child[Answer]):
    """A child that the kernel takes after it was seen running."""

    def ask(self, question: object, seconds: float, *, start: bool = True) -> Answer:
        if isinstance(question, Order) and self._process is not None:
            self._process.kill()
            self._process.wait()
        return super().ask(question, seconds, start=start)


def test_a_process_that_dies_between_a_look_and_the_order_costs_no_attempt(
    grading: GradingProcess,
) -> None:
    grading.child = DiesJustBefore(STAND_IN, grading.child.answers)

    with pytest.raises(GradingInterrupted, match="SIGKILL before it saw the study"):
        grading.make(order("sound"))


def test_a_failure_of_the_surroundings_is_not_the_studys_fault(
    grading: GradingProcess,
) -> None:
    before = who_refuses(grading)

    with pytest.raises(GradingInterrupted, match="RuntimeError at forward:12"):
        grading.make(order("Interrupted"))

    assert who_refuses(grading) == before


def test_a_bundle_that_is_unfit_says_so_at_the_start_and_later_costs_no_attempt() -> (
    None
):
    with closing(process(b"unfit")) as grading:
        with pytest.raises(BundleError, match="is missing"):
            grading.start()
        with pytest.raises(GradingInterrupted, match="is missing"):
            grading.make(order("sound"))


def test_a_process_that_dies_while_it_starts_costs_no_attempt() -> None:
    with closing(process(b"dies")) as grading:
        with pytest.raises(NodeError, match="does not start: its process was ended"):
            grading.start()
        with pytest.raises(GradingInterrupted, match="does not start"):
            grading.make(order("sound"))


def test_a_process_that_the_system_cannot_start_costs_no_attempt(
    grading: GradingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", no_process)
        with pytest.raises(GradingInterrupted, match="does not start: Resource"):
            grading.make(order("sound"))

    assert who_refuses(grading)


def test_a_process_whose_parent_was_killed_ends_though_it_hangs() -> None:
    program = (
        "from tests.dicom_node.test_grading_process import order, process\n"
        "grading = process()\n"
        "grading.start()\n"
        "print(grading.child.process_id, flush=True)\n"
        "grading.make(order('hangs'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())

        parent.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not has_ended(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert has_ended(child)


def has_ended(number: int) -> bool:
    """Tell whether a process is gone, or a corpse that nobody has collected."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def test_grades_and_objects_cross_unchanged() -> None:
    made = Made(study_grades(), (produced(),))

    assert msgspec.msgpack.decode(encoded(made), type=Answer) == made


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_crosses_escaped_where_it_must_be(text: str) -> None:
    crossed = msgspec.msgpack.decode(encoded(Broke(text)), type=Answer)

    assert isinstance(crossed, Broke)
    assert crossed.reason == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("odd", "plain"),
    [(UID("1.2.3"), "1.2.3"), (np.float32(0.5), 0.5), (np.float64(0.1), 0.1)],
)
def test_what_pydicom_and_numpy_call_text_and_numbers_crosses_as_such(
    odd: object, plain: object
) -> None:
    assert msgspec.msgpack.decode(encoded({"said": [odd]})) == {"said": [plain]}


@pytest.mark.parametrize("sent", [b"", b"\0\0", struct.pack(">I", 5) + b"abc"])
def test_a_message_that_ends_early_is_an_end(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)

        with pytest.raises(EOFError):
            Link(ours).receive()


def test_a_message_too_long_to_be_one_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\xff\xff\xff\xff")

        with pytest.raises(EOFError, match="4294967295 bytes"):
            Link(ours).receive()


def test_the_modules_between_the_processes_know_no_pickle() -> None:
    package = Path(__file__).parents[2]
    sources = [*package.glob("dicom_node/**/*.py"), *package.glob("storage/**/*.py")]

    told = [
        path.name
        for path in sources
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
        and any(word in line for word in ("pickle", "multiprocessing", "shelve"))
    ]

    assert len(sources) > 50
    assert told == []


def test_the_reading_and_the_grading_process_are_killed_before_their_parent(
    grading: GradingProcess,
) -> None:
    grading.start()

    score = Path(f"/proc/{grading.child.process_id}/oom_score_adj").read_text()

    assert int(score) > int(Path(f"/proc/{os.getpid()}/oom_score_adj").read_text())
