"""When a failure is blamed on what failed, and when on its surroundings."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from dicom_node.patience import LONG_ENOUGH_SECONDS, Patience, in_words


class Passing:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Passing:
    return Passing()


@pytest.fixture
def patience(clock: Passing) -> Patience:
    return Patience(clock)


def fail_for(
    patience: Patience, clock: Passing, seconds: float, *, others: bool
) -> bool:
    """Fail whenever it may be tried, for so long; tell whether it was ever blamed."""
    until, blamed = clock.now + seconds, False
    while clock.now < until:
        if patience.may_try("bad"):
            blamed |= patience.failed("bad")
        if others:
            patience.went_well("good")
        clock.now += 10
    return blamed


def test_what_fails_while_others_go_well_is_blamed_after_some_minutes(
    patience: Patience, clock: Passing
) -> None:
    assert not fail_for(patience, clock, LONG_ENOUGH_SECONDS - 10, others=True)
    assert fail_for(patience, clock, LONG_ENOUGH_SECONDS, others=True)


def test_nothing_is_blamed_while_nothing_goes_well(
    patience: Patience, clock: Passing
) -> None:
    assert not fail_for(patience, clock, 86_400, others=False)


def test_an_outage_that_began_after_a_success_is_blamed_on_nothing(
    patience: Patience, clock: Passing
) -> None:
    patience.failed("bad")
    patience.went_well("good")

    assert not fail_for(patience, clock, 86_400, others=False)


def test_what_failed_is_left_alone_for_ever_longer_but_never_for_long(
    patience: Patience, clock: Passing
) -> None:
    tries = []
    for _ in range(3600):
        if patience.may_try("bad"):
            tries.append(clock.now)
            patience.failed("bad")
        clock.now += 1

    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[:3] == [30, 60, 120]
    assert set(pauses[3:]) == {120}


def test_what_went_well_after_all_is_a_stranger_again(patience: Patience) -> None:
    patience.failed("bad")
    patience.went_well("bad")

    assert patience.is_new("bad")
    assert patience.may_try("bad")
    assert len(patience) == 0


def test_a_failure_is_told_without_a_path() -> None:
    error = OSError(errno.EIO, "Input/output error", "/data/somebody.dcm")

    assert in_words(error) == "Input/output error (EIO)"


def test_an_error_without_a_number_is_told_by_type_and_place() -> None:
    try:
        raise ValueError("Somebody^Else")
    except ValueError as error:
        told = in_words(error)

    assert told.startswith("ValueError at ")
    assert "Somebody" not in told
