import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import jobs
from storage.alarms import AlarmKind, open_alarms
from storage.database import Database, database_now, open_database
from storage.errors import LeaseLost, StudyUnknown
from storage.jobs import JobState, Lease
from storage.overview import overview
from storage.studies import hold
from storage.tables import JobRow, StudyRow
from tests.storage.builders import (
    STUDY,
    claimed,
    header,
    pass_time,
    receive,
    received_and_looked_at,
)
from tests.storage.processes import claim_all, claim_and_die, fresh


def queue(
    session: Session, study: str = STUDY, revision: int = 1, priority: int = 0
) -> int:
    received_and_looked_at(session, study)
    return jobs.add(session, study, revision, f"digest {revision}", priority=priority)


def claim(session: Session, worker: str = "worker", seconds: float = 60) -> Lease:
    assert jobs.anything_free(session)
    lease = jobs.claim(session, worker, seconds)
    assert lease is not None
    return lease


def state(session: Session, study: str = STUDY) -> tuple[JobState, int]:
    job = jobs.get(session, study)
    assert job is not None
    return job.state, job.attempts


def test_a_job_of_a_study_that_was_never_received_is_refused(
    database: Database,
) -> None:
    with database.sessions.begin() as session, pytest.raises(StudyUnknown):
        jobs.add(session, "9.9", 1, "digest")


