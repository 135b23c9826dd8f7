"""Removes, slowly, the files that no row names.

One folder at a tick. A file goes when it is older than a day, belongs to this database,
and had no row at two looks at least an hour apart by a clock that nobody can set: what
is being written, or committed, this moment is never among them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dicom_node.logs import Action, about
from storage import strays
from storage.database import Database
from storage.files import Files
from storage.states import Root

log = logging.getLogger(__name__)

OLD = timedelta(days=1)
APART_SECONDS = 3600.0
"""Between two looks: no commit takes so long."""


@dataclass(slots=True)
class Sweeper:
    """Sweeps the folders of one node in turn; several workers may do it at once."""

    database: Database
    files: Files
    seconds: Callable[[], float] = time.monotonic
    _folders: Iterator[tuple[Root, str]] = field(default_factory=lambda: iter(()))
    _suspects: dict[tuple[Root, str], float] = field(default_factory=dict)
    """Files without a row, and when each was first seen to be so."""

    def sweep_folder(self) -> int:
        """Look at the next folder, and remove what nobody knows; return how many."""
        folder = next(self._folders, None)
        if folder is None:
            self._folders = self.files.folders()
            return 0
        root, prefix = folder
        keys = self._unnamed(root, prefix)
        self._forget_others(root, prefix, keys)
        now = self.seconds()
        first_seen = {key: self._suspects.setdefault((root, key), now) for key in keys}
        gone = [key for key, at in first_seen.items() if now - at >= APART_SECONDS]
        self._remove(root, gone)
        return len(gone)

    def _unnamed(self, root: Root, prefix: str) -> set[str]:
        latest = datetime.now(UTC) - OLD
        with self.database.reading.begin() as session:
            since = strays.belongs_since(session)
            if since is None:
                return set()
            keys = self.files.keys_of(root, prefix, since, latest)
            return strays.unnamed(session, root, keys)

    def _forget_others(self, root: Root, prefix: str, keys: set[str]) -> None:
        for suspect in list(self._suspects):
            of, key = suspect
            if of is root and key.rpartition("/")[0] == prefix and key not in keys:
                del self._suspects[suspect]

    def _remove(self, root: Root, keys: list[str]) -> None:
        if not keys:
            return
        for key in keys:
            self.files.remove(root, key)
            del self._suspects[root, key]
        self.files.flush_removed(self.files.path(root, keys[0]).parent)
        log.warning(
            "removed %d files of %s that no row names: a kill, or an attempt that did "
            "not count, left them",
            len(keys),
            root.value,
            extra=about(Action.FILES_REMOVED),
        )
