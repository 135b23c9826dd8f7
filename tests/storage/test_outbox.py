from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from storage import outbox
from storage.alarms import AlarmKind, open_alarms
from storage.database import Database, open_database
from storage.errors import LeaseLost, StudyUnknown
from storage.instances import hold
from storage.outbox import Addressee, Delivery, ObjectKind
from storage.overview import Deliveries, overview
from storage.patients import release
from storage.withdrawal import withdraw_destination
from tests.storage.builders import PACS, STUDY, graded, pass_time, produced, receive

REPORT = ObjectKind.STRUCTURED_REPORT
PICTURE = ObjectKind.PICTURE
LONG_AGO = 10.0**6


def claim(session: Session, destination: str = "pacs") -> list[Delivery]:
    return outbox.claim_due(session, destination, "worker", 60, 10)


def claim_one(session: Session) -> Delivery:
    assert outbox.anything_free(session, "pacs")
    [delivery] = claim(session)
    return delivery


def counts(session: Session, destination: str = "pacs") -> Deliveries:
    [found] = [
        it for it in overview(session).deliveries if it.destination == destination
    ]
    return found


def test_a_delivery_says_what_to_send(database: Database) -> None:
    report = produced(REPORT)
    with database.sessions.begin() as session:
        graded(session, revision=3, objects=[report])

        delivery = claim_one(session)

    assert delivery.object == report
    assert (delivery.study_instance_uid, delivery.revision) == (STUDY, 3)
    assert (delivery.destination, delivery.claimed_by) == ("pacs", "worker")
    assert delivery.attempts == 1


def test_a_look_tells_whether_a_delivery_waits_or_was_left_behind(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        looks = [outbox.anything_free(session, "pacs")]
        graded(session)
        looks.append(outbox.anything_free(session, "pacs"))
        claim(session)
        looks.append(outbox.anything_free(session, "pacs"))
        pass_time(session, 61)
        looks.append(outbox.anything_free(session, "pacs"))
        for delivery in claim(session):
            outbox.delivered(session, delivery, 0)
        looks.append(outbox.anything_free(session, "pacs"))

    assert looks == [False, True, False, True, False]


def test_what_waits_for_one_destination_is_not_free_for_another(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)

        assert not outbox.anything_free(session, "archive")


def test_each_destination_gets_one_object_of_each_kind(database: Database) -> None:
    objects = [
        produced(REPORT),
        produced(REPORT, rank=1),
        produced(PICTURE, suffix="2"),
    ]
    archive = Addressee("archive", shadow=False)
    with database.sessions.begin() as session:
        graded(session, objects=objects, destinations=(PACS, archive))

        to_pacs, to_archive = claim(session, "pacs"), claim(session, "archive")

    for deliveries in (to_pacs, to_archive):
        sent = {(it.object.kind, it.object.rank) for it in deliveries}
        assert sent == {(REPORT, 0), (PICTURE, 0)}


def test_a_shadow_is_kept_and_never_sent(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, destinations=(Addressee("pacs", shadow=True),))

        assert claim(session) == []
        assert outbox.resend(session, STUDY) == 0
        assert counts(session).shadow == 1


def test_no_more_are_claimed_than_asked_for_and_the_oldest_first(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        for study in ("1.1", "1.2", "1.3"):
            graded(session, study)
            pass_time(session, 1)

        due = outbox.claim_due(session, "pacs", "worker", 60, 2)

    assert [it.study_instance_uid for it in due] == ["1.1", "1.2"]


def test_what_was_delivered_is_never_sent_again(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)

        outbox.delivered(session, claim_one(session), 0x0000)
        pass_time(session, LONG_AGO)

        assert claim(session) == []
        assert counts(session).delivered == 1


def test_a_sender_that_vanished_loses_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        claim_one(session)
        at_once = claim(session)
        pass_time(session, 61)

        delivery = claim_one(session)

    assert at_once == []
    assert delivery.attempts == 2


def test_a_sender_that_comes_back_cannot_touch_what_another_has_taken(
    database: Database,
) -> None:
    answers: list[Callable[[Session, Delivery], object]] = [
        lambda session, it: outbox.delivered(session, it, 0),
        lambda session, it: outbox.postpone(session, it, "late", None),
        lambda session, it: outbox.fall_back(session, it, "late", None),
        lambda session, it: outbox.dead(session, it, "late", None),
    ]
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(rank=1)])
        stale = claim_one(session)
        pass_time(session, 61)
        fresh = claim_one(session)

        for answer in answers:
            with pytest.raises(LeaseLost, match="no longer worker's"):
                answer(session, stale)

        outbox.delivered(session, fresh, 0)
        assert counts(session).delivered == 1
        assert open_alarms(session) == []