def test_a_look_tells_whether_a_job_waits_or_was_left_behind(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        looks = [jobs.anything_free(session)]
        queue(session)
        looks.append(jobs.anything_free(session))
        claim(session, seconds=60)
        looks.append(jobs.anything_free(session))
        pass_time(session, 61)
        looks.append(jobs.anything_free(session))
        jobs.finish(session, claim(session))
        looks.append(jobs.anything_free(session))

    assert looks == [False, True, False, True, False]


def test_a_held_study_has_nothing_to_look_at_but_what_is_to_be_ended(
    database: Database,
) -> None:
    looks = []
    with database.sessions.begin() as session:
        queue(session)
        hold(session, STUDY, "two patients")
        looks.append(jobs.anything_free(session))
        queue(session, "9.9")
        for _ in range(jobs.MAX_ATTEMPTS - 1):
            claim(session)
            pass_time(session, 61)
        hold(session, "9.9", "two patients")
        looks.append(jobs.anything_free(session))
        session.execute(sa.update(JobRow).values(attempts=jobs.MAX_ATTEMPTS))
        looks.append(jobs.anything_free(session))

        jobs.claim(session, "worker", 60)

        looks.append(jobs.anything_free(session))
    assert looks == [False, False, True, False]


def test_a_job_that_waits_for_its_next_attempt_is_not_free(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        jobs.fail(session, claim(session), "broke", again=True)

        assert not jobs.anything_free(session)


def test_a_claim_says_what_to_grade(database: Database) -> None:
    with database.sessions.begin() as session:
        number = queue(session, STUDY, revision=4, priority=2)

        lease = claim(session, "worker", 60)

        now = database_now(session)
        assert (lease.id, lease.study_instance_uid) == (number, STUDY)
        assert (lease.revision, lease.input_digest) == (4, "digest 4")
        assert (lease.priority, lease.claimed_by, lease.attempts) == (2, "worker", 1)
        assert timedelta(seconds=50) < lease.lease_until - now <= timedelta(seconds=60)


def test_a_study_that_has_changed_since_it_was_looked_at_is_not_claimed(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)
        receive(session, header("1.2.3.4.2"))

        assert jobs.claim(session, "worker", 60) is None


def test_a_job_given_back_for_an_outage_waits_and_keeps_its_attempts(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)
        lease = claim(session)

        jobs.give_back(session, lease, wait_seconds=60)

        assert jobs.claim(session, "worker", 60) is None
        assert state(session) == (JobState.WAITING, 0)
        pass_time(session, 61)
        assert claim(session).attempts == 1


def test_a_claimed_job_is_nobody_elses(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        claim(session)

        assert jobs.claim(session, "another worker", 60) is None
        assert state(session) == (JobState.RUNNING, 1)


def test_the_highest_priority_comes_first_then_the_oldest(database: Database) -> None:
    with database.sessions.begin() as session:
        for study, priority in (("1.1", 0), ("1.2", 5), ("1.3", 0), ("1.4", 5)):
            queue(session, study, priority=priority)
            pass_time(session, 1)

        order = [claim(session).study_instance_uid for _ in range(4)]

    assert order == ["1.2", "1.4", "1.1", "1.3"]


def test_a_job_for_later_waits_until_then(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        later = database_now(session) + timedelta(hours=1)
        jobs.add(session, STUDY, 1, "digest", not_before=later, campaign_id="regrade")
        early = jobs.claim(session, "worker", 60)

        pass_time(session, 3601)

        assert early is None
        assert claim(session).study_instance_uid == STUDY


def test_a_killed_worker_loses_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        claim(session, "killed", seconds=60)
        pass_time(session, 61)

        lease = claim(session, "next")

        assert lease.attempts == 2
        assert lease.study_instance_uid == STUDY


def test_a_worker_that_comes_back_cannot_touch_what_another_has_taken(
    database: Database,
) -> None:
    writes: list[Callable[[Session, Lease], object]] = [
        jobs.finish,
        jobs.give_back,
        jobs.verify,
        lambda session, lease: jobs.renew(session, lease, 60),
        lambda session, lease: jobs.fail(session, lease, "late", again=True),
        lambda session, lease: jobs.fail(session, lease, "late", again=False),
    ]
    with database.sessions.begin() as session:
        queue(session)
        stale = claim(session, "worker", seconds=0)
        # The same name again: only the number of the claim tells them apart.
        fresh = claim(session, "worker", seconds=60)

        for write in writes:
            with pytest.raises(LeaseLost, match="no longer worker's"):
                write(session, stale)

        jobs.finish(session, fresh)
        assert state(session) == (JobState.DONE, 2)


def test_a_lease_of_another_worker_does_not_fit(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        lease = claim(session, "worker")

        with pytest.raises(LeaseLost):
            jobs.finish(session, replace(lease, claimed_by="another worker"))


def test_a_renewed_lease_does_not_run_out(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        lease = claim(session, seconds=60)
        pass_time(session, 50)

        renewed = jobs.renew(session, lease, 60)
        pass_time(session, 50)

        assert renewed.lease_until > lease.lease_until - timedelta(seconds=50)
        assert jobs.claim(session, "another worker", 60) is None
        jobs.finish(session, lease)
        assert state(session) == (JobState.DONE, 1)


def test_a_finished_job_is_never_claimed_again(database: Database) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)

        jobs.finish(session, lease)
        pass_time(session, 10**6)

        assert jobs.claim(session, "worker", 60) is None
        with pytest.raises(LeaseLost):
            jobs.finish(session, lease)


def test_a_failed_attempt_waits_before_the_next(database: Database) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)

        jobs.fail(session, lease, "out of memory", again=True)

        assert jobs.claim(session, "worker", 60) is None
        assert state(session) == (JobState.WAITING, 1)
        pass_time(session, jobs.LAST_RETRY_SECONDS)
        assert claim(session).attempts == 2


def test_a_study_that_fails_three_times_has_failed_with_an_alarm(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)

        for _ in range(3):
            jobs.fail(session, claim(session), "ValueError at network:12", again=True)
            pass_time(session, jobs.LAST_RETRY_SECONDS)

        job = jobs.get(session, STUDY)
        [alarm] = open_alarms(session)
        assert job is not None
        assert (job.state, job.reason) == (JobState.FAILED, "ValueError at network:12")
        assert (alarm.kind, alarm.study_instance_uid) == (AlarmKind.JOB_FAILED, STUDY)
        assert jobs.claim(session, "worker", 60) is None


def test_a_study_that_kills_its_worker_three_times_has_failed_with_an_alarm(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)
        for _ in range(3):
            claim(session, seconds=0)

        assert jobs.claim(session, "worker", 60) is None

        job = jobs.get(session, STUDY)
        [alarm] = open_alarms(session)
        assert job is not None
        assert job.state is JobState.FAILED
        assert "vanished 3 times" in (job.reason or "")
        assert alarm.kind is AlarmKind.JOB_FAILED


def test_a_study_that_breaks_its_worker_does_not_block_the_next(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session, "1.1", priority=9)
        for _ in range(3):
            claim(session, seconds=0)
        queue(session, "1.2")

        assert claim(session).study_instance_uid == "1.2"


def test_what_is_not_gradable_has_failed_at_once_without_an_alarm(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)

        jobs.fail(session, lease, "no axial series", again=False)

        job = jobs.get(session, STUDY)
        assert job is not None
        assert (job.state, job.reason) == (JobState.FAILED, "no axial series")
        assert open_alarms(session) == []


def test_a_later_success_resolves_the_alarm(database: Database) -> None:
    with database.sessions.begin() as session:
        queue(session)
        for _ in range(3):
            jobs.fail(session, claim(session), "out of memory", again=True)
            pass_time(session, jobs.LAST_RETRY_SECONDS)
        jobs.add(session, STUDY, 2, "digest")

        jobs.finish(session, claim(session))

        assert open_alarms(session) == []


def test_a_later_revision_that_is_not_gradable_closes_the_alarm_as_well(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)
        for _ in range(3):
            jobs.fail(session, claim(session), "out of memory", again=True)
            pass_time(session, jobs.LAST_RETRY_SECONDS)
        jobs.add(session, STUDY, 2, "digest")

        jobs.fail(session, claim(session), "no axial series", again=False)

        assert open_alarms(session) == []


def test_what_interrupted_a_job_is_told_for_as_long_as_it_waits(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session)
        jobs.give_back(session, claim(session), 60, "no GPU is there")
        waiting = overview(session)
        pass_time(session, 61)
        lease = claim(session)
        jobs.finish(session, lease)

        [error] = waiting.errors
        assert error.study_instance_uid == STUDY
        assert error.sentence == "revision 1 waits to be graded again: no GPU is there"
        assert error.at <= waiting.at
        assert overview(session).errors == ()


def test_a_job_given_back_has_its_attempt_back_and_waits_for_nobody(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        stopped = claimed(session)

        jobs.give_back(session, stopped)

        lease = claim(session)
        assert (stopped.attempts, lease.attempts) == (1, 1)
        with pytest.raises(LeaseLost):
            jobs.finish(session, stopped)


def test_a_later_revision_replaces_one_that_nobody_works_on(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        queue(session, revision=1)
        queue(session, revision=2)

        lease = claim(session)

        assert lease.revision == 2
        assert jobs.claim(session, "worker", 60) is None


def test_a_later_revision_waits_for_one_at_work_and_comes_right_after_it(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        first = claimed(session, revision=1)
        jobs.add(session, STUDY, 2, "digest")
        queue(session, "9.9")

        meanwhile = claim(session)
        nobody = jobs.claim(session, "another worker", 60)
        jobs.finish(session, first)
        second = claim(session)

        assert meanwhile.study_instance_uid == "9.9"
        assert nobody is None
        assert (second.study_instance_uid, second.revision) == (STUDY, 2)


def test_a_later_revision_does_not_wait_for_a_worker_that_vanished(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        claimed(session, revision=1, seconds=60)
        jobs.add(session, STUDY, 2, "digest")

        pass_time(session, 61)

        assert claim(session).revision == 2


def test_two_workers_that_claim_two_revisions_at_once_get_one_of_them(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        for revision in (1, 2):
            jobs.add(session, STUDY, revision, "digest")
        # As where the first was locked while the second was added.
        session.execute(sa.update(JobRow).values(state=JobState.WAITING))
    found: list[Lease | None] = []

    def claim_too() -> None:
        with database.sessions.begin() as session:
            found.append(jobs.claim(session, "another worker", 60))

    another = threading.Thread(target=claim_too)
    with database.sessions.begin() as session:
        found.append(jobs.claim(session, "worker", 60))
        another.start()
        another.join(timeout=0.5)  # it waits for this transaction to end
    another.join()

    [lease] = [it for it in found if it is not None]
    with database.sessions.begin() as session:
        jobs.finish(session, lease)
        states = set(session.scalars(sa.select(JobRow.state)))
    assert JobState.RUNNING not in states


@pytest.mark.parametrize("ending", ["fails", "is given back", "vanishes"])
def test_a_revision_that_comes_to_nothing_is_not_tried_after_a_later_one(
    database: Database, ending: str
) -> None:
    with database.sessions.begin() as session:
        first = claimed(session, revision=1, seconds=60)
        jobs.add(session, STUDY, 2, "digest")
        if ending == "fails":
            jobs.fail(session, first, "out of memory", again=True)
        elif ending == "is given back":
            jobs.give_back(session, first)
        pass_time(session, jobs.LAST_RETRY_SECONDS)

        second = claim(session)

        assert second.revision == 2
        assert jobs.claim(session, "another worker", 60) is None


def test_four_processes_claim_four_hundred_jobs_once_each(database_url: str) -> None:
    studies = [f"1.2.{i}" for i in range(400)]
    with (
        closing(open_database(database_url)) as database,
        database.sessions.begin() as session,
    ):
        session.add_all(StudyRow(study_instance_uid=study) for study in studies)
        session.flush()
        expected = {jobs.add(session, study, 1, "digest") for study in studies}

    with ProcessPoolExecutor(4, mp_context=fresh()) as workers:
        names = [f"worker {i}" for i in range(4)]
        claims = list(workers.map(claim_all, [database_url] * 4, names))

    taken = [number for claim in claims for number in claim]
    assert len(taken) == 400
    assert set(taken) == expected


def test_a_worker_killed_with_nine_leaves_its_job_to_the_next(
    database_url: str,
) -> None:
    with closing(open_database(database_url)) as database:
        with database.sessions.begin() as session:
            queue(session)
        worker = fresh().Process(target=claim_and_die, args=(database_url,))

        worker.start()
        worker.join()
        worker.close()

        with database.sessions.begin() as session:
            lease = claim(session, "next")
            # The second claim was never committed, so it was never made.
            assert lease.attempts == 2
