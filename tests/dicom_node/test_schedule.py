"""The clock ticks, whatever the ticks do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from dicom_node.schedule import Clock

OFTEN_SECONDS = 0.01
LONG_SECONDS = 30.0
"""Waited at most, so that a clock that never ticks fails and does not hang."""


@pytest.fixture
def clock() -> Iterator[Clock]:
    made = Clock()
    yield made
    if made._scheduler.running:
        made.stop()


def test_a_tick_comes_again_and_again(clock: Clock) -> None:
    third = threading.Barrier(2, timeout=LONG_SECONDS)
    clock.every(OFTEN_SECONDS, "tick", third.wait)

    clock.start()

    for _ in range(3):
        third.wait()
    clock._scheduler.remove_all_jobs()
    third.abort()


def test_a_tick_that_fails_is_named_and_comes_again(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ticks: list[int] = []
    again = threading.Event()

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 1:
            raise ValueError("invalid name Phantom^Anna")
        again.set()

    clock.every(OFTEN_SECONDS, "indexing", tick)

    clock.start()

    assert again.wait(LONG_SECONDS)
    clock.stop()
    (failed,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert failed.getMessage().startswith(
        "indexing failed with ValueError, and will be tried again: "
    )
    assert "tick:" in failed.getMessage()
    assert "Anna" not in caplog.text


def test_a_tick_never_runs_twice_at_once(clock: Clock) -> None:
    alone = threading.Lock()
    overlaps: list[bool] = []
    enough = threading.Event()

    def tick() -> None:
        overlaps.append(not alone.acquire(blocking=False))
        # Several ticks fall due while this one runs.
        threading.Event().wait(5 * OFTEN_SECONDS)
        alone.release()
        if len(overlaps) == 3:
            enough.set()

    clock.every(OFTEN_SECONDS, "tick", tick)

    clock.start()

    assert enough.wait(LONG_SECONDS)
    clock.stop()
    assert not any(overlaps)


def test_a_tick_that_hangs_does_not_keep_the_others_from_ticking(clock: Clock) -> None:
    hanging, other = threading.Event(), threading.Event()
    clock.every(OFTEN_SECONDS, "hangs", lambda: hanging.wait(LONG_SECONDS))
    clock.every(OFTEN_SECONDS, "other", other.set)

    clock.start()

    assert other.wait(LONG_SECONDS)
    hanging.set()


def test_stopping_waits_for_the_tick_that_runs(clock: Clock) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def tick() -> None:
        begun.set()
        go_on.wait(LONG_SECONDS)
        ended.set()

    clock.every(OFTEN_SECONDS, "tick", tick)
    clock.start()
    assert begun.wait(LONG_SECONDS)
    stopper = threading.Thread(target=clock.stop, daemon=True)

    stopper.start()

    # Long enough for a clock that does not wait to be gone.
    stopper.join(10 * OFTEN_SECONDS)
    assert stopper.is_alive()
    assert not ended.is_set()
    go_on.set()
    stopper.join(LONG_SECONDS)
    assert ended.is_set()


def test_the_longest_tick_is_the_one_that_began_first(clock: Clock) -> None:
    begun, go_on = threading.Barrier(3, timeout=LONG_SECONDS), threading.Event()

    def tick() -> None:
        begun.wait()
        go_on.wait(LONG_SECONDS)

    assert clock.longest_tick_seconds() == 0
    clock.every(OFTEN_SECONDS, "first", tick)
    clock.every(OFTEN_SECONDS, "second", tick)
    clock.start()
    begun.wait()

    early = clock.longest_tick_seconds()
    late = clock.longest_tick_seconds()

    assert 0 < early <= late
    clock._scheduler.remove_all_jobs()
    go_on.set()
    clock.stop()
    assert clock.longest_tick_seconds() == 0
