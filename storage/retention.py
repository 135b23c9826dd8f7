"""Which received files may go, and how they go.

A file is first condemned in a committed row and then unlinked: from the condemnation on
nobody relies on it, and whatever dies in between, the next sweep unlinks it. The other
order would leave a row that promises a file which is gone.

Rows stay: receipts, versions with their digests, grades, objects and deliveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms
from storage.database import database_now
from storage.errors import ImagesRemoved
from storage.files import StoredFile
from storage.receipts import stored_file
from storage.states import (
    AlarmKind,
    CommitmentState,
    DeliveryState,
    JobState,
    ReceiptState,
    Role,
)
from storage.studies import current_version, lock_study
from storage.tables import (
    AlarmRow,
    CommitmentRow,
    DeliveryRow,
    InstanceRow,
    JobRow,
    ReceiptRow,
    ResultRow,
    SeriesRow,
    StudyRow,
    VersionRow,
)

ENDED_JOBS = (JobState.DONE, JobState.FAILED)
ENDED_DELIVERIES = (
    DeliveryState.DELIVERED,
    DeliveryState.SHADOW,
    DeliveryState.WITHDRAWN,
)
"""A dead delivery has not ended: a person is to send it again."""
ENDED_COMMITMENTS = (
    CommitmentState.COMMITTED,
    CommitmentState.FAILED,
    CommitmentState.WITHDRAWN,
)
"""A failed one has raised an alarm, which keeps the study."""


@dataclass(frozen=True, slots=True)
class Condemned:
    """A received file that is to be unlinked, and the receipt that stays."""

    receipt_id: str
    file: StoredFile


def finished_studies(session: Session, keep: timedelta, limit: int) -> list[str]:
    """Return studies whose received files may go, the oldest first.

    Finished means: looked at since its last change, not held, graded or found not
    gradable, everything delivered that is to be, no answer about it awaited, no open
    alarm, and none of this younger than ``keep``.
    """
    cutoff = database_now(session) - keep
    query = (
        sa.select(StudyRow.study_instance_uid)
        .where(_finished(cutoff))
        .order_by(StudyRow.created_at, StudyRow.study_instance_uid)
        .limit(limit)
    )
    return list(session.scalars(query))


def condemn_study(session: Session, study_instance_uid: str, keep: timedelta) -> int:
    """Condemn every received file of a finished study; return how many.

    Returns 0 where the study is finished no longer: something came in between.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    study = lock_study(session, study_instance_uid)
    now = database_now(session)
    still = sa.select(StudyRow.study_instance_uid).where(
        StudyRow.study_instance_uid == study_instance_uid, _finished(now - keep)
    )
    if session.scalar(still) is None:
        return 0
    study.files_removed_at = now
    files = _receipts_of(sa.literal(study_instance_uid))
    return _condemn(session, ReceiptRow.id.in_(files), now)


def quarantine_bytes(session: Session) -> int:
    """Return how much the quarantined files take that are still here."""
    total = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(ReceiptRow.size_bytes), 0)).where(
            _quarantined()
        )
    )
    return int(total or 0)


def trim_quarantine(session: Session, max_bytes: int, limit: int) -> int:
    """Condemn the oldest quarantined files until the others fit; return how many.

    At most ``limit`` of them, with an alarm that counts how often it happened.
    """
    excess = quarantine_bytes(session) - max_bytes
    if excess <= 0:
        return 0
    oldest = session.execute(
        sa.select(ReceiptRow.id, ReceiptRow.size_bytes)
        .where(_quarantined())
        .order_by(ReceiptRow.decided_at, ReceiptRow.id)
        .limit(limit)
    ).all()
    # Each goes as long as those before it do not suffice.
    before = accumulate((size for _, size in oldest), initial=0)
    too_old = [it.id for it, gone in zip(oldest, before, strict=False) if gone < excess]
    count = _condemn(session, ReceiptRow.id.in_(too_old), database_now(session))
    sentence = (
        f"quarantined objects took more than {max_bytes >> 20} MB ([disk] "
        f"quarantine_mb): the files of the oldest were removed, their receipts stay"
    )
    alarms.raise_alarm(session, AlarmKind.QUARANTINE_TRIMMED, None, sentence)
    return count


def condemned_files(session: Session, limit: int) -> list[Condemned]:
    """Return files that are condemned and not yet known to be gone."""
    query = sa.select(ReceiptRow).where(_to_unlink()).limit(limit)
    return [Condemned(row.id, stored_file(row)) for row in session.scalars(query)]


