"""Notices a clock that went forward, so that no study counts as quiet because of it.

Quiet is a span of wall clock time in the database. Where that clock jumps an hour
ahead, a study whose images are still coming in looks quiet at once. The computer's
monotonic clock tells a jump from time that has passed; after one, nothing is settled
until a whole quiet time has passed by the clock that cannot jump: neither what is
quiet, nor what a PACS counts, since "nothing new" and "no association open" are spans
of that clock too.

A clock that went back is corrected in the database: see `storage.times`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from dicom_node.logs import Action, about

log = logging.getLogger(__name__)

TOLERANCE_SECONDS = 5.0
"""A slow query is no step, and neither is a clock that is slewed."""


@dataclass(slots=True)
class ClockWatch:
    """Compares the database's clock with time that passes; from any thread."""

    quiet_seconds: float
    seconds: Callable[[], float] = time.monotonic
    _last: tuple[datetime, float] | None = field(default=None, init=False)
    _steady_from: float = field(default=-math.inf, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def steady(self, wall: datetime) -> bool:
        """Return whether spans by this clock, now at ``wall``, can be trusted."""
        with self._turn:
            now = self.seconds()
            if self._last is not None:
                before, then = self._last
                step_seconds = (wall - before).total_seconds() - (now - then)
                if abs(step_seconds) > TOLERANCE_SECONDS:
                    self._stepped(step_seconds, now)
            self._last = wall, now
            return now >= self._steady_from

    def _stepped(self, step_seconds: float, now: float) -> None:
        if step_seconds > 0:
            self._steady_from = now + self.quiet_seconds
        log.warning(
            "the database's clock stepped by %+.0f s; no study counts as quiet before "
            "%.0f s have passed",
            step_seconds,
            max(0.0, self._steady_from - now),
            extra=about(Action.CLOCK_STEPPED),
        )
