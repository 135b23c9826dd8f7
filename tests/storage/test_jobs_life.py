"""Whatever happens to them in whatever order, no job is lost or run twice."""

from __future__ import annotations

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from storage import jobs
from storage.database import Database
from storage.errors import LeaseLost
from storage.jobs import MAX_ATTEMPTS, JobState, Lease
from storage.tables import AlarmRow, JobRow, StudyRow
from tests.storage.builders import pass_time

LEASE_SECONDS = 60.0
WORKERS = st.sampled_from(["worker 1", "worker 2"])


class JobsLife(RuleBasedStateMachine):
    """Workers claim, renew, finish, fail, stop and vanish; time passes."""

    leases: Bundle[Lease] = Bundle("leases")

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.added: set[int] = set()
        self.holders: dict[int, Lease] = {}
        """The lease in force of each running job."""
        self.vanished: dict[int, Lease] = {}
        """The last lease of each job that ran out, and may yet be used in time."""
        self.ended: dict[int, JobState] = {}

    @initialize()
    def empty(self) -> None:
        with self.database.sessions.begin() as session:
            for row in (JobRow, AlarmRow, StudyRow):
                session.execute(sa.delete(row))

    @rule(priority=st.integers(0, 2))
    def add(self, priority: int) -> None:
        study = f"1.2.{len(self.added)}"
        with self.database.sessions.begin() as session:
            session.add(StudyRow(study_instance_uid=study))
            session.flush()
            self.added.add(jobs.add(session, study, 1, "digest", priority=priority))

    @rule(target=leases, worker=WORKERS)
    def claim(self, worker: str) -> Lease | MultipleResults[Lease]:
        with self.database.sessions.begin() as session:
            lease = jobs.claim(session, worker, LEASE_SECONDS)
        if lease is None:
            return multiple()
        assert lease.id not in self.holders, "claimed while another lease was good"
        assert lease.id not in self.ended, "claimed after it had ended"
        assert lease.attempts <= MAX_ATTEMPTS
        self.vanished.pop(lease.id, None)
        self.holders[lease.id] = lease
        return lease

    @rule(target=leases, lease=consumes(leases))
    def renew(self, lease: Lease) -> Lease:
        try:
            with self.database.sessions.begin() as session:
                renewed = jobs.renew(session, lease, LEASE_SECONDS)
        except LeaseLost:
            self.check_lost(lease)
            return lease
        # Late, but nobody had claimed it meanwhile: it is the holder's again.
        self.check_held(lease)
        self.vanished.pop(lease.id, None)
        self.holders[lease.id] = renewed
        return renewed

    @rule(lease=leases)
    def finish(self, lease: Lease) -> None:
        try:
            with self.database.sessions.begin() as session:
                jobs.finish(session, lease)
        except LeaseLost:
            self.check_lost(lease)
        else:
            self.check_held(lease)
            self.end(lease, JobState.DONE)

    @rule(lease=leases, again=st.booleans())
    def fail(self, lease: Lease, again: bool) -> None:
        try:
            with self.database.sessions.begin() as session:
                jobs.fail(session, lease, "it failed", again=again)
        except LeaseLost:
            self.check_lost(lease)
        else:
            self.check_held(lease)
            if again and lease.attempts < MAX_ATTEMPTS:
                self.let_go(lease)
            else:
                self.end(lease, JobState.FAILED)

    @rule(lease=leases)
    def give_back(self, lease: Lease) -> None:
        try:
            with self.database.sessions.begin() as session:
                jobs.give_back(session, lease)
        except LeaseLost:
            self.check_lost(lease)
        else:
            self.check_held(lease)
            self.let_go(lease)

    @rule()
    def let_leases_run_out(self) -> None:
        """All workers vanish: their leases run out, and they may come back late."""
        with self.database.sessions.begin() as session:
            pass_time(session, jobs.LAST_RETRY_SECONDS)
        self.vanished |= self.holders
        self.holders.clear()

    @rule(target=leases, worker=WORKERS)
    def claim_and_vanish(self, worker: str) -> Lease | MultipleResults[Lease]:
        """A worker is killed by what it claimed, which it may be three times."""
        claimed = self.claim(worker)
        self.let_leases_run_out()
        return claimed

    def check_held(self, lease: Lease) -> None:
        holder = self.holders.get(lease.id) or self.vanished.get(lease.id)
        assert holder is not None, "nobody held it, and yet it was written"
        assert holder.claim_number == lease.claim_number, "two workers held it"

    def check_lost(self, lease: Lease) -> None:
        holder = self.holders.get(lease.id)
        assert holder is None or holder.claim_number != lease.claim_number

    def let_go(self, lease: Lease) -> None:
        self.holders.pop(lease.id, None)
        self.vanished.pop(lease.id, None)

    def end(self, lease: Lease, state: JobState) -> None:
        self.let_go(lease)
        self.ended[lease.id] = state

    @invariant()
    def every_job_is_where_it_should_be(self) -> None:
        with self.database.reading.begin() as session:
            rows = {row.id: row for row in session.scalars(sa.select(JobRow))}
        assert rows.keys() == self.added, "a job was lost"
        for number, row in rows.items():
            if number in self.ended:
                assert row.state is self.ended[number]
            if number in self.holders:
                assert row.state is JobState.RUNNING
            if row.state is JobState.FAILED and number not in self.ended:
                # Its workers vanished as often as they may.
                assert row.attempts == MAX_ATTEMPTS
                self.ended[number] = JobState.FAILED

    def teardown(self) -> None:
        """Whatever happened, workers that work bring every job to an end."""
        for _ in range(len(self.added) * MAX_ATTEMPTS + 1):
            with self.database.sessions.begin() as session:
                pass_time(session, jobs.LAST_RETRY_SECONDS)
                if (lease := jobs.claim(session, "last", LEASE_SECONDS)) is None:
                    break
                jobs.finish(session, lease)
        with self.database.reading.begin() as session:
            states = set(session.scalars(sa.select(JobRow.state)))
        assert states <= {JobState.DONE, JobState.FAILED}


def test_no_sequence_of_events_loses_a_job_or_runs_it_twice(
    database: Database,
) -> None:
    class Life(JobsLife):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Life, settings=settings(max_examples=15, stateful_step_count=25, deadline=None)
    )
