"""Waiting for what another thread or process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0
"""So long that only what never comes is given up."""


def comes_true(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; False where it does not come to that."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
