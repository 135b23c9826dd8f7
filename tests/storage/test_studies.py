import pytest

from storage import jobs, studies
from storage.alarms import AlarmKind, open_alarms
from storage.database import Database
from storage.errors import StorageError, StudyHeld, StudyUnknown
from storage.instances import Role, add_receipt, quarantine
from storage.studies import (
    force_revision,
    held_studies,
    hold,
    quiet_studies,
    save_verdicts,
    settle,
    verdicts,
)
from tests.storage.builders import (
    STUDY,
    header,
    is_quiet,
    pass_time,
    receipt,
    receive,
    settle_now,
    verdict,
)


def test_a_study_is_quiet_only_after_its_quiet_time(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session)
        pass_time(session, 59)
        early = is_quiet(session, seconds=60)

        pass_time(session, 2)

        assert not early
        assert is_quiet(session, seconds=60)


def test_the_longest_quiet_study_comes_first(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(study="1.2.4"))
        pass_time(session, 10)
        receive(session, header(study="1.2.3"))
        pass_time(session, 10)

        found = [it.study_instance_uid for it in quiet_studies(session, 5)]

    assert found == ["1.2.4", "1.2.3"]


def test_a_study_without_an_image_is_never_looked_at(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(role=Role.OTHER))

        assert not is_quiet(session)


def test_a_receipt_that_may_still_belong_to_it_keeps_a_study_from_being_quiet(
    database: Database,
) -> None:
    late = receipt()
    with database.sessions.begin() as session:
        receive(session)
        add_receipt(session, late)
        pass_time(session, 100)
        before = is_quiet(session, seconds=60)

        quarantine(session, late.id, "not a DICOM file")

        assert not before
        assert is_quiet(session, seconds=60)


def test_a_steady_stream_of_other_receipts_does_not_keep_a_study_waiting(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        pass_time(session, 100)

        add_receipt(session, receipt())

        assert is_quiet(session, seconds=60)


def test_a_settled_study_is_not_looked_at_again(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session)

        revision = settle_now(session, "digest")

        assert revision == 1
        assert not is_quiet(session)


def test_a_later_image_opens_the_next_revision(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        settle_now(session, "one image")

        receive(session, header("1.2.3.4.2"))

        assert is_quiet(session)
        assert settle_now(session, "two images") == 2


def test_the_same_gradable_input_opens_no_revision(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        settle_now(session, "the axial series")

        receive(session, header("1.2.3.4.2"))

        assert settle_now(session, "the axial series") is None
        assert not is_quiet(session)


def test_an_image_that_came_while_it_was_looked_at_is_looked_at_later(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        [study] = quiet_studies(session, 0)

        receive(session, header("1.2.3.4.2"))
        revision = settle(session, STUDY, study.last_received_at, "one image")

        assert revision is None
        assert is_quiet(session)
        assert settle_now(session, "two images") == 1


def test_a_clock_that_steps_back_hides_no_image(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        pass_time(session, -3600)
        [study] = quiet_studies(session, -7200)

        receive(session, header("1.2.3.4.2"))
        revision = settle(session, STUDY, study.last_received_at, "one image")

        assert revision is None


def test_everything_routed_back_three_times_opens_no_revision(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1"))
        settle_now(session, "digest")

        for _ in range(3):
            receive(session, header("1.2.3.4.1"))
            receive(session, header("2.25.1", series="2.25", role=Role.OTHER))

        assert not is_quiet(session)


def test_a_revision_can_be_forced_though_nothing_has_changed(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        settle_now(session, "digest")

        assert force_revision(session, STUDY) == 2
        assert force_revision(session, STUDY) == 3
        assert not is_quiet(session)


def test_a_held_study_is_not_looked_at_graded_or_regraded(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header("1.2.3.4.1", patient="one patient"))
        settle_now(session, "one image")
        jobs.add(session, STUDY, 1, "one image")
        receive(session, header("1.2.3.4.2", patient="another patient"))
        [study] = quiet_studies(session, 0)

        held = hold(session, STUDY, "two patients")

        assert held
        assert not is_quiet(session)
        assert settle(session, STUDY, study.last_received_at, "two images") is None
        assert jobs.claim(session, "worker", 60) is None
        with pytest.raises(StudyHeld, match="two patients"):
            force_revision(session, STUDY)


def test_a_held_study_is_listed_with_its_reason_and_an_alarm(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)
        hold(session, STUDY, "two patients")
        hold(session, STUDY, "three patients")

        [held] = held_studies(session)

        assert (held.study_instance_uid, held.reason) == (STUDY, "three patients")
        assert {it.kind for it in open_alarms(session)} == {AlarmKind.STUDY_HELD}


def test_verdicts_read_back_as_they_were_saved(database: Database) -> None:
    with database.sessions.begin() as session:
        for series in ("1.2.3.5", "1.2.3.4", "1.2.3.6"):
            receive(session, header(series=series))
        saved = [verdict("1.2.3.5"), verdict("1.2.3.4")]

        save_verdicts(session, STUDY, saved)

        assert verdicts(session, STUDY) == [verdict("1.2.3.4"), verdict("1.2.3.5")]


def test_a_verdict_on_a_series_that_was_not_received_is_refused(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session)

        with pytest.raises(StorageError, match=r"has no series 9\.9"):
            save_verdicts(session, STUDY, [verdict("9.9")])


@pytest.mark.parametrize("change", ["force_revision", "lock_study"])
def test_an_unknown_study_is_refused_by_name(database: Database, change: str) -> None:
    with (
        database.sessions.begin() as session,
        pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"),
    ):
        getattr(studies, change)(session, "9.9")
