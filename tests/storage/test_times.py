"""A clock that was set back by an hour holds nothing up."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from storage import commitments, jobs, outbox, workers
from storage.database import Database, database_now
from storage.tables import JobRow, WorkerRow
from storage.times import pull_back
from tests.storage.builders import (
    STUDY,
    claimed,
    graded,
    header,
    is_quiet,
    pass_time,
    receive,
    received_and_looked_at,
)

HOUR_SECONDS = 3600.0
LEASE_SECONDS = 300.0


def test_a_clock_that_was_not_set_back_is_left_alone(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        outbox.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10)
        claimed(session, "1.2.9", seconds=LEASE_SECONDS)

        assert pull_back(session, LEASE_SECONDS) == 0


def test_a_study_becomes_quiet_though_its_images_came_an_hour_from_now(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        pass_time(session, -HOUR_SECONDS)
        before = is_quiet(session)

        pull_back(session, LEASE_SECONDS)

        assert not before
        assert is_quiet(session)


def test_an_image_that_comes_after_the_step_is_noticed(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        pass_time(session, -HOUR_SECONDS)
        receive(session, header("1.2.3.4.2"))

        pull_back(session, LEASE_SECONDS)

        assert is_quiet(session)


def test_a_study_that_was_settled_stays_settled(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        pass_time(session, -HOUR_SECONDS)

        pull_back(session, LEASE_SECONDS)

        assert not is_quiet(session)


def test_a_queued_study_is_claimed_at_once(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        jobs.add(session, STUDY, 1, "digest")
        pass_time(session, -HOUR_SECONDS)
        before = jobs.claim(session, "worker", LEASE_SECONDS)

        pull_back(session, LEASE_SECONDS)

        assert before is None
        assert jobs.claim(session, "worker", LEASE_SECONDS)


def test_a_campaigns_jobs_wait_as_long_as_it_says(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        tonight = database_now(session) + timedelta(hours=8)
        jobs.add(session, STUDY, 1, "digest", campaign_id="all", not_before=tonight)

        assert pull_back(session, LEASE_SECONDS) == 0


def test_a_dead_workers_lease_ends_no_later_than_a_lease_may(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        claimed(session, seconds=LEASE_SECONDS)
        pass_time(session, -HOUR_SECONDS)

        pull_back(session, LEASE_SECONDS)

        until = session.scalars(sa.select(JobRow.lease_until)).one()
        assert until is not None
        assert until - database_now(session) < timedelta(seconds=LEASE_SECONDS + 10)


def test_a_report_that_waits_is_sent_at_once(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        pass_time(session, -HOUR_SECONDS)
        before = outbox.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10)

        pull_back(session, LEASE_SECONDS)

        assert before == []
        assert outbox.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10)


def test_a_question_to_a_pacs_is_asked_at_once(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        for delivery in outbox.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10):
            outbox.delivered(session, delivery, 0)
            commitments.expect(session, delivery)
        pass_time(session, -HOUR_SECONDS)
        before = commitments.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10)

        pull_back(session, LEASE_SECONDS)

        assert before is None
        assert commitments.claim_due(session, "pacs", "worker", LEASE_SECONDS, 10)


def test_a_worker_that_died_before_the_step_does_not_live(database: Database) -> None:
    with database.sessions.begin() as session:
        workers.give_sign(session, "worker")
        session.execute(
            sa.update(WorkerRow).values(
                seen_at=database_now(session) + timedelta(seconds=HOUR_SECONDS)
            )
        )

        pull_back(session, LEASE_SECONDS)

        seen = session.scalars(sa.select(WorkerRow.seen_at)).one()
        assert seen <= database_now(session)
