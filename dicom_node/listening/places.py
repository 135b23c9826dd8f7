"""Who is connected now, and whether there is room for one more."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from dicom_node.listening.limits import Limits


@dataclass(eq=False, slots=True)
class Place:
    """One connection; it becomes an association when it has asked for one."""

    address: str
    associated: bool = False


class NoRoom(Exception):
    """A limit is reached; the message says which, and which key raises it."""


class Places:
    """The connections that are open. Safe to be asked from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: set[Place] = set()
        self._lock = threading.Lock()

    def connect(self, address: str) -> Place:
        """Take a place for a connection that was just accepted.

        Raises
        ------
        NoRoom
            This address, or all together, have as many as they may.
        """
        limits = self._limits
        with self._lock:
            own = sum(place.address == address for place in self._taken)
            if own >= limits.max_connections_per_address:
                raise NoRoom(
                    f"{own} connections from there are open; raise "
                    "receiver.max_connections_per_address if that is usual"
                )
            if len(self._taken) >= limits.max_connections:
                raise NoRoom(
                    f"{len(self._taken)} connections are open; raise "
                    "receiver.max_connections if that is usual"
                )
            place = Place(address)
            self._taken.add(place)
            return place

    def associate(self, place: Place) -> None:
        """Let a connection that has asked for an association have one.

        Raises
        ------
        NoRoom
            There are as many associations as there may be.
        """
        with self._lock:
            if self._associations() >= self._limits.max_associations:
                raise NoRoom(
                    f"more than {self._limits.max_associations} at once; raise "
                    "receiver.max_associations if that is usual"
                )
            place.associated = True

    def part(self, place: Place) -> None:
        """Give the association back; the connection may still have to be closed."""
        with self._lock:
            place.associated = False

    def leave(self, place: Place) -> None:
        """Give the place back; a second time does nothing."""
        with self._lock:
            self._taken.discard(place)

    @property
    def connections(self) -> int:
        """How many connections are open, associations included."""
        with self._lock:
            return len(self._taken)

    @property
    def associations(self) -> int:
        """How many associations are established."""
        with self._lock:
            return self._associations()

    def _associations(self) -> int:
        return sum(place.associated for place in self._taken)