def gone(session: Session, receipt_ids: Sequence[str]) -> None:
    """Keep that these files are gone."""
    session.execute(
        sa.update(ReceiptRow)
        .where(ReceiptRow.id.in_(receipt_ids), _to_unlink())
        .values(removed_at=database_now(session))
    )


def require_images(session: Session, study_instance_uid: str) -> None:
    """Refuse a study whose images are no longer all here.

    Raises
    ------
    ImagesRemoved
        As it says; the message says when, and what brings them back.
    """
    query = (
        sa.select(sa.func.count(), sa.func.max(ReceiptRow.condemned_at))
        .select_from(InstanceRow)
        .join(SeriesRow, InstanceRow.series_id == SeriesRow.id)
        .join(VersionRow, current_version())
        .join(ReceiptRow, VersionRow.receipt_id == ReceiptRow.id)
        .where(
            SeriesRow.study_instance_uid == study_instance_uid,
            VersionRow.role == Role.IMAGE,
            ReceiptRow.condemned_at.is_not(None),
        )
    )
    count, when = session.execute(query).one()
    if count:
        raise ImagesRemoved(
            f"{count} images of study {study_instance_uid} were removed on "
            f"{when:%Y-%m-%d} ([disk] keep_days); have the PACS send the study again, "
            f"wait until `lumbar-node status` shows nothing received, then try again"
        )


def _condemn(session: Session, which: sa.ColumnElement[bool], now: datetime) -> int:
    condemned = session.scalars(
        sa.update(ReceiptRow)
        .where(which, ReceiptRow.condemned_at.is_(None))
        .values(condemned_at=now)
        .returning(ReceiptRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(condemned.all())


def _quarantined() -> sa.ColumnElement[bool]:
    return sa.and_(
        ReceiptRow.state == ReceiptState.QUARANTINED, ReceiptRow.condemned_at.is_(None)
    )


def _to_unlink() -> sa.ColumnElement[bool]:
    """As the partial index of the table says it."""
    return sa.and_(
        ReceiptRow.condemned_at.is_not(None), ReceiptRow.removed_at.is_(None)
    )


def _finished(cutoff: datetime) -> sa.ColumnElement[bool]:
    study = StudyRow.study_instance_uid
    jobs = sa.select(JobRow.id).where(JobRow.study_instance_uid == study)
    deliveries = (
        sa.select(DeliveryRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(ResultRow.study_instance_uid == study)
    )
    commitments = (
        sa.select(CommitmentRow.id)
        .join(DeliveryRow, CommitmentRow.delivery_id == DeliveryRow.id)
        .join(ResultRow, DeliveryRow.result_id == ResultRow.id)
        .where(ResultRow.study_instance_uid == study)
    )
    alarms_of = sa.select(AlarmRow.id).where(AlarmRow.study_instance_uid == study)
    last = sa.func.coalesce(StudyRow.last_received_at, StudyRow.created_at)
    return sa.and_(
        StudyRow.files_removed_at.is_(None),
        StudyRow.created_at <= cutoff,
        StudyRow.held_since.is_(None),
        StudyRow.settled_as_of.is_not_distinct_from(StudyRow.last_received_at),
        last <= cutoff,
        # A study without a single image is never graded, and so never waits.
        sa.or_(StudyRow.last_received_at.is_(None), jobs.exists()),
        ~jobs.where(
            JobRow.state.not_in(ENDED_JOBS) | (JobRow.ended_at > cutoff)
        ).exists(),
        ~deliveries.where(
            DeliveryRow.state.not_in(ENDED_DELIVERIES)
            | (DeliveryRow.changed_at > cutoff)
        ).exists(),
        ~commitments.where(
            CommitmentRow.state.not_in(ENDED_COMMITMENTS)
            | (CommitmentRow.changed_at > cutoff)
        ).exists(),
        ~alarms_of.where(AlarmRow.resolved_at.is_(None)).exists(),
        ~_receipts_of(study).where(ReceiptRow.recorded_at > cutoff).exists(),
    )


def _receipts_of(study: sa.SQLColumnExpression[str]) -> sa.Select[str]:
    """Select the receipts that were filed under a study, identical re-sends too."""
    return (
        sa.select(ReceiptRow.id)
        .join(InstanceRow, ReceiptRow.instance_id == InstanceRow.id)
        .join(SeriesRow, InstanceRow.series_id == SeriesRow.id)
        .where(SeriesRow.study_instance_uid == study)
    )
