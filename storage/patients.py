"""Whom a study names, and what a person says about it: release it, leave series out.

Patients are told apart by digests; which of them is the right one only a person knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms
from storage.errors import SeveralPatients, StorageError
from storage.states import AlarmKind, Role
from storage.studies import (
    current_version,
    lock_study,
    note_change,
    patients_together,
    require_study,
)
from storage.tables import InstanceRow, SeriesRow, StudyRow, VersionRow


@dataclass(frozen=True, slots=True)
class Named:
    """How many images of one series name one of a study's patients."""

    patient: int
    """Counted from 1 in the order of the series: not the patient's own number."""
    series_instance_uid: str
    images: int


def named_patients(session: Session, study_instance_uid: str) -> list[Named]:
    """Return which series name whom, of the images that would be graded.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    require_study(session, study_instance_uid)
    by = (SeriesRow.series_instance_uid, VersionRow.patient_digest)
    query = (
        sa.select(*by, sa.func.count())
        .join(InstanceRow, InstanceRow.series_id == SeriesRow.id)
        .join(VersionRow, current_version())
        .where(
            SeriesRow.study_instance_uid == study_instance_uid,
            VersionRow.role == Role.IMAGE,
        )
        .group_by(*by)
    )
    # Sorted here, because each database has its own order of text.
    found = sorted(
        (uid, digest, count) for uid, digest, count in session.execute(query)
    )
    numbers: dict[str, int] = {}
    return [
        Named(numbers.setdefault(patient, len(numbers) + 1), series, images)
        for series, patient, images in found
    ]


def release(
    session: Session, study_instance_uid: str, *, one_patient: bool = False
) -> None:
    """Accept the patient whom a study names now, and let it be looked at again.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    SeveralPatients
        Its images still name more than one, whom nobody has accepted together,
        and the person did not say that they are ``one_patient``.
    """
    study = lock_study(session, study_instance_uid)
    together = patients_together(session, study_instance_uid)
    if not one_patient and study.accepted_patients != together:
        _refuse_several(study, named_patients(session, study_instance_uid))
    study.held_since = None
    study.hold_reason = None
    study.settled_as_of = None
    study.accepted_patients = together
    alarms.resolve(session, AlarmKind.STUDY_HELD, study_instance_uid)


def set_aside(
    session: Session, study_instance_uid: str, series_instance_uid: str
) -> int:
    """Leave a series out of the study, as if it had not come; return how many objects.

    Its files and rows stay. It stays out though the same content comes again; other
    content, or another object of the series, is looked at like any that comes late.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    StorageError
        The study has no such series.
    """
    here = InstanceRow.current_version > 0
    return _turn(session, study_instance_uid, series_instance_uid, here)


def take_back(
    session: Session, study_instance_uid: str, series_instance_uid: str
) -> int:
    """Undo `set_aside`; return how many objects belong to the study again.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    StorageError
        The study has no such series.
    """
    out = InstanceRow.current_version < 0
    return _turn(session, study_instance_uid, series_instance_uid, out)


def _turn(
    session: Session, study_uid: str, series_uid: str, which: sa.ColumnElement[bool]
) -> int:
    """Change the sign of the current versions of a series, and look at it anew."""
    study = lock_study(session, study_uid)
    series = session.scalar(
        sa.select(SeriesRow.id).where(
            SeriesRow.study_instance_uid == study_uid,
            SeriesRow.series_instance_uid == series_uid,
        )
    )
    if series is None:
        raise StorageError(
            f"study {study_uid} has no series {series_uid}: check the Series Instance "
            f"UID, which `lumbar-node release {study_uid}` names where patients differ"
        )
    turned = session.scalars(
        sa.update(InstanceRow)
        .where(InstanceRow.series_id == series, which)
        .values(current_version=-InstanceRow.current_version)
        .returning(InstanceRow.id)
    ).all()
    if turned:
        note_change(session, study)
    return len(turned)


def _refuse_several(study: StudyRow, named: Sequence[Named]) -> None:
    patients = max((it.patient for it in named), default=0)
    if patients <= 1:
        return
    uid = study.study_instance_uid
    told = "; ".join(
        f"series {it.series_instance_uid} names patient {it.patient} in {it.images} "
        f"{'image' if it.images == 1 else 'images'}"
        for it in named
    )
    raise SeveralPatients(
        f"study {uid} is not released: its images still name {patients} different "
        f"patients: {told}. Correct the study in the PACS and send it again; or leave "
        f"out what belongs to somebody else: lumbar-node set-aside {uid} SERIES_UID; "
        f"or, only if you are sure that all of it is one person: "
        f"lumbar-node release {uid} --one-patient"
    )
