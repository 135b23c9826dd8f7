"""Group commit: those who wait for a costly commit share the next one.

Whoever comes first leads: it commits at once, alone. Whoever comes meanwhile waits, and
the first of them leads for all that wait then. There is no timer and no thread of its
own, so one caller by itself never waits for others, and nothing can die silently.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Ticket(Generic[T]):
    """One caller's item, and what became of it."""

    item: T
    woken: threading.Event = field(default_factory=threading.Event)
    """The item is done, or it is this caller's turn to lead."""
    done: bool = False
    error: BaseException | None = None


class GroupCommit(Generic[T]):
    """Calls ``commit`` with everything that waits, one call at a time.

    ``commit`` returns one outcome per item, in order: None, or the error that
    concerns this item. What it raises concerns them all.
    """

    def __init__(
        self, commit: Callable[[Sequence[T]], Sequence[Exception | None]]
    ) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T]] = []
        self._somebody_leads = False

    def commit(self, item: T) -> None:
        """Return once this item is committed, by this caller or by another.

        Raises
        ------
        Exception
            What ``commit`` said about this item.
        """
        ticket = _Ticket(item)
        if not self._takes_the_lead(ticket):
            ticket.woken.wait()
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error

    def _takes_the_lead(self, ticket: _Ticket[T]) -> bool:
        with self._lock:
            self._waiting.append(ticket)
            leads, self._somebody_leads = not self._somebody_leads, True
            return leads

    def _lead(self) -> None:
        """Commit for all that wait, the leader among them, and pass the lead on."""
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            outcomes = self._commit([ticket.item for ticket in group])
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.error = outcome
        # Whatever it is, those who wait must hear it: nobody else would wake them.
        except BaseException as error:  # noqa: BLE001
            for ticket in group:
                ticket.error = error
        self._hand_over(group)

    def _hand_over(self, group: Sequence[_Ticket[T]]) -> None:
        with self._lock:
            self._somebody_leads = bool(self._waiting)
            next_leader = self._waiting[0] if self._waiting else None
        # First, because its commit takes longest.
        if next_leader is not None:
            next_leader.woken.set()
        for ticket in group:
            ticket.done = True
            ticket.woken.set()
