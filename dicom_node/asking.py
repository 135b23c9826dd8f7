"""Asks a PACS whether studies are complete, and keeps complete ones waiting no longer.

A study is settled before it has been quiet for long where everything speaks for it:
the PACS counted twice what is here, some seconds apart; no slice seems to be missing
inside a series; and no association is open over which images of it came. Anything
else, a PACS that is down above all, leaves the study to the quiet time, which ticks on
its own and waits for nobody. After a clock that jumped ahead nobody is asked, and
nothing is settled, before the quiet time may settle again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dicom_node.completeness import Look, Settler
from dicom_node.errors import QueryFailed
from dicom_node.evidence import (
    Memory,
    counts_nothing,
    is_complete,
    lacking,
    said_again,
)
from dicom_node.fetching import Fetcher, Pause
from dicom_node.logs import Action, about
from dicom_node.query import OpenQuery
from storage import associations, receipts, studies
from storage.database import Database, database_now
from storage.errors import DatabaseUnreachable
from storage.studies import StudyToSettle

log = logging.getLogger(__name__)

APART = timedelta(seconds=5)
"""Between two counts that agree: a PACS that is still receiving counts more by then."""
STILL = timedelta(seconds=2)
"""Without a new image: a sender may open an association for each."""
SOON = timedelta(seconds=20)
"""After the last image; what lasts longer is asked about ever less often."""
MOST_AT_ONCE = 20
TICK_SECONDS = 20.0
"""On one association; the studies that are left over have their turn at the next."""


@dataclass(frozen=True, slots=True)
class DatabaseTime:
    """The database's clock, read once and carried on by our own."""

    read: datetime
    ours: float = field(default_factory=time.monotonic)

    @property
    def passed(self) -> timedelta:
        """Since it was read."""
        return timedelta(seconds=time.monotonic() - self.ours)

    @property
    def now(self) -> datetime:
        """What it shows now."""
        return self.read + self.passed


