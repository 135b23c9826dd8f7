import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.group_commit import GroupCommit


class Behind:
    """A commit of item 0 that is held up, so that others come to wait behind it."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.groups: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self._group = GroupCommit(self._commit)
        self._pool = pool
        self.first = pool.submit(self._group.commit, 0)
        self.entered.acquire()

    def add(self, item: int) -> Future[None]:
        """Start another commit, and return once it waits."""
        before = len(self._group._waiting)
        future = self._pool.submit(self._group.commit, item)
        while len(self._group._waiting) == before:
            time.sleep(0.001)
        return future

    def _commit(self, items: Sequence[int]) -> list[Exception | None]:
        self.groups.append(list(items))
        self.entered.release()
        self.may_go_on.acquire()
        return [ValueError(f"item {it}") if it < 0 else None for it in items]


@pytest.fixture
def behind() -> Iterator[Behind]:
    with ThreadPoolExecutor(8) as pool:
        held_up = Behind(pool)
        yield held_up
        held_up.may_go_on.release(100)


def test_one_by_itself_is_committed_at_once_and_alone() -> None:
    groups: list[list[int]] = []

    def commit(items: Sequence[int]) -> list[None]:
        groups.append(list(items))
        return [None] * len(items)

    together = GroupCommit[int](commit)
    for item in range(3):
        together.commit(item)

    assert groups == [[0], [1], [2]]


def test_all_that_wait_are_committed_together_in_their_order(behind: Behind) -> None:
    others = [behind.add(item) for item in (1, 2, 3)]

    behind.may_go_on.release(2)

    for future in (behind.first, *others):
        future.result(30)
    assert behind.groups == [[0], [1, 2, 3]]


def test_nobody_is_answered_before_the_commit_of_its_own_group_ends(
    behind: Behind,
) -> None:
    others = [behind.add(item) for item in (1, 2)]

    behind.may_go_on.release()
    behind.first.result(30)
    behind.entered.acquire()

    assert not any(future.done() for future in others)


def test_an_error_reaches_those_it_concerns_and_nobody_else(behind: Behind) -> None:
    good, bad, last = (behind.add(item) for item in (1, -2, 3))

    behind.may_go_on.release(2)

    good.result(30)
    last.result(30)
    with pytest.raises(ValueError, match="item -2"):
        bad.result(30)


@pytest.mark.parametrize("answers", [RuntimeError("broken"), []])
def test_a_commit_that_breaks_is_heard_by_all_and_the_next_one_works(
    answers: Exception | list[None],
) -> None:
    broken = threading.Event()

    def commit(items: Sequence[int]) -> Sequence[None]:
        if broken.is_set():
            return [None] * len(items)
        broken.set()
        if isinstance(answers, Exception):
            raise answers
        return answers

    group = GroupCommit[int](commit)

    with pytest.raises((RuntimeError, ValueError)):
        group.commit(1)
    group.commit(2)


@settings(max_examples=20)
@given(
    threads=st.integers(1, 8),
    items=st.lists(st.integers(-20, 100), max_size=60, unique=True),
)
def test_every_item_is_committed_once_and_hears_its_own_outcome(
    threads: int, items: list[int]
) -> None:
    committed: list[int] = []

    def commit(group: Sequence[int]) -> list[Exception | None]:
        committed.extend(group)
        return [ValueError(it) if it < 0 else None for it in group]

    together = GroupCommit(commit)

    def outcome(item: int) -> int | None:
        try:
            together.commit(item)
        except ValueError as error:
            return int(error.args[0])
        return None

    with ThreadPoolExecutor(threads) as pool:
        outcomes = list(pool.map(outcome, items))

    assert sorted(committed) == sorted(items)
    assert outcomes == [it if it < 0 else None for it in items]
