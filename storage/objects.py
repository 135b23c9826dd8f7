"""The objects we made of each result, and those a later report has to name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.files import StoredFile
from storage.states import DeliveryState, ObjectKind
from storage.tables import DeliveryRow, ObjectRow, ResultRow

SENT_OR_TO_BE = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.DELIVERED)


@dataclass(frozen=True, slots=True)
class ProducedObject:
    """One DICOM object that we made, and where its Part 10 file lies."""

    kind: ObjectKind
    rank: int
    """0 is preferred; higher ones say the same in a SOP class more peers take."""
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    file: StoredFile


def add_objects(
    session: Session, result_id: int, objects: Sequence[ProducedObject]
) -> None:
    """Keep what was made of a result, fall-backs included.

    In the transaction of `results.save`, whose lease covers this as well.
    """
    session.add_all(
        ObjectRow(
            result_id=result_id,
            kind=it.kind,
            rank=it.rank,
            sop_class_uid=it.sop_class_uid,
            sop_instance_uid=it.sop_instance_uid,
            series_instance_uid=it.series_instance_uid,
            root=it.file.root,
            key=it.file.key,
            sha256=it.file.sha256,
            size_bytes=it.file.size_bytes,
        )
        for it in objects
    )


def predecessors(
    session: Session, study_instance_uid: str, before_revision: int
) -> list[ProducedObject]:
    """Return what was last sent before a revision, or still will be, by kind and rank.

    An object that no destination has or gets, as of a shadow or one that was refused,
    is no predecessor of anything: nobody could look it up.
    """
    sent = DeliveryRow.state.in_(SENT_OR_TO_BE)
    last = (
        sa.select(ResultRow.id)
        .join(DeliveryRow, DeliveryRow.result_id == ResultRow.id)
        .where(
            ResultRow.study_instance_uid == study_instance_uid,
            ResultRow.revision < before_revision,
            sent,
        )
        .order_by(ResultRow.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    objects = sa.select(DeliveryRow.object_id).where(
        DeliveryRow.result_id == last, sent
    )
    rows = session.scalars(sa.select(ObjectRow).where(ObjectRow.id.in_(objects)))
    return sorted(
        (produced_object(row) for row in rows), key=lambda it: (it.kind, it.rank)
    )


def latest_object(session: Session, study_instance_uid: str) -> StoredFile | None:
    """Return the file of what a study's latest result was first made into, if any."""
    row = session.scalar(
        sa.select(ObjectRow)
        .where(ObjectRow.result_id == latest_result(study_instance_uid, None))
        .order_by(ObjectRow.id)
        .limit(1)
    )
    return produced_object(row).file if row else None


def latest_result(
    study_instance_uid: str, revision: int | None
) -> sa.ScalarSelect[int]:
    """Return a query for a study's latest result, or the latest before a revision."""
    query = sa.select(ResultRow.id).where(
        ResultRow.study_instance_uid == study_instance_uid
    )
    if revision is not None:
        query = query.where(ResultRow.revision < revision)
    return query.order_by(ResultRow.revision.desc()).limit(1).scalar_subquery()


def produced_object(row: ObjectRow) -> ProducedObject:
    return ProducedObject(
        row.kind,
        row.rank,
        row.sop_class_uid,
        row.sop_instance_uid,
        row.series_instance_uid,
        StoredFile(row.root, row.key, row.sha256, row.size_bytes),
    )