@dataclass(slots=True)
class Asker:
    """Asks about the studies that stand still, all on one association."""

    database: Database
    settler: Settler
    ask: Callable[[], AbstractContextManager[OpenQuery]]
    fetcher: Fetcher | None = None
    apart: timedelta = APART
    still: timedelta = STILL
    pause: Pause = field(default_factory=Pause)
    _looks: dict[StudyToSettle, Look | None] = field(default_factory=dict, init=False)
    _asked: dict[StudyToSettle, datetime] = field(default_factory=dict, init=False)
    _said_uncounted: bool = field(default=False, init=False)

    @property
    def memory(self) -> Memory:
        """What was said, where the settler reads it too."""
        return self.settler.memory

    def ask_and_settle(self) -> int:
        """Ask where it is time to, settle what is complete; return how many."""
        clock, standing = self._standing_still()
        looks = {it: look for it in standing if (look := self._look(it))}
        self._ask_about([it for it in looks if self._is_due(it, clock.now)], clock)
        settled = 0
        for study, look in looks.items():
            said = self.memory.said(study)
            if said is None or not said.lasting(self.apart):
                continue
            if is_complete(look.held, said.counts):
                settled += self._settle(study, said.at)
            elif self.fetcher and (short := lacking(look.held, said.counts)):
                self.fetcher.want(study, [it.series_instance_uid for it, _ in short])
        return settled

    def _standing_still(self) -> tuple[DatabaseTime, list[StudyToSettle]]:
        """Return the time, and the studies of which nothing is coming in."""
        with self.database.reading.begin() as session:
            clock = DatabaseTime(database_now(session))
            if not self.settler.trusts_clock(clock.read):
                return clock, []
            changed = studies.changed_studies(session)
            standing = [
                study
                for study in changed
                if study.last_received_at <= clock.read - self.still
                and not associations.is_being_received(
                    session, study.study_instance_uid
                )
            ]
        self._keep_only(changed)
        return clock, standing

    def _keep_only(self, changed: Sequence[StudyToSettle]) -> None:
        self.memory.keep_only(changed)
        if self.fetcher:
            self.fetcher.keep_only(changed)
        known = set(changed)
        self._looks = {it: look for it, look in self._looks.items() if it in known}
        self._asked = {it: at for it, at in self._asked.items() if it in known}

    def _look(self, study: StudyToSettle) -> Look | None:
        """Judge a study once in each state; None where there is nothing to grade."""
        if study not in self._looks:
            self._looks[study] = self._judged(study)
        return self._looks[study]

    def _judged(self, study: StudyToSettle) -> Look | None:
        try:
            look = self.settler.look(study.study_instance_uid)
        except DatabaseUnreachable:
            raise
        # A study that cannot be judged is held when it is quiet, with its reason.
        except Exception:  # noqa: BLE001
            return None
        return look if any(series.graded for series in look.held) else None

    def _is_due(self, study: StudyToSettle, now: datetime) -> bool:
        """Tell whether it is time to ask, for the first time or once more."""
        asked = self._asked.get(study)
        age = now - study.last_received_at
        return asked is None or now - asked >= self.apart * max(1.0, age / SOON)

    def _ask_about(self, due: list[StudyToSettle], clock: DatabaseTime) -> None:
        if not due or not self.pause.is_over:
            return
        # Who was never asked about comes first, so that one study on which a PACS
        # breaks is not in the way of the others.
        due.sort(key=lambda it: self._asked.get(it, it.last_received_at))
        try:
            with self.ask() as query:
                self._ask_one_by_one(query, due[:MOST_AT_ONCE], clock)
        except QueryFailed as error:
            seconds = self.pause.failed()
            log.warning(
                "cannot ask whether studies are complete: %s; asked again in %.0f s, "
                "until then the quiet time decides",
                error,
                seconds,
                extra=about(Action.QUERY_FAILED),
            )
        else:
            self.pause.succeeded()

    def _ask_one_by_one(
        self, query: OpenQuery, due: Sequence[StudyToSettle], clock: DatabaseTime
    ) -> None:
        for study in due:
            if clock.passed.total_seconds() > TICK_SECONDS:
                return
            # Read anew: two answers must lie apart, however long the others took.
            at = self._asked[study] = clock.now
            try:
                counts = query.series_counts(study.study_instance_uid)
            except QueryFailed as error:
                if not query.is_open:
                    raise
                log.warning(
                    "the PACS does not say what it has: %s",
                    error,
                    extra=about(Action.QUERY_FAILED, study.study_instance_uid),
                )
                continue
            said = said_again(self.memory.said(study), counts, at)
            self.memory.note(study, said)
            self._say_once_if_uncounted(study)

    def _settle(self, study: StudyToSettle, asked_at: datetime) -> bool:
        """Settle a complete study, unless an image of it may be on its way."""
        uid = study.study_instance_uid
        with self.database.reading.begin() as session:
            # Asking took seconds in which the clock may have jumped: then who is
            # still sending seems to have left.
            if not self.settler.trusts_clock(database_now(session)):
                return False
            waiting = receipts.oldest_waiting(session)
            coming = associations.is_being_received(session, uid)
        # What came before the PACS was asked and is not indexed may belong here.
        if coming or (waiting is not None and waiting <= asked_at):
            return False
        log.info(
            "complete: the PACS counts as many images as are here",
            extra=about(Action.COMPLETE, uid),
        )
        self.settler.settle_or_hold(study)
        return True

    def _say_once_if_uncounted(self, study: StudyToSettle) -> None:
        look = self._looks.get(study)
        counts = self.memory.counts(study)
        if self._said_uncounted or look is None:
            return
        if counts_nothing(look.held, counts):
            self._said_uncounted = True
            log.warning(
                "the PACS returns no Number of Series Related Instances: only the "
                "quiet time decides; [completeness] may as well be left out",
                extra=about(Action.QUERY_FAILED),
            )
