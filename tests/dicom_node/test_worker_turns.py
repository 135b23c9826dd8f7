"""Whose study is graded next, and what becomes of one that breaks the grading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dicom_node.errors import GradingBroke
from dicom_node.orders import Made, Order
from dicom_node.worker import Worker
from grading.errors import NotGradable
from storage import jobs
from storage.alarms import AlarmKind, open_alarms
from storage.database import Database, migrate, open_database
from storage.jobs import JobState, Priority
from storage.tables import StudyRow
from tests.storage.builders import STUDY, pass_time, received_and_looked_at

ARRIVALS = st.lists(st.lists(st.sampled_from(Priority), max_size=3), max_size=12)


@dataclass
class Refusing:
    """Refuses every study, and keeps in which order they came."""

    seen: list[str] = field(default_factory=list)

    def make(self, order: Order) -> Made:
        self.seen.append(order.study_instance_uid)
        raise NotGradable("no axial series")


class Fatal:
    """Dies of every study."""

    def make(self, order: Order) -> Made:
        raise GradingBroke("its process was ended by SIGKILL")


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database for all examples; each leaves only jobs that have ended."""
    url = f"sqlite:///{tmp_path_factory.mktemp('turns')}/node.sqlite"
    migrate(url)
    with closing(open_database(url)) as opened:
        yield opened


def queue(database: Database, study: str, priority: Priority) -> None:
    with database.sessions.begin() as session:
        session.add(StudyRow(study_instance_uid=study))
        session.flush()
        jobs.add(session, study, 1, "digest", priority=priority)


@given(arrivals=ARRIVALS)
@settings(max_examples=12, deadline=None)
def test_the_most_urgent_goes_first_and_nothing_waits_for_ever(
    shared: Database, arrivals: list[list[Priority]]
) -> None:
    waiting: list[tuple[str, Priority]] = []
    maker = Refusing()
    worker = Worker("worker", shared, maker, (), 60)
    turn = 0
    while arrivals or waiting:
        for priority in arrivals.pop(0) if arrivals else ():
            study = f"1.2.{uuid4().int}"
            queue(shared, study, priority)
            waiting.append((study, priority))
        turn += bool(waiting)

        graded = worker.grade_one()

        assert graded == bool(waiting)
        if graded:
            highest = max(priority for _, priority in waiting)
            by_urgency = next(it for it in waiting if it[1] is highest)
            expected = waiting[0] if turn % jobs.OLDEST_EVERY == 0 else by_urgency
            assert maker.seen[-1] == expected[0]
            waiting.remove(expected)


def test_a_re_grade_has_its_turn_though_urgent_studies_never_cease(
    database: Database,
) -> None:
    queue(database, "again", Priority.AGAIN)
    maker = Refusing()
    worker = Worker("worker", database, maker, (), 60)

    for i in range(jobs.OLDEST_EVERY):
        queue(database, f"urgent {i}", Priority.URGENT)
        worker.grade_one()

    assert "again" in maker.seen


def test_a_study_that_kills_its_process_is_given_up_with_an_alarm_and_blocks_nobody(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        jobs.add(session, STUDY, 1, "digest", priority=Priority.URGENT)
    worker = Worker("worker", database, Fatal(), (), 60)

    for _ in range(jobs.MAX_ATTEMPTS):
        assert worker.grade_one()
        with database.sessions.begin() as session:
            pass_time(session, jobs.LAST_RETRY_SECONDS)

    assert not worker.grade_one()
    with database.reading.begin() as session:
        job = jobs.get(session, STUDY)
        [alarm] = open_alarms(session)
    assert job is not None
    assert job.state is JobState.FAILED
    assert "ended by SIGKILL" in (job.reason or "")
    assert alarm.kind is AlarmKind.JOB_FAILED
