"""Tell whose fault a failure is: the thing's that failed, or its surroundings'.

A disk or a file server that fails for a while must cost no image and hold no study; a
single bad sector must not keep everything waiting for ever. The two look the same at
first. They differ in what happens to others meanwhile.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from dicom_node.logs import where

FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 120.0
LONG_ENOUGH_SECONDS = 300.0
"""A file server restarts within this."""
PROOFS = 3
"""So often must something else have gone well between two failures."""


@dataclass(slots=True)
class _Trouble:
    since: float
    again_at: float
    pause: float = FIRST_PAUSE_SECONDS
    proofs: int = 0
    others_went_well: bool = False


@dataclass(slots=True)
class Patience:
    """Remembers what failed, when it is tried again, and when it is at fault itself.

    In memory: after a restart everything is tried afresh. From any thread.
    """

    seconds: Callable[[], float] = time.monotonic
    _troubles: dict[str, _Trouble] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        """Return how many things wait to be tried again."""
        return len(self._troubles)

    def may_try(self, key: str) -> bool:
        """Tell whether a thing has never failed, or its pause is over."""
        trouble = self._troubles.get(key)
        return trouble is None or self.seconds() >= trouble.again_at

    def went_well(self, key: str) -> None:
        """Note that a thing could be done: its surroundings work."""
        self.forget(key)
        for other in list(self._troubles.values()):
            other.others_went_well = True

    def failed(self, key: str) -> bool:
        """Note a failure; True where the thing is at fault, since others go well."""
        now = self.seconds()
        trouble = self._troubles.setdefault(key, _Trouble(now, now))
        trouble.proofs += trouble.others_went_well
        trouble.others_went_well = False
        trouble.again_at = now + trouble.pause
        trouble.pause = min(2 * trouble.pause, LONGEST_PAUSE_SECONDS)
        lasted = now - trouble.since >= LONG_ENOUGH_SECONDS
        return lasted and trouble.proofs >= PROOFS

    def is_new(self, key: str) -> bool:
        """Tell whether a thing has not failed yet: then its failure is worth a line."""
        return key not in self._troubles

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget every other thing: somebody else has seen to it."""
        for key in set(self._troubles).difference(keys):
            self.forget(key)

    def forget(self, key: str) -> None:
        """Note that nobody will try it again."""
        self._troubles.pop(key, None)


def in_words(error: Exception) -> str:
    """Return what failed, without a path or a value: both may be a patient's."""
    if isinstance(error, OSError) and error.errno is not None:
        name = errno.errorcode.get(error.errno, str(error.errno))
        return f"{os.strerror(error.errno)} ({name})"
    return f"{type(error).__name__} at {where(error)}"
