import pytest
from sqlalchemy.orm import Session

from storage import patients
from storage.alarms import open_alarms
from storage.database import Database
from storage.errors import SeveralPatients, StorageError, StudyUnknown
from storage.instances import Filed, study_instances
from storage.patients import release, set_aside, take_back
from storage.studies import held_studies, hold, quiet_studies, settle
from tests.storage.builders import (
    SERIES,
    STUDY,
    header,
    is_quiet,
    receive,
    settle_now,
)

FOREIGN = "9.8.7"
"""The series of somebody else."""


def receive_two_patients(session: Session) -> None:
    """Receive two images of the right patient, and then a foreign series; hold."""
    receive(session, header("1.2.3.4.1", patient="one patient"))
    receive(session, header("1.2.3.4.2", patient="one patient", content="another"))
    receive(session, header("9.8.7.1", series=FOREIGN, patient="another patient"))
    assert hold(session, STUDY, "two patients")


def current(session: Session) -> list[tuple[str, str]]:
    found = study_instances(session, STUDY)
    return [(it.sop_instance_uid, it.content_digest) for it in found]


def test_a_study_of_two_patients_is_not_released_by_a_word_that_names_neither(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)

        with pytest.raises(SeveralPatients, match="name 2 different patients") as told:
            release(session, STUDY)

        said = str(told.value)
        assert f"series {SERIES} names patient 1 in 2 images" in said
        assert f"series {FOREIGN} names patient 2 in 1 image." in said
        assert "one patient" not in said.replace("--one-patient", "")
        assert len(held_studies(session)) == 1


def test_a_released_study_is_looked_at_again_and_not_held_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)

        release(session, STUDY, one_patient=True)

        assert held_studies(session) == []
        assert open_alarms(session) == []
        assert is_quiet(session)
        assert not hold(session, STUDY, "two patients")
        assert settle_now(session, "two images") == 1


def test_patients_that_were_accepted_together_need_accepting_once(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        release(session, STUDY, one_patient=True)
        hold(session, STUDY, "it cannot be judged", whoever_accepted=True)

        release(session, STUDY)

        assert held_studies(session) == []


def test_another_patient_than_those_accepted_holds_a_study_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        release(session, STUDY, one_patient=True)

        receive(session, header("1.2.3.4.3", patient="a third patient"))

        assert hold(session, STUDY, "three patients")
        with pytest.raises(SeveralPatients, match="name 3 different patients"):
            release(session, STUDY)


def test_what_was_right_before_counts_again_when_it_is_sent_again_while_held(
    database: Database,
) -> None:
    right = header("1.2.3.4.1", content="right", patient="one patient")
    wrong = header("1.2.3.4.1", content="wrong", patient="another patient")
    other = header("1.2.3.4.2", content="other", patient="one patient")
    with database.sessions.begin() as session:
        receive(session, other)
        receive(session, right)
        receive(session, wrong)
        hold(session, STUDY, "two patients")

        filed = receive(session, right)
        release(session, STUDY)

        assert filed is Filed.CHANGED
        assert ("1.2.3.4.1", "right") in current(session)
        assert is_quiet(session)


def test_what_is_identical_changes_nothing_while_the_study_is_not_held(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive(session, header(content="first"))
        receive(session, header(content="second"))

        filed = receive(session, header(content="first"))

        assert filed is Filed.IDENTICAL
        assert current(session) == [("1.2.3.4.1", "second")]


def test_a_study_whose_foreign_series_is_set_aside_is_released_without_it(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)

        count = set_aside(session, STUDY, FOREIGN)
        release(session, STUDY)

        assert count == 1
        assert [uid for uid, _ in current(session)] == ["1.2.3.4.1", "1.2.3.4.2"]
        assert is_quiet(session)
        assert settle_now(session, "two images") == 1


def test_a_series_that_was_set_aside_stays_so_when_it_is_sent_again(
    database: Database,
) -> None:
    foreign = header("9.8.7.1", series=FOREIGN, patient="another patient")
    with database.sessions.begin() as session:
        receive_two_patients(session)
        set_aside(session, STUDY, FOREIGN)

        while_held = receive(session, foreign)
        release(session, STUDY)
        later = receive(session, foreign)

        assert (while_held, later) == (Filed.IDENTICAL, Filed.IDENTICAL)
        assert "9.8.7.1" not in dict(current(session))


def test_a_series_that_was_set_aside_comes_back_once_its_patient_is_corrected(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        set_aside(session, STUDY, FOREIGN)
        release(session, STUDY)

        corrected = header("9.8.7.1", series=FOREIGN, content="corrected")
        receive(session, corrected)

        assert ("9.8.7.1", "corrected") in current(session)
        assert is_quiet(session)


def test_another_foreign_image_of_a_series_that_was_set_aside_holds_the_study_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        set_aside(session, STUDY, FOREIGN)
        release(session, STUDY)

        late = header("9.8.7.2", series=FOREIGN, patient="another patient")
        receive(session, late)

        assert hold(session, STUDY, "two patients")


def test_setting_aside_can_be_undone_and_the_study_is_held_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        before = current(session)
        set_aside(session, STUDY, FOREIGN)
        release(session, STUDY)

        count = take_back(session, STUDY, FOREIGN)

        assert count == 1
        assert current(session) == before
        assert hold(session, STUDY, "two patients")


def test_a_series_that_is_set_aside_while_its_study_is_looked_at_is_not_graded(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)
        release(session, STUDY, one_patient=True)
        [looked_at] = [it.last_received_at for it in quiet_studies(session, 0)]

        set_aside(session, STUDY, FOREIGN)

        assert settle(session, STUDY, looked_at, "all three images") is None
        assert is_quiet(session)


def test_a_series_that_is_set_aside_twice_is_set_aside_once(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)

        counts = [set_aside(session, STUDY, FOREIGN) for _ in range(2)]

        assert counts == [1, 0]
        assert "9.8.7.1" not in dict(current(session))


def test_a_series_that_the_study_does_not_have_is_refused_by_name(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        receive_two_patients(session)

        with pytest.raises(StorageError, match=r"has no series 5\.5"):
            set_aside(session, STUDY, "5.5")


def test_an_unknown_study_can_be_neither_released_nor_set_aside(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        with pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"):
            release(session, "9.9")
        with pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"):
            set_aside(session, "9.9", FOREIGN)
        with pytest.raises(StudyUnknown, match=r"nothing of study 9\.9"):
            patients.named_patients(session, "9.9")
