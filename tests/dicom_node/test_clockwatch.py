"""A clock that jumps ahead makes no study quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.clockwatch import ClockWatch

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR_SECONDS = 3600.0


class Clocks:
    """A wall clock that can be set, and time that only passes."""

    def __init__(self) -> None:
        self.wall, self.passed = NOON, 0.0
        self.watch = ClockWatch(60.0, seconds=lambda: self.passed)

    def steady_after(self, seconds: float, *, step_seconds: float = 0) -> bool:
        self.passed += seconds
        self.wall += timedelta(seconds=seconds + step_seconds)
        return self.watch.steady(self.wall)


def test_a_clock_that_runs_as_time_passes_is_steady() -> None:
    clocks = Clocks()

    assert all(clocks.steady_after(seconds) for seconds in (0, 1, 1, 600, 86_400))


def test_after_a_step_ahead_a_whole_quiet_time_passes_first() -> None:
    clocks = Clocks()
    clocks.steady_after(1)

    steady = [clocks.steady_after(1, step_seconds=HOUR_SECONDS)]
    steady += [clocks.steady_after(seconds) for seconds in (1, 58, 1, 1)]

    assert steady == [False, False, False, True, True]


def test_a_step_back_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    clocks.steady_after(1)

    assert clocks.steady_after(1, step_seconds=-HOUR_SECONDS)
    assert "stepped by -3600 s" in caplog.text


def test_a_clock_that_is_slewed_has_not_stepped() -> None:
    clocks = Clocks()

    assert all(clocks.steady_after(1, step_seconds=0.1) for _ in range(100))