def test_a_renewed_lease_is_reckoned_from_now_and_a_lost_one_stays_lost(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(PICTURE, suffix="2")])
        stale = claim(session)
        pass_time(session, 61)
        fresh = claim(session)
        pass_time(session, 50)
        outbox.renew(session, stale, 10**6)
        outbox.renew(session, fresh[:1], 60)

        pass_time(session, 50)

        [lapsed] = claim(session)
    assert lapsed.id == fresh[1].id


def test_a_pacs_that_is_down_is_tried_again_for_as_long_as_it_takes(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        for _ in range(50):
            outbox.postpone(session, claim_one(session), "no association", None)
            assert claim(session) == []
            pass_time(session, outbox.LAST_RETRY_SECONDS)

        outbox.delivered(session, claim_one(session), 0)

        assert counts(session).delivered == 1
        assert open_alarms(session) == []


def test_a_postponed_delivery_waits_as_long_as_its_attempts_say(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        delivery = claim_one(session)
        seconds = outbox.retry_seconds(delivery)

        outbox.postpone(session, delivery, "out of resources", 0xA700)

        pass_time(session, seconds - 1)
        assert claim(session) == []
        pass_time(session, 2)
        assert claim_one(session).attempts == 2


def test_a_refused_sop_class_falls_back_to_the_next_at_once(database: Database) -> None:
    objects = [produced(rank=rank) for rank in (0, 2, 1)]
    with database.sessions.begin() as session:
        graded(session, objects=[*objects, produced(PICTURE, suffix="2")])
        [report] = [it for it in claim(session) if it.object.kind is REPORT]

        fell_back = outbox.fall_back(session, report, "context refused", 0x0122)

        again = claim_one(session)
        assert fell_back
        assert (again.object.kind, again.object.rank) == (REPORT, 1)
        assert again.attempts == 1


def test_without_a_further_rank_nothing_changes(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(PICTURE, 1, "2")])
        delivery = claim_one(session)

        assert not outbox.fall_back(session, delivery, "context refused", 0x0122)

        outbox.dead(session, delivery, "context refused", 0x0122)
        assert counts(session).dead == 1


def test_each_destination_falls_back_by_itself(database: Database) -> None:
    archive = Addressee("archive", shadow=False)
    with database.sessions.begin() as session:
        graded(
            session,
            objects=[produced(), produced(rank=1)],
            destinations=(PACS, archive),
        )

        outbox.fall_back(session, claim_one(session), "context refused", 0x0122)

        assert claim_one(session).object.rank == 1
        assert claim(session, "archive")[0].object.rank == 0


TEXT = ObjectKind.TEXT_REPORT


def test_a_destination_gets_the_kinds_it_wants_in_the_class_it_wants(
    database: Database,
) -> None:
    objects = [produced(rank=rank) for rank in (0, 1)]
    first, second = (
        replace(it, sop_class_uid=uid)
        for it, uid in zip(objects, ("1.3", "1.2"), strict=True)
    )
    others = [produced(PICTURE, suffix="2"), produced(TEXT, suffix="3")]
    wants = frozenset({REPORT, TEXT})
    archive = Addressee("archive", shadow=False, kinds=wants, report_class="1.2")
    with database.sessions.begin() as session:
        graded(session, objects=[first, second, *others], destinations=(PACS, archive))

        to_pacs, to_archive = claim(session), claim(session, "archive")

        for delivery in to_archive:
            outbox.dead(session, delivery, "context refused", 0x0122)
        outbox.resend(session, STUDY, [archive])
        again = claim(session, "archive")

    assert kinds_and_ranks(to_pacs) == {(REPORT, 0), (PICTURE, 0)}
    assert kinds_and_ranks(to_archive) == {(REPORT, 1), (TEXT, 0)}
    assert kinds_and_ranks(again) == {(REPORT, 1), (TEXT, 0)}


def test_a_class_that_was_not_made_gives_way_to_the_preferred_one(
    database: Database,
) -> None:
    pacs = Addressee("pacs", shadow=False, report_class="1.2.840.10008.1.1")
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(rank=1)], destinations=(pacs,))

        assert kinds_and_ranks(claim(session)) == {(REPORT, 0)}


def kinds_and_ranks(deliveries: list[Delivery]) -> set[tuple[ObjectKind, int]]:
    return {(it.object.kind, it.object.rank) for it in deliveries}


def test_a_dead_delivery_raises_an_alarm_and_waits_for_a_person(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)

        outbox.dead(session, claim_one(session), "refused: 0xC000", 0xC000)
        pass_time(session, LONG_AGO)

        [alarm] = open_alarms(session)
        assert claim(session) == []
        assert alarm.kind is AlarmKind.DELIVERY_DEAD
        assert "pacs" in alarm.sentence
        assert "0xC000" in alarm.sentence


