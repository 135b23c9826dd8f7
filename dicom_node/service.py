"""Processes that run until they are told to stop, and tell systemd how they are.

Stopping is an ordered story: SIGTERM, the clock stops ticking, the running study
finishes, STOPPING is told to systemd, the process ends with status 0.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from dicom_node import systemd
from dicom_node.logs import Action, about
from dicom_node.schedule import Clock

log = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
"""How often a process without a watchdog looks whether it is well."""
MAX_TICK_SECONDS = 1800.0
"""A tick that runs longer hangs: grading a study takes seconds to minutes."""
MAX_IDLE_SECONDS = 300.0
"""A clock whose ticks do not come at all stands: the longest pause is 30 s."""
CHILD_STOP_SECONDS = 600.0
"""As TimeoutStopSec of the units: one study may finish."""


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def run_until(
    stopping: threading.Event, what: str, is_well: Callable[[], bool]
) -> None:
    """Say READY, give signs of life while all is well, and return when stopping.

    A process that is not well stays silent, so that systemd's watchdog ends it and
    starts it anew.
    """
    systemd.notify(f"READY=1\nSTATUS={what}")
    log.info("%s", what, extra=about(Action.STARTED))
    limit = systemd.watchdog_seconds()
    while not stopping.wait(limit / 3 if limit else CHECK_SECONDS):
        if is_well():
            systemd.notify("WATCHDOG=1")
    systemd.notify("STOPPING=1")
    log.info("stopping", extra=about(Action.STOPPING))


def run_clock(clock: Clock, stopping: threading.Event, what: str) -> None:
    """Tick until stopping; then wait for what still runs."""

    def ticks() -> bool:
        return (
            clock.longest_tick_seconds() < MAX_TICK_SECONDS
            and clock.longest_idle_seconds() < MAX_IDLE_SECONDS
        )

    clock.start()
    try:
        run_until(stopping, what, ticks)
    finally:
        clock.stop()


def serve(arguments: Sequence[Sequence[str]]) -> int:
    """Run this program once per argument list, until stopped or one of them ends.

    Receiving and working stay separate processes here too, so that a crash on the
    GPU costs no image.
    """
    stopping = stop_on_signals()
    command = [sys.executable, "-m", "dicom_node"]
    children = [subprocess.Popen([*command, *words]) for words in arguments]  # noqa: S603
    ended = None
    while not stopping.wait(0.2) and ended is None:
        ended = next((child for child in children if child.poll() is not None), None)
    for child in children:
        child.terminate()
    for child in children:
        child.wait(CHILD_STOP_SECONDS)
    # The other one was told to stop, perhaps before it could answer to that.
    return 0 if ended is None else ended.returncode or 1
