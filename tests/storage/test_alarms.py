from storage.alarms import AlarmKind, open_alarms, raise_alarm, resolve
from storage.database import Database
from tests.storage.builders import pass_time


def test_the_same_alarm_twice_is_one_alarm_counted_twice(database: Database) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.QUARANTINED, None, "not a DICOM file")
        pass_time(session, 60)
        raise_alarm(session, AlarmKind.QUARANTINED, None, "not a DICOM file")

    with database.reading.begin() as session:
        [alarm] = open_alarms(session)
    assert alarm.count == 2
    assert alarm.sentence == "not a DICOM file"
    assert (alarm.last_at - alarm.first_at).total_seconds() >= 60


def test_another_kind_study_or_sentence_is_another_alarm(database: Database) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.3", "two patients")
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.4", "two patients")
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.3", "three patients")
        raise_alarm(session, AlarmKind.JOB_FAILED, "1.2.3", "two patients")

    with database.reading.begin() as session:
        assert [alarm.count for alarm in open_alarms(session)] == [1, 1, 1, 1]


def test_the_latest_alarm_comes_first(database: Database) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.JOB_FAILED, "1.2.3", "earlier")
        pass_time(session, 60)
        raise_alarm(session, AlarmKind.JOB_FAILED, "1.2.3", "later")

    with database.reading.begin() as session:
        said = [alarm.sentence for alarm in open_alarms(session)]
    assert said == ["later", "earlier"]


def test_a_resolved_alarm_is_closed_and_others_stay_open(database: Database) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.3", "two patients")
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.4", "two patients")

        closed = resolve(session, AlarmKind.STUDY_HELD, "1.2.3")

    assert closed == 1
    with database.reading.begin() as session:
        [alarm] = open_alarms(session)
    assert alarm.study_instance_uid == "1.2.4"


def test_an_alarm_about_no_study_can_be_resolved(database: Database) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.QUARANTINED, None, "not a DICOM file")

        assert resolve(session, AlarmKind.QUARANTINED, None) == 1


def test_what_happens_again_after_it_was_resolved_is_a_new_alarm(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.3", "two patients")
        resolve(session, AlarmKind.STUDY_HELD, "1.2.3")

        raise_alarm(session, AlarmKind.STUDY_HELD, "1.2.3", "two patients")

    with database.reading.begin() as session:
        [alarm] = open_alarms(session)
    assert alarm.count == 1
