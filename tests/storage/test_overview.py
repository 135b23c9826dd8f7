from dataclasses import replace

from storage import jobs, outbox
from storage.alarms import AlarmKind
from storage.database import Database
from storage.instances import add_receipt, hold, quarantine
from storage.outbox import Addressee
from storage.overview import (
    Deliveries,
    Jobs,
    OldestWaiting,
    Overview,
    Receipts,
    SentAs,
    Studies,
    overview,
)
from tests.storage.builders import (
    PACS,
    claimed,
    graded,
    header,
    pass_time,
    produced,
    receipt,
    receive,
    settle_now,
)


def look(database: Database) -> Overview:
    with database.reading.begin() as session:
        return overview(session)


def test_an_empty_node_has_nothing_to_tell(database: Database) -> None:
    seen = look(database)

    assert seen.receipts == Receipts(received=0, indexed=0, quarantined=0)
    assert seen.studies == Studies(total=0, held=0, waiting=0)
    assert seen.jobs == Jobs(waiting=0, running=0, done=0, failed=0)
    assert seen.deliveries == ()
    assert seen.oldest == OldestWaiting(None, None, None)
    assert seen.errors == ()
    assert seen.alarms == ()


def test_receipts_are_counted_by_state_and_quarantines_named(
    database: Database,
) -> None:
    unreadable = receipt()
    with database.sessions.begin() as session:
        receive(session)
        add_receipt(session, receipt())
        add_receipt(session, unreadable)
        quarantine(session, unreadable.id, "not a DICOM file")

    seen = look(database)

    assert seen.receipts == Receipts(received=1, indexed=1, quarantined=1)
    [error] = seen.errors
    assert unreadable.id in error.sentence
    assert "not a DICOM file" in error.sentence
    assert [alarm.kind for alarm in seen.alarms] == [AlarmKind.QUARANTINED]


def test_studies_are_counted_as_settled_waiting_or_held(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(study="1.1"))
        settle_now(session, "digest")
        receive(session, header(study="1.2"))
        receive(session, header(study="1.3"))
        hold(session, "1.3", "two patients")

    assert look(database).studies == Studies(total=3, held=1, waiting=1)


def test_jobs_are_counted_by_state_and_failures_named(database: Database) -> None:
    with database.sessions.begin() as session:
        jobs.finish(session, claimed(session, "1.1"))
        jobs.fail(session, claimed(session, "1.2"), "no axial series", again=False)
        claimed(session, "1.3")
        receive(session, header(study="1.4"))
        jobs.add(session, "1.4", 1, "digest")

    seen = look(database)

    assert seen.jobs == Jobs(waiting=1, running=1, done=1, failed=1)
    [error] = seen.errors
    assert error.study_instance_uid == "1.2"
    assert "no axial series" in error.sentence


def test_deliveries_are_counted_by_destination_and_state(database: Database) -> None:
    shadow = Addressee("archive", shadow=True)
    with database.sessions.begin() as session:
        for study in ("1.1", "1.2", "1.3", "1.4", "1.5"):
            graded(session, study, destinations=(PACS, shadow))
        due = outbox.claim_due(session, "pacs", "worker", 60, 4)
        outbox.delivered(session, due[0], 0)
        outbox.dead(session, due[1], "refused: 0xC000", 0xC000)
        outbox.postpone(session, due[2], "no association", None)

    seen = look(database)

    counts = tuple(replace(it, oldest_seconds=None) for it in seen.deliveries)
    assert counts == (
        Deliveries("archive", waiting=0, sending=0, delivered=0, shadow=5, dead=0),
        Deliveries("pacs", waiting=2, sending=1, delivered=1, shadow=0, dead=1),
    )
    assert {error.study_instance_uid for error in seen.errors} == {"1.2", "1.3"}


def test_what_a_held_study_has_waiting_is_not_stuck(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, "1.1")
        receive(session, header(study="1.2"))
        jobs.add(session, "1.2", 1, "digest")
        pass_time(session, 7200)
        for study in ("1.1", "1.2"):
            hold(session, study, "two patients", whoever_accepted=True)

    seen = look(database)

    assert (seen.oldest.job_seconds, seen.oldest.delivery_seconds) == (None, None)
    assert [it.oldest_seconds for it in seen.deliveries] == [None]
    assert (seen.jobs.waiting, seen.deliveries[0].waiting) == (1, 1)


def test_what_waits_to_be_sent_again_has_no_error_yet(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        [delivery] = outbox.claim_due(session, "pacs", "worker", 60, 1)
        outbox.dead(session, delivery, "refused: 0xC000", 0xC000)
        outbox.resend(session, delivery.study_instance_uid)

    assert look(database).errors == ()


def test_what_was_delivered_in_the_end_is_no_error(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        [delivery] = outbox.claim_due(session, "pacs", "worker", 60, 1)
        outbox.postpone(session, delivery, "no association", None)
        outbox.resend(session, delivery.study_instance_uid)
        [delivery] = outbox.claim_due(session, "pacs", "worker", 60, 1)
        outbox.delivered(session, delivery, 0)

    assert look(database).errors == ()


def test_the_oldest_waiting_of_each_is_named_in_seconds(database: Database) -> None:
    with database.sessions.begin() as session:
        add_receipt(session, receipt())
        pass_time(session, 100)
        claimed(session, "1.1", seconds=1000)
        pass_time(session, 100)
        graded(session, "1.2")
        pass_time(session, 100)
        add_receipt(session, receipt())

    oldest = look(database).oldest

    assert oldest.receipt_seconds is not None
    assert oldest.job_seconds is not None
    assert oldest.delivery_seconds is not None
    assert int(oldest.receipt_seconds) // 100 == 3
    assert int(oldest.job_seconds) // 100 == 2
    assert int(oldest.delivery_seconds) // 100 == 1


def test_the_latest_error_comes_first(database: Database) -> None:
    with database.sessions.begin() as session:
        jobs.fail(session, claimed(session, "1.1"), "earlier", again=False)
        pass_time(session, 100)
        jobs.fail(session, claimed(session, "1.2"), "later", again=False)

    found = [error.study_instance_uid for error in look(database).errors]

    assert found == ["1.2", "1.1"]


def test_what_was_taken_is_counted_by_sop_class(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, "1.1", objects=[produced(), produced(rank=1)])
        [refused] = outbox.claim_due(session, "pacs", "worker", 60, 4)
        outbox.fall_back(session, refused, "context refused", 0x0122)
        graded(session, "1.2")
        for delivery in outbox.claim_due(session, "pacs", "worker", 60, 4):
            outbox.delivered(session, delivery, 0)

    kind, uid = refused.object.kind, refused.object.sop_class_uid
    further = produced(rank=1).sop_class_uid
    assert look(database).sent == (
        SentAs("pacs", kind, uid, 1),
        SentAs("pacs", kind, further, 1),
    )