def test_resend_revives_what_is_dead_with_the_preferred_sop_class(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(rank=1)])
        outbox.fall_back(session, claim_one(session), "context refused", 0x0122)
        outbox.dead(session, claim_one(session), "context refused", 0x0122)

        revived = outbox.resend(session, STUDY)

        delivery = claim_one(session)
        assert revived == 1
        assert (delivery.object.rank, delivery.attempts) == (0, 1)
        assert open_alarms(session) == []


def test_resend_sends_what_was_delivered_once_more(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(rank=1)])
        outbox.fall_back(session, claim_one(session), "context refused", 0x0122)
        delivered = claim_one(session)
        outbox.delivered(session, delivered, 0)

        assert outbox.resend(session, STUDY) == 1

        assert claim_one(session).object == delivered.object


def test_resend_does_not_wait_for_the_next_attempt(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        outbox.postpone(session, claim_one(session), "no association", None)

        assert outbox.resend(session, STUDY) == 1

        assert claim_one(session).attempts == 1


def test_resend_leaves_alone_what_is_being_sent(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session)
        delivery = claim_one(session)

        assert outbox.resend(session, STUDY) == 0

        outbox.delivered(session, delivery, 0)
        assert counts(session).delivered == 1


def test_resend_concerns_the_latest_revision_only(database: Database) -> None:
    with database.sessions.begin() as session:
        for revision in (1, 2):
            graded(session, revision=revision)
            outbox.delivered(session, claim_one(session), 0)

        assert outbox.resend(session, STUDY) == 1

        assert claim_one(session).revision == 2


def test_a_later_revision_waits_until_the_earlier_one_is_there(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, revision=1)
        outbox.postpone(session, claim_one(session), "no association", None)
        graded(session, revision=2)
        too_early = claim(session)
        pass_time(session, outbox.LAST_RETRY_SECONDS)

        first = claim_one(session)
        assert claim(session) == []
        outbox.delivered(session, first, 0)
        second = claim_one(session)

    assert too_early == []
    assert (first.revision, second.revision) == (1, 2)


def test_what_fails_for_hours_does_not_keep_the_later_revision_and_ends_with_it(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, revision=1)
        graded(session, revision=2)
        for _ in range(outbox.LATER_WAITS_ATTEMPTS):
            outbox.postpone(session, claim_one(session), "cannot be read", None)
            pass_time(session, outbox.LAST_RETRY_SECONDS)
        first, second = claim(session)
        outbox.postpone(session, first, "cannot be read", None)

        outbox.delivered(session, second, 0)

        assert (first.revision, second.revision) == (1, 2)
        assert counts(session).withdrawn == 1
        assert overview(session).errors == ()


def test_another_destination_kind_or_study_is_not_waited_for(
    database: Database,
) -> None:
    archive = Addressee("archive", shadow=False)
    with database.sessions.begin() as session:
        graded(session, revision=1)
        outbox.postpone(session, claim_one(session), "no association", None)
        picture = [produced(PICTURE, suffix="2")]
        graded(session, revision=2, objects=picture, destinations=(PACS, archive))
        graded(session, "1.2.4", revision=2)

        to_pacs, to_archive = claim(session), claim(session, "archive")

    assert [it.study_instance_uid for it in to_pacs] == [STUDY, "1.2.4"]
    assert len(to_archive) == 1


def test_what_a_destination_refused_ends_when_it_takes_a_later_revision(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, revision=1)
        outbox.dead(session, claim_one(session), "refused", 0xC000)
        graded(session, revision=2)
        while_waiting = counts(session).dead, len(open_alarms(session))

        outbox.delivered(session, claim_one(session), 0)

        assert while_waiting == (1, 1)
        assert (counts(session).dead, counts(session).withdrawn) == (0, 1)
        assert open_alarms(session) == []
        assert overview(session).errors == ()


def test_what_another_destination_refuses_keeps_its_alarm(database: Database) -> None:
    archive = Addressee("archive", shadow=False)
    with database.sessions.begin() as session:
        graded(session, revision=1, destinations=(PACS, archive))
        outbox.dead(session, claim_one(session), "refused", 0xC000)
        outbox.dead(session, claim(session, "archive")[0], "refused", 0xC000)
        graded(session, revision=2, destinations=(PACS, archive))

        outbox.delivered(session, claim_one(session), 0)

        assert counts(session, "archive").dead == 1
        assert len(open_alarms(session)) == 2


def test_resend_ends_what_earlier_revisions_never_sent(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, revision=1, objects=[produced(), produced(PICTURE)])
        first, second = claim(session)
        outbox.dead(session, first, "refused", 0xC000)
        outbox.postpone(session, second, "out of resources", 0xA700)
        graded(session, revision=2)

        assert outbox.resend(session, STUDY) == 1

        assert claim_one(session).revision == 2
        assert counts(session).withdrawn == 2
        assert open_alarms(session) == []


def test_resend_sends_nothing_to_a_destination_that_is_no_longer_configured(
    database: Database,
) -> None:
    old = Addressee("old pacs", shadow=False)
    with database.sessions.begin() as session:
        graded(session, destinations=(PACS, old))
        outbox.dead(session, claim(session, "old pacs")[0], "refused", 0xC000)

        assert outbox.resend(session, STUDY, [PACS]) == 1
        assert outbox.resend(session, STUDY, []) == 0

        # Somebody has to put the destination back, or withdraw what it refused.
        assert len(open_alarms(session)) == 1
        withdraw_destination(session, "old pacs")
        assert open_alarms(session) == []


def test_what_waits_for_nobody_can_be_withdrawn(database: Database) -> None:
    old = Addressee("old", shadow=False)
    with database.sessions.begin() as session:
        graded(session, objects=[produced(), produced(PICTURE)], destinations=(old,))
        outbox.dead(session, claim(session, "old")[0], "refused", 0xC000)
        graded(session, "1.2.4", destinations=(PACS,))

        assert withdraw_destination(session, "old") == 2

        assert counts(session, "old").withdrawn == 2
        assert open_alarms(session) == []
        assert claim(session, "old") == []
        assert claim_one(session).study_instance_uid == "1.2.4"


def test_resending_an_unknown_study_is_refused_by_name(database: Database) -> None:
    with (
        database.sessions.begin() as session,
        pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"),
    ):
        outbox.resend(session, "9.9")


def test_a_study_without_a_result_has_nothing_to_resend(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session)

        assert outbox.resend(session, STUDY) == 0


def test_nothing_of_a_held_study_is_sent_until_it_is_released(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        hold(session, STUDY, "two patients")
        while_held = claim(session)

        release(session, STUDY)

        assert while_held == []
        assert len(claim(session)) == 1


def test_the_first_revision_has_no_predecessors(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session)

        assert outbox.predecessors(session, STUDY, 1) == []


def test_predecessors_are_what_the_previous_result_had_to_send(
    database: Database,
) -> None:
    first = [produced(suffix="1")]
    second = [
        produced(PICTURE, suffix="22"),
        produced(suffix="2"),
        produced(rank=1, suffix="2"),
    ]
    with database.sessions.begin() as session:
        graded(session, revision=1, objects=first)
        outbox.delivered(session, claim_one(session), 0)
        graded(session, revision=3, objects=second)
        for delivery in claim(session):
            outbox.fall_back(session, delivery, "context refused", 0x0122)

        named = outbox.predecessors(session, STUDY, 4)

        assert outbox.predecessors(session, STUDY, 3) == first
        assert outbox.predecessors(session, STUDY, 1) == []
    assert [(it.kind, it.rank) for it in named] == [(PICTURE, 0), (REPORT, 1)]


def test_what_no_pacs_has_or_gets_is_no_predecessor(database: Database) -> None:
    shadow = Addressee("pacs", shadow=True)
    with database.sessions.begin() as session:
        graded(session, revision=1, destinations=(shadow,))
        after_shadow = outbox.predecessors(session, STUDY, 2)
        graded(session, revision=2, objects=[produced(suffix="2")])
        while_waiting = outbox.predecessors(session, STUDY, 3)
        outbox.delivered(session, claim_one(session), 0)
        graded(session, revision=3, objects=[produced(suffix="3")])
        outbox.dead(session, claim_one(session), "refused", 0xC000)

        after_refusal = outbox.predecessors(session, STUDY, 4)

    assert after_shadow == []
    assert [it.sop_instance_uid for it in while_waiting] == ["2.25.0.2"]
    assert after_refusal == while_waiting


def test_two_senders_at_once_never_send_the_same(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        with database.sessions.begin() as session:
            for i in range(30):
                graded(session, f"1.2.{i}")

        def claim_some(worker: int) -> list[int]:
            claimed = []
            for _ in range(10):
                with database.sessions.begin() as session:
                    name = f"worker {worker}"
                    due = outbox.claim_due(session, "pacs", name, 60, 4)
                claimed += [it.id for it in due]
            return claimed

        with ThreadPoolExecutor(3) as senders:
            claims = [it for found in senders.map(claim_some, range(3)) for it in found]

    assert len(claims) == 30
    assert len(set(claims)) == 30


def test_what_is_being_sent_is_nobody_elses_until_its_lease_runs_out(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        claim_one(session)

        # Halfway through the lease, however slow this machine is.
        pass_time(session, 30)

        assert claim(session) == []
