"""Processes that draw phantoms: how far they go ahead, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future

from grading.training.workers import in_order, processes

PROGRAM = """
import signal, sys, time
from grading.training.workers import processes

# As from a terminal: whoever runs these tests may ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with processes(1) as pool:
        pool.submit(int).result()
        print("idle", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_ends_idle_workers_without_a_traceback() -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "idle\n"

    os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)

    assert (started.returncode, said) == (130, "")


class Counting(Executor):
    """Works at once, and counts."""

    def __init__(self) -> None:
        self.begun = 0

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.begun += 1
        done: Future[object] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_work_is_begun_only_a_little_ahead_of_who_takes_the_results() -> None:
    pool = Counting()

    ahead = [
        pool.begun - taken
        for taken, _ in enumerate(in_order(pool, str, range(20), ahead=3), start=1)
    ]

    assert max(ahead) <= 3
    assert pool.begun == 20


def test_results_come_in_the_order_of_the_things() -> None:
    with processes(2) as pool:
        assert list(in_order(pool, abs, [-3, 2, -1], ahead=2)) == [3, 2, 1]
