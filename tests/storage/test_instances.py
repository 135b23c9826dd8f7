import itertools
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.alarms import AlarmKind, open_alarms
from storage.database import Database
from storage.errors import BadUID, StorageError, StudyUnknown
from storage.instances import (
    Filed,
    Role,
    add_receipt,
    file_receipt,
    quarantine,
    study_instances,
    unindexed_receipts,
)
from tests.storage.builders import (
    SERIES,
    STUDY,
    header,
    is_quiet,
    pass_time,
    receipt,
    receive,
)


def test_a_receipt_comes_back_unchanged(database: Database) -> None:
    received = receipt()

    with database.sessions.begin() as session:
        add_receipt(session, received)

    with database.reading.begin() as session:
        assert unindexed_receipts(session, 10) == [received]


def test_the_oldest_receipts_come_first(database: Database) -> None:
    receipts = [receipt() for _ in range(3)]
    with database.sessions.begin() as session:
        for received in receipts:
            pass_time(session, 1)
            add_receipt(session, received)

    with database.reading.begin() as session:
        found = [it.id for it in unindexed_receipts(session, 2)]
    assert found == [it.id for it in receipts[:2]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=300))
@example("1.2.3\x00")
@example("\ud800")
@example("../../1.2.3")
@example("x" * 70_000)
def test_no_text_from_the_wire_costs_its_receipt(database: Database, text: str) -> None:
    received = replace(
        receipt(text), association=text, calling_ae_title=text, sop_class_uid=text
    )

    with database.sessions.begin() as session:
        add_receipt(session, received)

    with database.sessions.begin() as session:
        kept = {it.id: it for it in unindexed_receipts(session, 1000)}[received.id]
        quarantine(session, received.id, "only its text mattered")
    assert kept.file == received.file
    if "\x00" not in text and not any("\ud800" <= it <= "\udfff" for it in text):
        assert kept == received


def test_a_filed_receipt_is_found_under_its_study(database: Database) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)

        filed = file_receipt(session, received, header())

    assert filed is Filed.NEW
    with database.reading.begin() as session:
        [instance] = study_instances(session, STUDY)
        assert unindexed_receipts(session, 10) == []
    assert instance.series_instance_uid == SERIES
    assert instance.sop_instance_uid == "1.2.3.4.1"
    assert instance.file == received.file
    assert instance.transfer_syntax_uid == received.transfer_syntax_uid


def test_a_receipt_filed_twice_is_filed_once(database: Database) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)
    answers = []

    for _ in range(2):
        with database.sessions.begin() as session:
            answers.append(file_receipt(session, received, header()))

    assert answers == [Filed.NEW, Filed.NEW]
    with database.reading.begin() as session:
        assert len(study_instances(session, STUDY)) == 1


def test_a_receipt_that_was_never_added_cannot_be_filed(database: Database) -> None:
    with (
        pytest.raises(StorageError, match="was never added"),
        database.sessions.begin() as session,
    ):
        file_receipt(session, receipt(), header())


def test_the_same_sop_instance_uid_in_two_series_is_two_instances(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header(series="1.2.3.5"))
        filed = receive(session, header(series="1.2.3.4"))

    assert filed is Filed.NEW
    with database.reading.begin() as session:
        found = study_instances(session, STUDY)
    assert [it.series_instance_uid for it in found] == ["1.2.3.4", "1.2.3.5"]


def test_the_same_series_uid_in_two_studies_is_two_series(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(study="1.2.3"))
        filed = receive(session, header(study="1.2.4"))

        assert filed is Filed.NEW
        assert len(study_instances(session, "1.2.3")) == 1
        assert len(study_instances(session, "1.2.4")) == 1


