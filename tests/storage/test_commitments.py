"""Delivered is not committed: what is asked, answered, lost, and never answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from storage import answers, commitments, outbox
from storage.alarms import AlarmKind, open_alarms
from storage.answers import Report
from storage.commitments import Question
from storage.database import Database
from storage.outbox import Addressee
from storage.overview import Commitments, overview
from storage.tables import CommitmentQuestionRow
from tests.storage.builders import PACS, STUDY, graded, pass_time

LONG_AGO = 10.0**6
LOST = 0x0112
"""Failure Reason: no such object instance (PS3.3 C.14.1.1)."""


def deliver(session: Session, *destinations: str) -> None:
    for destination in destinations or ("pacs",):
        for delivery in outbox.claim_due(session, destination, "worker", 60, 10):
            outbox.delivered(session, delivery, 0)
            commitments.expect(session, delivery)


def ask(session: Session) -> Question:
    assert commitments.anything_free(session, "pacs")
    question = commitments.claim_due(session, "pacs", "worker", 60, 10)
    assert question is not None
    return question


def asked(session: Session) -> Question:
    question = ask(session)
    commitments.asked(session, question)
    return question


def uid(question: Question) -> str:
    [item] = question.items
    return item.sop_instance_uid


def kept(question: Question) -> Report:
    return Report(question.transaction_uid, frozenset({uid(question)}))


def lost(question: Question) -> Report:
    return Report(question.transaction_uid, failed={uid(question): LOST})


def counts(session: Session) -> Commitments:
    [found] = [it for it in overview(session).commitments if it.destination == "pacs"]
    return found


def test_what_is_not_delivered_is_not_asked_about(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)

        assert commitments.claim_due(session, "pacs", "worker", 60, 10) is None


def test_a_look_tells_whether_anything_is_to_be_asked(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        looks = [commitments.anything_free(session, "pacs")]
        deliver(session)
        pass_time(session, LONG_AGO)
        looks.append(commitments.anything_free(session, "pacs"))
        question = ask(session)
        looks.append(commitments.anything_free(session, "pacs"))
        pass_time(session, 61)
        looks.append(commitments.anything_free(session, "pacs"))
        answers.answered(session, kept(question))
        looks.append(commitments.anything_free(session, "pacs"))

    assert looks == [False, True, False, True, False]


def test_delivered_and_committed_are_two_states(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        before = counts(session)

        answered = answers.answered(session, kept(asked(session)))

        assert (before.waiting, before.committed) == (1, 0)
        assert answered is not None
        assert (answered.destination, answered.committed) == ("pacs", 1)
        assert (counts(session).waiting, counts(session).committed) == (0, 1)
        [to] = overview(session).deliveries
        assert to.delivered == 1


def test_an_answer_that_comes_before_the_question_was_written_down_counts(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        question = ask(session)

        answers.answered(session, kept(question))
        commitments.asked(session, question)

        assert counts(session).committed == 1


def test_an_answer_to_a_question_that_nobody_asked_is_none(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        asked(session)

        forged = Report("2.25.1", frozenset({"2.25.0.1"}))

        assert answers.answered(session, forged) is None
        assert counts(session).asked == 1


def test_what_was_lost_is_sent_again_twice_and_then_a_person_is_told(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        for _ in range(answers.MAX_RESENDS):
            deliver(session)
            answers.answered(session, lost(asked(session)))
            assert commitments.claim_due(session, "pacs", "worker", 60, 10) is None
            [to] = overview(session).deliveries
            assert (to.waiting, to.delivered) == (1, 0)
            assert open_alarms(session) == []
        deliver(session)

        answers.answered(session, lost(asked(session)))

        [alarm] = open_alarms(session)
        assert (alarm.kind, alarm.study_instance_uid) == (
            AlarmKind.COMMITMENT_FAILED,
            STUDY,
        )
        assert "0x0112" in alarm.sentence
        assert counts(session).failed == 1


def test_a_loss_that_is_said_three_times_is_one_loss(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        said = lost(asked(session))

        found = [answers.answered(session, said) for _ in range(3)]

        assert [it and it.sent_again for it in found] == [1, 0, 0]
        deliver(session)
        assert answers.answered(session, kept(asked(session)))
        assert counts(session).committed == 1
        assert open_alarms(session) == []


def test_a_loss_of_an_object_that_was_sent_again_since_is_none(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        early = asked(session)
        outbox.resend(session, STUDY)
        deliver(session)

        answers.answered(session, lost(early))

        [to] = overview(session).deliveries
        assert (to.waiting, to.delivered) == (0, 1)


def test_what_is_never_answered_is_asked_again_later_and_later_and_then_alarmed(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        uids = set()
        for _ in range(commitments.MAX_ASKS):
            question = asked(session)
            uids.add(question.transaction_uid)
            assert commitments.claim_due(session, "pacs", "worker", 60, 10) is None
            [item] = question.items
            pass_time(session, commitments.answer_seconds(item) + 1)

        assert commitments.claim_due(session, "pacs", "worker", 60, 10) is None

        assert len(uids) == commitments.MAX_ASKS
        assert counts(session).failed == 1
        [alarm] = open_alarms(session)
        assert "never answered" in alarm.sentence


def test_an_answer_that_comes_after_the_alarm_closes_it(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        first = asked(session)
        pass_time(session, LONG_AGO)
        while question := commitments.claim_due(session, "pacs", "worker", 60, 10):
            commitments.asked(session, question)
            pass_time(session, LONG_AGO)
        alarmed = len(open_alarms(session))

        answers.answered(session, kept(first))

        assert alarmed == 1
        assert counts(session).committed == 1
        assert open_alarms(session) == []


def test_a_late_bad_answer_to_an_early_question_changes_nothing(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        early = asked(session)
        pass_time(session, LONG_AGO)
        latest = asked(session)

        answers.answered(session, lost(early))

        assert counts(session).asked == 1
        answers.answered(session, kept(latest))
        answers.answered(session, lost(latest))
        assert counts(session).committed == 1


def test_a_destination_that_cannot_be_reached_is_asked_for_ever(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        for _ in range(3 * commitments.MAX_ASKS):
            commitments.postpone(session, ask(session), "no connection", sent=False)
            pass_time(session, commitments.LAST_RETRY_SECONDS)

        answers.answered(session, kept(asked(session)))

        assert counts(session).committed == 1
        assert open_alarms(session) == []


def test_a_destination_without_the_service_is_told_at_once_and_resend_asks_anew(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)

        commitments.fail(session, ask(session), "it offers no storage commitment")

        [alarm] = open_alarms(session)
        assert alarm.kind is AlarmKind.COMMITMENT_FAILED
        outbox.resend(session, STUDY)
        deliver(session)
        assert open_alarms(session) == []
        assert uid(ask(session))


def test_a_destination_that_is_no_longer_asked_leaves_nothing_waiting(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        question = asked(session)

        commitments.withdraw(session, ["pacs"])
        still_asked = counts(session).asked
        commitments.withdraw(session, [])

        assert still_asked == 1
        assert (counts(session).asked, counts(session).failed) == (0, 0)
        assert counts(session).withdrawn == 1
        assert overview(session).errors == ()
        assert open_alarms(session) == []
        answers.answered(session, kept(question))
        assert counts(session).committed == 1


def test_what_is_no_longer_asked_keeps_no_alarm_of_another_open(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        archive = Addressee("archive", shadow=False)
        graded(session, destinations=(PACS, archive))
        deliver(session, "pacs", "archive")
        commitments.withdraw(session, ["pacs"])
        question = ask(session)
        commitments.fail(session, question, "it offers no storage commitment")
        alarmed = len(open_alarms(session))

        answers.answered(session, kept(question))

        assert alarmed == 1
        assert open_alarms(session) == []


def questions(session: Session) -> int:
    return session.query(CommitmentQuestionRow).count()


def test_a_question_that_never_left_is_not_kept(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        for _ in range(3):
            commitments.postpone(session, ask(session), "no connection", sent=False)
            pass_time(session, LONG_AGO)
        unsent = questions(session)
        lost_on_the_way = ask(session)
        commitments.postpone(session, lost_on_the_way, "no answer", sent=True)

        answers.answered(session, kept(lost_on_the_way))

        assert unsent == 0
        assert questions(session) == 1
        assert counts(session).committed == 1


def test_a_worker_that_vanished_while_it_asked_leaves_its_question_to_the_next(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        vanished = ask(session)
        pass_time(session, 61)

        question = ask(session)

        assert question.transaction_uid != vanished.transaction_uid
        # Its question went out before it died, and is answered now.
        answers.answered(session, kept(vanished))
        assert counts(session).committed == 1


@pytest.mark.parametrize(
    "write",
    [
        commitments.asked,
        lambda session, it: commitments.postpone(session, it, "late", sent=True),
        lambda session, it: commitments.refused(session, it, "late"),
        lambda session, it: commitments.fail(session, it, "late"),
    ],
    ids=["asked", "postpone", "refused", "fail"],
)
def test_a_worker_that_comes_back_cannot_touch_what_another_asks_about(
    database: Database, write: Callable[[Session, Question], None]
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        deliver(session)
        stale = ask(session)
        pass_time(session, 61)
        ask(session)

        write(session, stale)

        assert counts(session).asking == 1
        assert open_alarms(session) == []
