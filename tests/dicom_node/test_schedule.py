"""The clock ticks, whatever the ticks do."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from apscheduler.job import Job
from apscheduler.schedulers import base

from dicom_node.schedule import Clock, Pause
from tests.waiting import comes_true

OFTEN_SECONDS = 0.01
LONG_SECONDS = 30.0
"""Waited at most, so that a clock that never ticks fails and does not hang."""


HOUR_SECONDS = 3600.0
SINCE_1970_SECONDS = 1.8e9


class Wall:
    """This machine's wall clock, which a test may set."""

    set_by_seconds = 0.0

    def seconds(self) -> float:
        return time.time() + self.set_by_seconds


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()

    class ByThatWall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> ByThatWall:
            return cls.fromtimestamp(wall.seconds(), tz or UTC)

    monkeypatch.setattr(base, "datetime", ByThatWall)
    return wall


@pytest.fixture
def clock(wall: Wall) -> Iterator[Clock]:
    made = Clock(wall.seconds)
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


def test_threads_take_shorter_turns_while_a_clock_ticks() -> None:
    before = sys.getswitchinterval()
    clock = Clock()

    clock.start()
    during = sys.getswitchinterval()
    clock.stop()

    assert during < before
    assert sys.getswitchinterval() == before


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


def test_a_clock_that_was_set_back_ticks_on(
    clock: Clock, wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    ticked = threading.Event()
    clock.every(OFTEN_SECONDS, "tick", ticked.set)
    clock.start()
    assert ticked.wait(LONG_SECONDS)

    wall.set_by_seconds = -HOUR_SECONDS

    assert comes_true(lambda: "clock was set by -3600 s" in caplog.text)
    assert ticks_twice(ticked)
    clock.stop()


def ticks_twice(ticked: threading.Event) -> bool:
    """Wait for two ticks: one may have been due before the clock was set."""
    for _ in range(2):
        ticked.clear()
        if not ticked.wait(LONG_SECONDS):
            return False
    return True


def test_a_clock_set_forward_by_decades_makes_each_tick_due_once(
    clock: Clock, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    due_at_once: list[int] = []
    times_of = Job._get_run_times

    def counted(job: Job, now: datetime) -> list[datetime]:
        # A list of every second since 1970 would not fit in memory.
        if now - job.next_run_time > timedelta(seconds=HOUR_SECONDS):
            job.next_run_time = now - timedelta(seconds=HOUR_SECONDS)
        times: list[datetime] = times_of(job, now)
        due_at_once.append(len(times))
        return times

    monkeypatch.setattr(Job, "_get_run_times", counted)
    ticked = threading.Event()
    clock.every(OFTEN_SECONDS, "tick", ticked.set)
    clock.start()
    assert ticked.wait(LONG_SECONDS)

    wall.set_by_seconds = SINCE_1970_SECONDS

    assert ticks_twice(ticked)
    clock.stop()
    assert set(due_at_once) == {1}


def test_a_clock_that_stands_is_told_from_one_that_ticks(clock: Clock) -> None:
    ticked = threading.Event()
    clock.every(OFTEN_SECONDS, "tick", ticked.set)
    clock.every(HOUR_SECONDS, "seldom", lambda: None)
    begun = time.monotonic()
    clock.start()
    assert ticked.wait(LONG_SECONDS)

    early = clock.longest_idle_seconds()
    ticked.clear()
    assert ticked.wait(LONG_SECONDS)
    late = clock.longest_idle_seconds()

    assert 0 < early < late <= time.monotonic() - begun


def test_a_pause_is_no_hour_longer_in_the_night_when_summer_time_ends() -> None:
    last_of_summer = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)
    now = last_of_summer.astimezone(ZoneInfo("Europe/Zurich"))

    then = Pause(1).get_next_fire_time(None, now)

    assert then - last_of_summer == timedelta(seconds=1)