def test_identical_content_is_kept_as_a_receipt_and_changes_nothing(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        before = study_instances(session, STUDY)

        filed = receive(session)

        assert filed is Filed.IDENTICAL
        assert study_instances(session, STUDY) == before
        assert open_alarms(session) == []


def test_changed_content_is_current_and_raises_an_alarm(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(content="first content"))

        filed = receive(session, header(content="other content"))

        assert filed is Filed.CHANGED
        [instance] = study_instances(session, STUDY)
        [alarm] = open_alarms(session)
    assert instance.content_digest == "other content"
    assert alarm.kind is AlarmKind.INSTANCE_CHANGED
    assert alarm.study_instance_uid == STUDY


def test_an_older_content_that_returns_does_not_take_turns_with_the_newer(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header(content="first content"))
        receive(session, header(content="other content"))

        filed = receive(session, header(content="first content"))

        assert filed is Filed.IDENTICAL
        [instance] = study_instances(session, STUDY)
    assert instance.content_digest == "other content"


def test_instances_can_be_asked_for_by_role(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1", role=Role.IMAGE))
        receive(session, header("1.2.3.4.2", role=Role.OTHER))

        images = study_instances(session, STUDY, Role.IMAGE)
        others = study_instances(session, STUDY, Role.OTHER)

    assert [it.sop_instance_uid for it in images] == ["1.2.3.4.1"]
    assert [it.sop_instance_uid for it in others] == ["1.2.3.4.2"]


def test_an_unknown_study_is_refused_by_name(database: Database) -> None:
    with (
        database.reading.begin() as session,
        pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"),
    ):
        study_instances(session, "9.9")


@pytest.mark.parametrize("place", range(3))
def test_a_uid_too_long_to_file_under_is_refused(place: int) -> None:
    sop, study, series = ("1" * (256 + (place == i)) for i in range(3))

    with pytest.raises(BadUID, match="257 characters"):
        header(sop, study=study, series=series)


def test_the_longest_uids_of_any_script_can_be_filed(database: Database) -> None:
    # Four bytes a character, and random: PostgreSQL may not compress it away.
    letters = [chr(0x10000 + byte) for byte in itertools.chain(*_many_bytes())]
    study, series, sop = ("".join(letters[i : i + 256]) for i in (0, 256, 512))

    with database.sessions.begin() as session:
        receive(session, header(sop, study=study, series=series))

        [instance] = study_instances(session, study)
    assert instance.sop_instance_uid == sop


def _many_bytes() -> list[bytes]:
    return [uuid.uuid5(uuid.NAMESPACE_OID, str(i)).bytes for i in range(48)]


@pytest.mark.parametrize(
    ("role", "content", "restarts"),
    [
        (Role.IMAGE, "other content", True),
        (Role.IMAGE, "first content", False),
        # What was an image and is none any more leaves the gradable input.
        (Role.OTHER, "other content", True),
    ],
)
def test_only_a_change_of_the_gradable_input_restarts_the_quiet_time(
    database: Database, role: Role, content: str, restarts: bool
) -> None:
    with database.sessions.begin() as session:
        receive(session, header(content="first content"))
        pass_time(session, 60)

        receive(session, header(content=content, role=role))

        assert is_quiet(session, seconds=30) is not restarts


def test_reports_and_pictures_that_come_back_do_not_restart_the_quiet_time(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        pass_time(session, 60)

        receive(session, header("2.25.1", series="2.25", role=Role.OTHER))

        assert is_quiet(session, seconds=30)


def test_a_quarantined_receipt_waits_no_longer_and_raises_an_alarm(
    database: Database,
) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)

        quarantine(session, received.id, "not a DICOM file")
        quarantine(session, received.id, "said twice")

        assert unindexed_receipts(session, 10) == []
        [alarm] = open_alarms(session)
    assert alarm.kind is AlarmKind.QUARANTINED
    assert alarm.sentence == "not a DICOM file"
    assert alarm.count == 1


def test_an_indexed_receipt_cannot_be_quarantined(database: Database) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)
        file_receipt(session, received, header())

        quarantine(session, received.id, "too slow")

        assert open_alarms(session) == []
        assert len(study_instances(session, STUDY)) == 1


def test_a_quarantined_receipt_may_be_filed_after_all(database: Database) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)
        quarantine(session, received.id, "took too much memory")

        filed = file_receipt(session, received, header())

        assert filed is Filed.NEW
        assert len(study_instances(session, STUDY)) == 1


def test_indexers_at_once_file_every_content_once(database: Database) -> None:
    headers = [header(content=f"content {i % 4}") for i in range(24)]
    receipts = [receipt() for _ in headers]
    with database.sessions.begin() as session:
        for received in receipts:
            add_receipt(session, received)

    def index(i: int) -> Filed:
        with database.sessions.begin() as session:
            return file_receipt(session, receipts[i], headers[i])

    with ThreadPoolExecutor(4) as indexers:
        filed = Counter(indexers.map(index, range(24)))

    assert filed == {Filed.NEW: 1, Filed.CHANGED: 3, Filed.IDENTICAL: 20}
    with database.reading.begin() as session:
        assert unindexed_receipts(session, 100) == []


def test_indexers_at_once_file_one_receipt_once(database: Database) -> None:
    received = receipt()
    with database.sessions.begin() as session:
        add_receipt(session, received)

    def index(_: int) -> Filed:
        with database.sessions.begin() as session:
            return file_receipt(session, received, header())

    with ThreadPoolExecutor(4) as indexers:
        filed = set(indexers.map(index, range(8)))

    assert filed == {Filed.NEW}
    with database.reading.begin() as session:
        assert len(study_instances(session, STUDY)) == 1
