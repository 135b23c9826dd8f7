"""Files of finished studies go, everything else stays; nothing else ever goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms, commitments, jobs, outbox, results, retention, studies
from storage.database import Database
from storage.errors import ImagesRemoved
from storage.instances import study_instances
from storage.outbox import Addressee
from storage.states import AlarmKind, CommitmentState, Filed, Role
from storage.tables import AlarmRow, CommitmentRow, ReceiptRow, StudyRow
from tests.storage.builders import (
    STUDY,
    graded,
    header,
    pass_time,
    receive,
    received_and_looked_at,
    set_aside,
    stored_file,
)

MONTH = timedelta(days=30)
MONTHS_SECONDS = 31 * 86400.0
PACS = "pacs"


def finish(session: Session, study: str = STUDY) -> None:
    """Grade a study, and let its report be delivered."""
    graded(session, study)
    for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
        outbox.delivered(session, delivery, 0)


def finished(session: Session) -> list[str]:
    return retention.finished_studies(session, MONTH, 10)


def test_a_finished_study_goes_after_its_time_and_not_before(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        finish(session)
        pass_time(session, MONTHS_SECONDS - 2 * 86400)
        early = finished(session)
        pass_time(session, 2 * 86400)

        assert early == []
        assert finished(session) == [STUDY]


def test_a_study_that_is_not_gradable_is_finished_too(database: Database) -> None:
    with database.sessions.begin() as session:
        received_and_looked_at(session)
        jobs.add(session, STUDY, 1, "digest")
        lease = jobs.claim(session, "worker", 60)
        assert lease is not None
        jobs.fail(session, lease, "no axial series", again=False)
        pass_time(session, MONTHS_SECONDS)

        assert finished(session) == [STUDY]


def test_a_study_without_any_image_waits_for_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        receive(session, header(role=Role.OTHER))
        pass_time(session, MONTHS_SECONDS)

        assert finished(session) == [STUDY]


def hold_it(session: Session) -> None:
    studies.hold(session, STUDY, "two patients")
    alarms.resolve(session, AlarmKind.STUDY_HELD, STUDY)


def change_it(session: Session) -> None:
    receive(session, header("1.2.3.4.2"))
    session.execute(sa.update(ReceiptRow).values(recorded_at=ReceiptRow.received_at))
    session.execute(
        sa.update(StudyRow).values(
            last_received_at=StudyRow.created_at, settled_as_of=None
        )
    )


def regrade_it(session: Session) -> None:
    jobs.add(session, STUDY, 2, "digest")


def alarm_it(session: Session) -> None:
    alarms.raise_alarm(session, AlarmKind.INSTANCE_CHANGED, STUDY, "changed")


def send_it_again(session: Session) -> None:
    receive(session, header())


def resend_it(session: Session) -> None:
    outbox.resend(session, STUDY)


def bury_it(session: Session) -> None:
    outbox.resend(session, STUDY)
    for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
        outbox.dead(session, delivery, "refused", 0x0110)
    session.execute(sa.update(AlarmRow).values(resolved_at=AlarmRow.last_at))


@pytest.mark.parametrize(
    "unfinish",
    [hold_it, change_it, regrade_it, alarm_it, send_it_again, resend_it, bury_it],
)
def test_a_study_that_somebody_or_something_waits_for_stays(
    database: Database, unfinish: Callable[[Session], None]
) -> None:
    with database.sessions.begin() as session:
        finish(session)
        pass_time(session, MONTHS_SECONDS)
        unfinish(session)

        assert finished(session) == []
        assert retention.condemn_study(session, STUDY, MONTH) == 0


def test_a_study_of_which_the_pacs_has_not_said_that_it_keeps_the_report_stays(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
            outbox.delivered(session, delivery, 0)
            commitments.expect(session, delivery)
        pass_time(session, MONTHS_SECONDS)
        asked = finished(session)
        session.execute(
            sa.update(CommitmentRow).values(state=CommitmentState.COMMITTED)
        )

        assert asked == []
        assert finished(session) == [STUDY]


def test_a_destination_that_is_no_longer_asked_keeps_nothing(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session)
        for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
            outbox.delivered(session, delivery, 0)
            commitments.expect(session, delivery)
        assert commitments.claim_due(session, PACS, "dead worker", 60, 10)

        commitments.withdraw(session, [])
        pass_time(session, MONTHS_SECONDS)

        assert finished(session) == [STUDY]


def test_what_a_later_revision_replaces_keeps_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, revision=1)
        for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
            outbox.dead(session, delivery, "refused", 0xC000)
        graded(session, revision=2)
        for delivery in outbox.claim_due(session, PACS, "worker", 60, 10):
            outbox.delivered(session, delivery, 0)
        pass_time(session, MONTHS_SECONDS)

        assert finished(session) == [STUDY]


def test_shadow_deliveries_keep_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        graded(session, destinations=(Addressee("watched", shadow=True),))
        pass_time(session, MONTHS_SECONDS)

        assert finished(session) == [STUDY]


def test_every_received_file_goes_once_and_its_rows_and_grades_stay(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        finish(session)
        receive(session, header())  # an identical re-send is a file of its own
        receive(session, header("1.2.3.4.9", role=Role.OTHER))
        pass_time(session, MONTHS_SECONDS)

        count = retention.condemn_study(session, STUDY, MONTH)
        again = retention.condemn_study(session, STUDY, MONTH)
        to_unlink = retention.condemned_files(session, 10)
        retention.gone(session, [it.receipt_id for it in to_unlink])

        assert (count, again, len(to_unlink)) == (3, 0, 3)
        assert retention.condemned_files(session, 10) == []
        assert finished(session) == []
        assert len(session.scalars(sa.select(ReceiptRow)).all()) == 3
        assert results.latest(session, STUDY) is not None


def condemned(session: Session) -> None:
    finish(session)
    pass_time(session, MONTHS_SECONDS)
    retention.condemn_study(session, STUDY, MONTH)


def test_a_removed_study_cannot_be_graded_again_until_it_is_sent_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        condemned(session)
        with pytest.raises(ImagesRemoved, match=r"1 images .* have the PACS send"):
            retention.require_images(session, STUDY)

        filed = receive(session)
        [image] = study_instances(session, STUDY)

        retention.require_images(session, STUDY)
        assert filed is Filed.IDENTICAL
        assert not image.removed


def test_the_same_images_sent_again_open_no_revision_and_go_again(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        condemned(session)
        receive(session)

        assert studies.quiet_studies(session, 0) == []
        assert finished(session) == []
        pass_time(session, MONTHS_SECONDS)
        assert finished(session) == [STUDY]


def test_the_oldest_of_the_quarantine_go_until_the_others_fit(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        kept = [set_aside(session, stored_file(), size) for size in (4, 3, 2, 1)]

        count = retention.trim_quarantine(session, 5 << 20, 100)
        again = retention.trim_quarantine(session, 5 << 20, 100)

        assert (count, again) == (2, 0)
        assert {it.receipt_id for it in retention.condemned_files(session, 9)} == {
            *kept[:2]
        }
        assert AlarmKind.QUARANTINE_TRIMMED in {
            alarm.kind for alarm in alarms.open_alarms(session)
        }


def test_a_quarantine_that_fits_is_left_alone(database: Database) -> None:
    with database.sessions.begin() as session:
        set_aside(session, stored_file(), 5)

        assert retention.trim_quarantine(session, 5 << 20, 100) == 0
        assert retention.condemned_files(session, 9) == []
