"""Which associations are open, as several receivers say."""

from dataclasses import replace

from sqlalchemy.orm import Session

from storage import associations
from storage.associations import LAPSE, is_being_received
from storage.database import Database
from storage.instances import add_receipt, file_receipt
from storage.overview import overview
from storage.studies import changed_studies, seems_missing, settle
from tests.storage.builders import STUDY, header, pass_time, receipt, receive

PEER = "192.0.2.7:50123"
OTHER_STUDY = "1.2.99"


def receive_over(session: Session, association: str, study: str = STUDY) -> None:
    """File an image of a study that came over an association."""
    read = header(f"{study}.1", study=study)
    came = replace(receipt(read.sop_instance_uid), association=association)
    add_receipt(session, came)
    file_receipt(session, came, read)


def test_a_study_is_being_received_while_an_association_that_touched_it_is_open(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        associations.opened(session, "receiver", "a", PEER)
        receive_over(session, PEER)
        receive_over(session, "192.0.2.7:1", OTHER_STUDY)
        while_open = is_being_received(session, STUDY)
        the_other = is_being_received(session, OTHER_STUDY)

        associations.closed(session, "a")

        assert (while_open, the_other) == (True, False)
        assert not is_being_received(session, STUDY)


def test_what_a_dead_receiver_left_open_lapses_and_is_removed_by_another(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        associations.opened(session, "dead", "a", PEER)
        receive_over(session, PEER)
        pass_time(session, LAPSE.total_seconds() - 1)
        before = is_being_received(session, STUDY)
        pass_time(session, 2)

        lapsed = not is_being_received(session, STUDY)
        associations.beat(session, "alive", {})
        associations.beat(session, "dead", {})

        assert before
        assert lapsed


def test_a_beat_keeps_open_what_is_open_and_closes_what_is_not(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_over(session, PEER)
        receive_over(session, "192.0.2.8:2", OTHER_STUDY)
        associations.opened(session, "one", "a", PEER)
        associations.opened(session, "one", "b", "192.0.2.8:2")
        pass_time(session, 30)

        associations.beat(session, "one", {"a": PEER})
        pass_time(session, 30)

        assert is_being_received(session, STUDY)
        assert not is_being_received(session, OTHER_STUDY)


def test_a_beat_closes_nothing_of_another_receiver(database: Database) -> None:
    with database.sessions.begin() as session:
        receive_over(session, PEER)
        associations.opened(session, "one", "a", PEER)

        associations.beat(session, "two", {})

        assert is_being_received(session, STUDY)


def test_a_beat_writes_down_what_could_not_be_written_before(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_over(session, PEER)

        associations.beat(session, "one", {"a": PEER})

        assert is_being_received(session, STUDY)


def test_what_seems_to_be_missing_is_kept_with_the_study_until_it_is_whole(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        [study] = changed_studies(session)
        settle(session, STUDY, study.last_received_at, "one", ["5 in all", "a gap"])
        missing = seems_missing(session, STUDY)
        [listed] = overview(session).incomplete

        receive(session, header("1.2.3.4.2"))
        [study] = changed_studies(session)
        settle(session, STUDY, study.last_received_at, "two")

        assert missing == ["5 in all", "a gap"]
        assert (listed.study_instance_uid, listed.sentences) == (STUDY, tuple(missing))
        assert seems_missing(session, STUDY) == []
        assert overview(session).incomplete == ()
