"""The clock: ticks, and nothing but ticks.

APScheduler keeps nothing for us. Its job store removes a one-shot job before it
runs and forgets what it missed, so what is to be done lies in the database and the
clock only asks, again and again, whether there is something to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from dicom_node.logs import Action, about, where

log = logging.getLogger(__name__)

MAX_TICKS_AT_ONCE = 64


@dataclass(slots=True)
class Clock:
    """Calls functions again and again, each at most once at a time."""

    _scheduler: BackgroundScheduler = field(init=False)
    _busy_since: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        pool = ThreadPoolExecutor(MAX_TICKS_AT_ONCE)
        self._scheduler = BackgroundScheduler(executors={"default": pool})

    def every(self, seconds: float, name: str, tick: Callable[[], object]) -> None:
        """Call ``tick`` every so many seconds, and at once again while it was late."""
        self._scheduler.add_job(
            self._guarded(name, tick),
            "interval",
            seconds=seconds,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin to tick."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking, and wait for the ticks that run."""
        self._scheduler.shutdown(wait=True)

    def longest_tick_seconds(self) -> float:
        """Return for how long the slowest running tick has been running."""
        now = time.monotonic()
        return max(
            (now - since for since in self._busy_since.copy().values()), default=0
        )

    def _guarded(self, name: str, tick: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            self._busy_since[name] = time.monotonic()
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
                self._busy_since.pop(name, None)

        return run
