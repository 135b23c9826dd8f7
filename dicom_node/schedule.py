"""The clock: ticks, and nothing but ticks.

APScheduler keeps nothing for us. Its job store removes a one-shot job before it
runs and forgets what it missed, so what is to be done lies in the database and the
clock only asks, again and again, whether there is something to do.

It reckons in wall time, which a person or NTP may set. A wall clock set forward makes
every tick due once, and one set back is noticed by the clock that cannot jump: the
ticks are then planned anew.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from dicom_node.logs import Action, about, where

log = logging.getLogger(__name__)

MAX_TICKS_AT_ONCE = 64
LOOK_SECONDS = 1.0
"""How often it looks whether the wall clock was set."""
SWITCH_SECONDS = 0.0005
"""How long a tick that computes keeps the interpreter when another wants it. Python's
own 5 ms pass anew after every statement of the other's transaction."""
TOLERANCE_SECONDS = 0.5
"""A tick may be late by so much; slewing moves a clock by less in that time."""


class Pause(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """So many seconds from now, whenever now is.

    APScheduler's own trigger counts on from the time before, and would make up a
    time for every tick that a clock set forward by years has left out.
    """

    def __init__(self, seconds: float) -> None:
        self._pause = timedelta(seconds=seconds)

    def get_next_fire_time(
        self, _previous_fire_time: datetime | None, now: datetime
    ) -> datetime:
        """Return when to tick next; not an hour late on the night summer time ends."""
        return now.astimezone(UTC) + self._pause


@dataclass(slots=True)
class _Steps:
    """Tells when the wall clock was set, by the clock that cannot be."""

    wall_seconds: Callable[[], float] = time.time
    _apart: float = field(init=False)

    def __post_init__(self) -> None:
        self._apart = self._difference()

    def stepped_seconds(self) -> float:
        """Return by how much the wall clock was set since the last look."""
        before, self._apart = self._apart, self._difference()
        return self._apart - before

    def _difference(self) -> float:
        return self.wall_seconds() - time.monotonic()


@dataclass(slots=True)
class Clock:
    """Calls functions again and again, each at most once at a time."""

    wall_seconds: Callable[[], float] = time.time
    """The wall clock that APScheduler goes by."""
    _scheduler: BackgroundScheduler = field(init=False)
    _busy_since: dict[str, float] = field(default_factory=dict, init=False)
    _idle_since: dict[str, float] = field(default_factory=dict, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _watching: threading.Thread = field(init=False)
    _steps: _Steps = field(init=False)
    _switch_before: float = field(init=False)

    def __post_init__(self) -> None:
        self._watching = threading.Thread(target=self._watch, daemon=True)
        pool = ThreadPoolExecutor(MAX_TICKS_AT_ONCE)
        self._scheduler = BackgroundScheduler(executors={"default": pool}, timezone=UTC)

    def every(self, seconds: float, name: str, tick: Callable[[], object]) -> None:
        """Call ``tick`` again and again, with a pause of so many seconds."""
        self._scheduler.add_job(
            self._guarded(name, tick),
            Pause(seconds),
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin to tick; from here on this process's threads take shorter turns."""
        self._switch_before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        now = time.monotonic()
        self._idle_since.update((job.id, now) for job in self._scheduler.get_jobs())
        # Before the first tick, or a step between the two would not be noticed.
        self._steps = _Steps(self.wall_seconds)
        self._scheduler.start()
        self._watching.start()

    def stop(self) -> None:
        """Stop ticking, and wait for the ticks that run."""
        self._stopping.set()
        self._watching.join()
        self._scheduler.shutdown(wait=True)
        sys.setswitchinterval(self._switch_before)

    def longest_tick_seconds(self) -> float:
        """Return for how long the slowest running tick has been running."""
        return _longest_seconds(self._busy_since)

    def longest_idle_seconds(self) -> float:
        """Return for how long the tick that is latest has not been begun."""
        return _longest_seconds(self._idle_since)

    def _watch(self) -> None:
        """Plan all ticks anew once the wall clock was set."""
        while not self._stopping.wait(LOOK_SECONDS):
            stepped_seconds = self._steps.stepped_seconds()
            if abs(stepped_seconds) > TOLERANCE_SECONDS:
                log.warning(
                    "this machine's clock was set by %+.0f s: ticks are planned anew",
                    stepped_seconds,
                    extra=about(Action.CLOCK_STEPPED),
                )
                for job in self._scheduler.get_jobs():
                    job.reschedule(job.trigger)

    def _guarded(self, name: str, tick: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            self._busy_since[name] = time.monotonic()
            self._idle_since.pop(name, None)
            try:
                tick()
            # A tick that fails must not stop the clock: the database may be away
            # for a minute. The message is left out, since it may quote a header.
            except Exception as error:  # noqa: BLE001
                log.error(
                    "%s failed with %s, and will be tried again: %s",
                    name,
                    type(error).__name__,
                    where(error),
                    extra=about(Action.TICK_FAILED),
                )
            finally:
                self._idle_since[name] = time.monotonic()
                self._busy_since.pop(name, None)

        return run


def _longest_seconds(since: dict[str, float]) -> float:
    now = time.monotonic()
    return max((now - began for began in since.copy().values()), default=0)
