"""Log lines about peers, so many and no more.

A stranger who knocks a thousand times a second must not fill the journal, and must not
hide another one's line either; so each address has lines of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dicom_node.logs import Action, about

log = logging.getLogger(__name__)

LINES = 5
"""Of one kind about one address in one span."""
SPAN_SECONDS = 60.0
MAX_SPANS = 1024
"""More addresses than this share what is left: memory is bounded as well."""
OTHERS = "other addresses"


@dataclass(slots=True)
class _Span:
    began: float
    lines: int = 0
    unlogged: int = 0


class Complaints:
    """Says what went wrong with whom. Safe to be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spans: dict[tuple[str, Action], _Span] = {}
        self._lock = threading.Lock()

    def say(self, address: str, action: Action, sentence: str) -> None:
        """Log a warning about a peer, unless its lines are used up.

        The last line that is logged says so, and the first one of the next span says
        how many there were in between.
        """
        with self._lock:
            span, before = self._span(address, action)
            span.lines += 1
            if span.lines > LINES:
                span.unlogged += 1
                return
            last = span.lines == LINES
        if before:
            sentence += f" ({before} more like it were not logged)"
        if last:
            sentence += f"; more like it are not logged for {SPAN_SECONDS:.0f} s"
        log.warning("%s", sentence, extra=about(action))

    def _span(self, address: str, action: Action) -> tuple[_Span, int]:
        """Return the running span, and what the one that just ended left out."""
        now = self._clock()
        key = (address, action)
        if key not in self._spans and len(self._spans) >= MAX_SPANS:
            self._forget(now)
            if len(self._spans) >= MAX_SPANS:
                key = (OTHERS, action)
        span = self._spans.get(key)
        if span is not None and now - span.began < SPAN_SECONDS:
            return span, 0
        self._spans[key] = _Span(now)
        return self._spans[key], span.unlogged if span else 0

    def _forget(self, now: float) -> None:
        ended = [
            key for key, span in self._spans.items() if now - span.began > SPAN_SECONDS
        ]
        for key in ended:
            del self._spans[key]
