"""Every state is left by the node itself, is an end, or calls for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from enum import StrEnum

import pytest
from sqlalchemy.orm import Session

from dicom_node.status import complaints, needs_a_person, text
from storage import answers, commitments, jobs, outbox, withdrawal, workers
from storage.answers import Report
from storage.commitments import Question
from storage.database import Database, open_database
from storage.instances import add_receipt, hold, quarantine
from storage.outbox import Addressee
from storage.overview import overview
from storage.states import CommitmentState, DeliveryState, JobState, ReceiptState
from tests.storage.builders import (
    STUDY,
    claimed,
    graded,
    pass_time,
    receipt,
    receive,
    received_and_looked_at,
)

TWO_DAYS_SECONDS = 2 * 86_400.0


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


def quarantined(session: Session) -> None:
    unreadable = receipt()
    add_receipt(session, unreadable)
    quarantine(session, unreadable.id, "not a DICOM file")


def job_waiting(session: Session) -> None:
    received_and_looked_at(session)
    jobs.add(session, STUDY, 1, "digest")


def job_failed(session: Session) -> None:
    lease = claimed(session)
    for _ in range(jobs.MAX_ATTEMPTS):
        jobs.fail(session, lease, "out of memory", again=True)
        pass_time(session, jobs.LAST_RETRY_SECONDS)
        lease = jobs.claim(session, "worker", 60) or lease


def sending(session: Session) -> list[outbox.Delivery]:
    graded(session)
    return outbox.claim_due(session, "pacs", "worker", 60, 10)


def dead(session: Session) -> None:
    for delivery in sending(session):
        outbox.dead(session, delivery, "status 0xC000", 0xC000)


def withdrawn(session: Session) -> None:
    dead(session)
    withdrawal.withdraw_destination(session, "pacs")


def no_longer_asked(session: Session) -> None:
    asking(session)
    commitments.withdraw(session, [])


def taken(session: Session) -> None:
    for delivery in sending(session):
        outbox.delivered(session, delivery, 0)


def delivered(session: Session) -> None:
    for delivery in sending(session):
        outbox.delivered(session, delivery, 0)
        commitments.expect(session, delivery)


def asking(session: Session) -> Question:
    delivered(session)
    question = commitments.claim_due(session, "pacs", "worker", 60, 10)
    assert question is not None
    return question


def committed(session: Session) -> None:
    question = asking(session)
    uids = frozenset(item.sop_instance_uid for item in question.items)
    answers.answered(session, Report(question.transaction_uid, uids))


PUT: Mapping[StrEnum, Callable[[Session], object]] = {
    ReceiptState.RECEIVED: lambda session: add_receipt(session, receipt()),
    ReceiptState.INDEXED: received_and_looked_at,
    ReceiptState.QUARANTINED: quarantined,
    JobState.WAITING: job_waiting,
    JobState.RUNNING: claimed,
    JobState.DONE: lambda session: jobs.finish(session, claimed(session)),
    JobState.FAILED: job_failed,
    DeliveryState.WAITING: graded,
    DeliveryState.SENDING: sending,
    DeliveryState.DELIVERED: taken,
    DeliveryState.SHADOW: lambda session: graded(
        session, destinations=(Addressee("pacs", shadow=True),)
    ),
    DeliveryState.DEAD: dead,
    DeliveryState.WITHDRAWN: withdrawn,
    CommitmentState.WAITING: delivered,
    CommitmentState.ASKING: asking,
    CommitmentState.ASKED: lambda session: commitments.asked(session, asking(session)),
    CommitmentState.COMMITTED: committed,
    CommitmentState.FAILED: lambda session: commitments.fail(
        session, asking(session), "it offers no storage commitment"
    ),
    CommitmentState.WITHDRAWN: no_longer_asked,
}
ENDS = {
    ReceiptState.INDEXED,
    JobState.DONE,
    DeliveryState.DELIVERED,
    DeliveryState.SHADOW,
    DeliveryState.WITHDRAWN,
    CommitmentState.COMMITTED,
    CommitmentState.WITHDRAWN,
}
STATES = [
    pytest.param(state, id=f"{type(state).__name__}.{state.name}")
    for kind in (ReceiptState, JobState, DeliveryState, CommitmentState)
    for state in kind
]


def told(database: Database) -> list[str]:
    with database.reading.begin() as session:
        return complaints(overview(session))


@pytest.mark.parametrize("state", STATES)
def test_a_state_that_lasts_for_days_is_an_end_or_calls_for_a_person(
    database: Database, state: StrEnum
) -> None:
    with database.sessions.begin() as session:
        PUT[state](session)
        pass_time(session, TWO_DAYS_SECONDS)

    assert bool(told(database)) == (state not in ENDS)


def test_a_study_that_is_never_looked_at_calls_for_a_person(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        at_once = complaints(overview(session))
        pass_time(session, TWO_DAYS_SECONDS)

    assert at_once == []
    [complaint, without_worker] = told(database)
    assert "a study waits to be looked at since 48.0 hours" in complaint
    assert without_worker.startswith("no worker lives, and work waits")


def test_a_study_that_is_held_calls_for_a_person_once(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session)
        hold(session, STUDY, "two patients")
        pass_time(session, TWO_DAYS_SECONDS)

    assert told(database) == [f"study_held: two patients (study {STUDY})"]


def test_what_waits_for_one_destination_is_told_by_its_name(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        sending(session)
        pass_time(session, 7200)

    [complaint] = told(database)
    assert "sent to pacs since 2.0 hours" in complaint


def test_an_object_that_is_sent_again_after_days_is_not_late(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        for delivery in sending(session):
            outbox.delivered(session, delivery, 0)
        pass_time(session, TWO_DAYS_SECONDS)
        outbox.resend(session, STUDY)

    assert told(database) == []


def test_work_without_a_living_worker_calls_for_a_person(database: Database) -> None:
    with database.sessions.begin() as session:
        workers.give_sign(session, "host:1")
        job_waiting(session)
        alive = overview(session)
        pass_time(session, 600)
        silent = overview(session)

    assert not needs_a_person(alive)
    assert "workers     host:1 lives" in text(alive)
    [complaint] = complaints(silent)
    assert complaint == (
        "no worker lives, and work waits: host:1 silent for 10 minutes; "
        "start lumbar-node-worker, and see its log where it ends again"
    )
