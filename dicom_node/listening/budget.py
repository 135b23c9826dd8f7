"""Memory for datasets that are still coming in, shared by all associations.

A dataset is held in memory until it is whole, and how long it will be nobody says
beforehand. So all associations draw on one budget while their datasets grow. Where it
is used up, whoever needs more waits: its connection is not read meanwhile, and TCP
holds the peer back. Who has waited for too long gives back what it held, and its
message is refused.

That all hold parts and wait, and none can finish, cannot happen. As much as the longest
dataset may take is kept apart as a reserve. It belongs to one association at a time,
the first that found no room, until its message has ended; having all that it can ever
need, it never waits. So wherever somebody waits, somebody else goes on, and whoever
goes on is bound by the deadlines of its association.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass


class Budget:
    """So many bytes for all associations. Safe to be drawn on from any thread."""

    def __init__(
        self, total_bytes: int, longest_bytes: int, wait_seconds: float
    ) -> None:
        self.wait_seconds = wait_seconds
        """How long a share waits for room before it is refused."""
        self._room_bytes = max(total_bytes - longest_bytes, 0)
        """For all shares but the one that has the reserve."""
        self._used_bytes = 0
        """The same."""
        self._has_reserve: Share | None = None
        self._waiting: deque[Share] = deque()
        """In their order: nobody is passed by."""
        self._is_closed = False
        self._changed = threading.Condition()

    def share(self) -> Share:
        """Return what one association draws by; it holds nothing yet."""
        return Share(self)

    def close(self) -> None:
        """Let nobody wait any longer: the server stops."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def draw(self, share: Share, count: int) -> bool:
        """See `Share.draw`."""
        with self._changed:
            has_turn = share is self._has_reserve or not self._waiting
            if has_turn and self._grant(share, count):
                return True
            return self._wait(share, count)

    def give_back(self, share: Share) -> None:
        """See `Share.give_back`."""
        with self._changed:
            self._take_back(share)
            share.is_refused = False

    def _wait(self, share: Share, count: int) -> bool:
        granted = False

        def is_over() -> bool:
            nonlocal granted
            granted = self._waiting[0] is share and self._grant(share, count)
            return granted or self._is_closed

        self._waiting.append(share)
        try:
            self._changed.wait_for(is_over, self.wait_seconds)
        finally:
            self._waiting.remove(share)
            self._changed.notify_all()  # another one is the first now
        if not granted:
            self._take_back(share)
            share.is_refused = True
        return granted

    def _grant(self, share: Share, count: int) -> bool:
        if share is not self._has_reserve:
            if self._used_bytes + count <= self._room_bytes:
                self._used_bytes += count
            elif self._has_reserve is None:
                self._has_reserve = share
                self._used_bytes -= share.held_bytes
            else:
                return False
        share.held_bytes += count
        return True

    def _take_back(self, share: Share) -> None:
        if share is self._has_reserve:
            self._has_reserve = None
        else:
            self._used_bytes -= share.held_bytes
        share.held_bytes = 0
        if self._waiting:
            self._changed.notify_all()


@dataclass(eq=False, slots=True)
class Share:
    """What one association holds for the message that is coming in."""

    budget: Budget
    held_bytes: int = 0
    is_refused: bool = False
    """Whether there was no room for the message; nothing is held for it any more."""

    def draw(self, count: int) -> bool:
        """Hold so many bytes more, and wait for them where there is no room.

        The caller sees to it that one share never holds more than the longest dataset
        may have. False where there was no room in time, until `give_back`.
        """
        return not self.is_refused and self.budget.draw(self, count)

    def give_back(self) -> None:
        """Hold nothing any more: the message has ended, one way or another."""
        self.budget.give_back(self)
