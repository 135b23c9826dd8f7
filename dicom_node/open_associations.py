"""Tells the database which associations are open in this receiving process.

Handlers of their own, beside the receiver's: whoever wants to know whether a study is
still coming in asks `storage.associations`. What cannot be written when it happens,
because the database is away, is written by the next beat.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.logs import Action, about
from storage import associations
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
"""Three beats fit into `storage.associations.LAPSE`."""
PATIENCE_SECONDS = 2.0
"""A peer has no answer yet while its association is written down. Where the database is
away one of them waits for it; the others leave it to the next beat, or they would wait
one after another until their scanners give up."""


@dataclass(slots=True)
class OpenAssociations:
    """The associations of this process that may bring images."""

    database: Database
    patience_seconds: float = PATIENCE_SECONDS
    _token: str = field(default_factory=lambda: uuid.uuid4().hex, init=False)
    _open: dict[Association, tuple[str, str]] = field(default_factory=dict, init=False)
    """By association: its id in the database, and the peer's address and port."""
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    """A beat must not write down again what is being closed this moment."""
    _is_behind: bool = field(default=False, init=False)
    """Whether a change was left to the next beat."""
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)

    @property
    def receiver(self) -> str:
        """Who we are among all receivers; a forked process is another one."""
        return f"{self._token}:{os.getpid()}"

    def handlers(self) -> list[evt.EventHandlerType]:
        """Return what pynetdicom is to call."""
        return [
            (evt.EVT_ESTABLISHED, self._on_established),
            (evt.EVT_CONN_CLOSE, self._on_closed),
        ]

    def start(self) -> None:
        """Begin to beat; what dead receivers left behind is removed at once."""
        threading.Thread(target=self._run, name="association-beat", daemon=True).start()

    def stop(self) -> None:
        """Stop beating, and leave nothing open behind."""
        self._stopping.set()
        with self._turn:
            self._open.clear()
            self._write_beat()

    def beat(self) -> None:
        """Say that this process lives, and what it has open."""
        with self._turn:
            # Its closing may have been missed; a thread that has ended stores nothing.
            for assoc in [it for it in list(self._open) if not it.is_alive()]:
                self._open.pop(assoc, None)
            self._write_beat()

    def _run(self) -> None:
        self.beat()
        while not self._stopping.wait(BEAT_SECONDS):
            if self._open or self._is_behind:
                self.beat()

    def _write_beat(self) -> None:
        self._is_behind = True
        try:
            with self.database.sessions.begin() as session:
                associations.beat(session, self.receiver, dict(self._open.values()))
            self._is_behind = False
        except StorageError as error:
            _say_later(error)

    def _on_established(self, event: evt.Event) -> None:
        assoc = event.assoc
        offered = {context.abstract_syntax for context in assoc.accepted_contexts}
        if offered <= {Verification}:
            return  # an echo brings no image, and shall cost no commit
        peer = f"{assoc.requestor.address}:{assoc.requestor.port}"
        id_, _ = self._open.setdefault(assoc, (uuid.uuid4().hex, peer))
        self._write(associations.opened, self.receiver, id_, peer)

    def _on_closed(self, event: evt.Event) -> None:
        id_, _ = self._open.pop(event.assoc, ("", ""))
        if id_:
            self._write(associations.closed, id_)

    def _write(self, change: Callable[..., None], *what: str) -> None:
        """Write a change down, or leave it to the next beat."""
        if not self._turn.acquire(timeout=self.patience_seconds):
            self._is_behind = True
            return
        try:
            with self.database.sessions.begin() as session:
                change(session, *what)
        except StorageError as error:
            self._is_behind = True
            _say_later(error)
        finally:
            self._turn.release()


def _say_later(error: StorageError) -> None:
    log.warning(
        "cannot write down which associations are open (%s); tried again in %.0f s",
        type(error).__name__,
        BEAT_SECONDS,
        extra=about(Action.TICK_FAILED),
    )
