"""What a PACS is told to send is said by one thread and asked for by another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from dicom_node.fetching import Fetcher
from dicom_node.query import OpenQuery
from storage.studies import StudyToSettle

STUDY = StudyToSettle("1.2.3", datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
NOT_FOR_EVER_SECONDS = 0.2
"""As long as the other thread gets, if it may go on now at all."""


@dataclass
class Moves:
    """A PACS that sends whatever it is told to, and takes note."""

    is_open: bool = True
    moved: list[str] = field(default_factory=list)

    def move_series(self, study: str, series: str, to: str) -> None:
        self.moved.append(series)

    @contextmanager
    def opened(self) -> Iterator[OpenQuery]:
        yield cast(OpenQuery, self)


class WhileRead(list[StudyToSettle]):
    """Studies, and before the last word another thread has its turn."""

    def __init__(self, studies: list[StudyToSettle], meanwhile: Callable[[], object]):
        super().__init__(studies)
        self.other = threading.Thread(target=meanwhile)

    def __iter__(self) -> Iterator[StudyToSettle]:
        yield from super().__iter__()
        if self.other.ident is None:
            self.other.start()
            self.other.join(NOT_FOR_EVER_SECONDS)


def test_a_study_that_is_fetched_while_others_are_forgotten_is_not_fetched_again() -> (
    None
):
    pacs = Moves()
    fetcher = Fetcher(pacs.opened, "NODE")
    fetcher.want(STUDY, ["series"])
    present = WhileRead([STUDY], fetcher.fetch_wanted)

    fetcher.keep_only(present)
    present.other.join()
    fetcher.want(STUDY, ["series"])
    fetcher.fetch_wanted()

    assert pacs.moved == ["series"]


def test_a_study_that_changed_while_the_pacs_was_called_is_not_asked_for() -> None:
    pacs = Moves()

    @contextmanager
    def slowly() -> Iterator[OpenQuery]:
        fetcher.keep_only([])
        yield cast(OpenQuery, pacs)

    fetcher = Fetcher(slowly, "NODE")
    fetcher.want(STUDY, ["series"])

    assert fetcher.fetch_wanted() == 0
    assert pacs.moved == []
