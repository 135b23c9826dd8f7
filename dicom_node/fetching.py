"""Has a PACS send what it counts and we lack: once for each state of a study.

The images come as any others do, over an association of the PACS to our receiver, and
change the study's state. A PACS that cannot send them is not asked again and again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from dicom_node.errors import QueryFailed
from dicom_node.logs import Action, about
from dicom_node.query import OpenQuery
from storage.backoff import delay_seconds
from storage.studies import StudyToSettle

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
"""A dead PACS costs a connection attempt now and then, and no more."""


@dataclass(slots=True)
class Pause:
    """How long a peer that failed is left alone: doubling, up to five minutes."""

    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)

    @property
    def is_over(self) -> bool:
        """Whether the peer may be tried now."""
        return time.monotonic() >= self._until

    def succeeded(self) -> None:
        """Forget earlier failures."""
        self._failures = 0

    def failed(self) -> float:
        """Begin a pause; return its length in seconds."""
        self._failures += 1
        seconds = delay_seconds(
            self._failures,
            "query",
            first_seconds=FIRST_PAUSE_SECONDS,
            cap_seconds=LONGEST_PAUSE_SECONDS,
        )
        self._until = time.monotonic() + seconds
        return seconds


@dataclass(slots=True)
class Fetcher:
    """Asks for series, on an association of its own: sending them may take minutes.

    One thread says what is wanted, another one asks for it.
    """

    move: Callable[[], AbstractContextManager[OpenQuery]]
    to_ae_title: str
    """Ours, as the PACS knows us."""
    pause: Pause = field(default_factory=Pause)
    _wanted: dict[StudyToSettle, tuple[str, ...]] = field(
        default_factory=dict, init=False
    )
    _asked_for: set[StudyToSettle] = field(default_factory=set, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    """Over both, never held while a peer is waited for."""

    def want(self, study: StudyToSettle, series_uids: Sequence[str]) -> None:
        """Ask for these series, unless this was done in the study's present state."""
        with self._turn:
            if study not in self._asked_for:
                self._wanted[study] = tuple(series_uids)

    def keep_only(self, studies: Sequence[StudyToSettle]) -> None:
        """Forget every other study, and every other state of these."""
        known = set(studies)
        with self._turn:
            self._asked_for &= known
            self._wanted = {
                it: uids for it, uids in self._wanted.items() if it in known
            }

    def fetch_wanted(self) -> int:
        """Ask for what is wanted of one study; return how many series were sent.

        One study a tick: neither the watchdog nor whoever stops the worker may have to
        wait for all that a PACS has still to send.
        """
        if not self._wanted or not self.pause.is_over:
            return 0
        sent = 0
        try:
            with self.move() as query:
                if taken := self._take():
                    sent = self._fetch(query, *taken)
        except QueryFailed as error:
            seconds = self.pause.failed()
            log.warning(
                "cannot fetch what seems to be missing: %s; tried again in %.0f s",
                error,
                seconds,
                extra=about(Action.QUERY_FAILED),
            )
        else:
            self.pause.succeeded()
        return sent

    def _take(self) -> tuple[StudyToSettle, tuple[str, ...]] | None:
        """Take one study and its series, None where it is no longer wanted.

        It counts as asked for from here on: a study on which a PACS breaks is not
        asked for again.
        """
        with self._turn:
            if not self._wanted:
                return None
            study = next(iter(self._wanted))
            self._asked_for.add(study)
            return study, self._wanted.pop(study)

    def _fetch(
        self, query: OpenQuery, study: StudyToSettle, series_uids: Sequence[str]
    ) -> int:
        """Ask for a study's series; one that the PACS cannot send is left out."""
        uid, sent = study.study_instance_uid, 0
        for series_uid in series_uids:
            try:
                query.move_series(uid, series_uid, self.to_ae_title)
                sent += 1
            except QueryFailed as error:
                if not query.is_open:
                    raise
                log.warning(
                    "the PACS did not send what is missing: %s",
                    error,
                    extra=about(Action.QUERY_FAILED, uid),
                )
        log.info(
            "had the PACS send %d series of which images were missing",
            sent,
            extra=about(Action.FETCHED, uid),
        )
        return sent
