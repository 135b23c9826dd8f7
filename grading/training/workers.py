"""Processes that draw phantoms, and end quietly when somebody presses Ctrl-C."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Give processes to work on; what has not begun at the end never does."""
    pool = ProcessPoolExecutor(workers, initializer=_leave_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    pool: Executor,
    work: Callable[[Thing], Result],
    things: Iterable[Thing],
    ahead: int,
) -> Iterator[Result]:
    """Yield the results of work on each thing, the things in their order.

    Unlike ``pool.map`` never more than ``ahead`` results wait: whoever takes them may
    be slower than those who make them.
    """
    remaining = iter(things)
    waiting: deque[Future[Result]] = deque(
        pool.submit(work, thing) for thing in islice(remaining, ahead)
    )
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(work, thing) for thing in islice(remaining, 1))
        yield result


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
