"""Processes that draw phantoms leave Ctrl-C to whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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
