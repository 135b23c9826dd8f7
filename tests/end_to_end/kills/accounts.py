"""Count what must hold once everything has settled; each broken rule is a sentence."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO

import pydicom
import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.files import Files
from storage.states import CommitmentState, DeliveryState, JobState
from storage.tables import (
    CommitmentRow,
    DeliveryRow,
    JobRow,
    ObjectRow,
    ReceiptRow,
    ResultRow,
    SliceGradeRow,
)
from tests.end_to_end.kills.pacs import CountingPacs, Stored
from tests.end_to_end.kills.traffic import Acknowledged
from tests.end_to_end.scanner import encoded_dataset


def broken_rules(
    session: Session,
    files: Files,
    acknowledged: Sequence[Acknowledged],
    images: Mapping[str, int],
    pacs: CountingPacs,
) -> list[str]:
    """Return a sentence for each promise that was not kept.

    ``images`` gives the number of images by study.
    """
    return [
        *missing_instances(session, files, acknowledged),
        *_wrongly_graded(session, images),
        *_undelivered(session),
        *_twins(session, files, pacs.stored),
        *uncommitted(session, pacs.kept),
        *pacs.complaints,
    ]


def missing_instances(
    session: Session, files: Files, acknowledged: Iterable[Acknowledged]
) -> Iterator[str]:
    """Yield what was acknowledged and is not there with its row, byte for byte."""
    rows: dict[str, list[ReceiptRow]] = defaultdict(list)
    for row in session.scalars(sa.select(ReceiptRow)):
        rows[row.sop_instance_uid].append(row)
    times = Counter(image.sop_instance_uid for image in acknowledged)
    for uid, count in times.items():
        if len(rows[uid]) < count:
            yield f"{uid}: acknowledged {count} times, {len(rows[uid])} receipts"
    sent = {image.sop_instance_uid: image.encoded for image in acknowledged}
    for uid, expected in sent.items():
        yield from (
            f"{uid}: {wrong}"
            for row in rows[uid]
            if (wrong := _damage(files, row, expected))
        )


def _damage(files: Files, row: ReceiptRow, expected: bytes) -> str | None:
    try:
        content = files.read(row.root, row.key)
    except FileNotFoundError:
        return f"its file {row.key} is gone"
    if hashlib.sha256(content).hexdigest() != row.sha256:
        return f"its file {row.key} is not what its receipt says"
    if encoded_dataset(content) != expected:
        return f"its file {row.key} is not what was sent"
    ds = pydicom.dcmread(BytesIO(content), specific_tags=["SOPInstanceUID"])
    if ds.SOPInstanceUID != row.sop_instance_uid:
        return f"its file {row.key} cannot be read"
    return None


def _wrongly_graded(session: Session, images: Mapping[str, int]) -> Iterator[str]:
    slices = sa.func.count(SliceGradeRow.id)
    graded: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for study, revision, count in session.execute(
        sa.select(ResultRow.study_instance_uid, ResultRow.revision, slices)
        .join(SliceGradeRow, SliceGradeRow.result_id == ResultRow.id)
        .group_by(ResultRow.id)
    ):
        graded[study].append((revision, count))
    for study, expected in images.items():
        results = sorted(graded[study])
        if not results:
            yield f"{study}: not graded"
        elif results[-1][1] != expected:
            yield f"{study}: {results[-1][1]} of its {expected} images graded"
        if len({revision for revision, _ in results}) < len(results):
            yield f"{study}: graded twice in one revision"
    failed = sa.select(JobRow).where(JobRow.state != JobState.DONE)
    for job in session.scalars(failed):
        later = [revision for revision, _ in graded[job.study_instance_uid]]
        if not later or max(later) <= job.revision:
            yield f"{job.study_instance_uid}: {job.state}: {job.reason}"


def _undelivered(session: Session) -> Iterator[str]:
    waits = sa.select(DeliveryRow).where(DeliveryRow.state != DeliveryState.DELIVERED)
    for row in session.scalars(waits):
        yield f"delivery {row.id} is {row.state}: {row.last_error}"


def uncommitted(session: Session, kept: Collection[str]) -> Iterator[str]:
    """Yield what the PACS is not known to keep, or is believed to and never said so."""
    of = {row.delivery_id: row for row in session.scalars(sa.select(CommitmentRow))}
    delivered = sa.select(DeliveryRow.id, ObjectRow.sop_instance_uid).join(
        ObjectRow, DeliveryRow.object_id == ObjectRow.id
    )
    for delivery, uid in session.execute(delivered.order_by(DeliveryRow.id)):
        row = of.get(delivery)
        if row is None:
            yield f"{uid}: delivered, and nobody asks whether it is kept"
        elif row.state != CommitmentState.COMMITTED:
            yield f"{uid}: its commitment is {row.state}: {row.last_error}"
        elif uid not in kept:
            yield f"{uid}: committed, and the PACS never said so"


def _twins(session: Session, files: Files, stored: Sequence[Stored]) -> Iterator[str]:
    """Yield objects of ours that the PACS should hold once and holds otherwise."""
    contents: dict[str, set[bytes]] = defaultdict(set)
    for kept in stored:
        contents[kept.sop_instance_uid].add(kept.content)
    made = dict[str, ObjectRow]()
    places = defaultdict[tuple[object, ...], set[str]](set)
    for row, study, revision in session.execute(
        sa.select(ObjectRow, ResultRow.study_instance_uid, ResultRow.revision).join(
            ResultRow, ObjectRow.result_id == ResultRow.id
        )
    ):
        made[row.sop_instance_uid] = row
        if row.sop_instance_uid in contents:
            places[study, revision, row.kind].add(row.sop_instance_uid)
    for uid, different in contents.items():
        if len(different) > 1:
            yield f"{uid}: sent with {len(different)} different contents"
        if uid not in made:
            yield f"{uid}: in the PACS, and no result names it"
    for place, uids in places.items():
        if len(uids) > 1:
            yield f"{' '.join(map(str, place))}: {len(uids)} objects in the PACS"
    delivered = sa.select(ObjectRow.sop_instance_uid).join(
        DeliveryRow, DeliveryRow.object_id == ObjectRow.id
    )
    for uid in session.scalars(delivered):
        if uid not in contents:
            yield f"{uid}: delivered, and the PACS does not have it"
        elif not _is_ours(files, made[uid]):
            yield f"{uid}: its file is not what its row says"


def _is_ours(files: Files, row: ObjectRow) -> bool:
    content = files.read(row.root, row.key)
    return hashlib.sha256(content).hexdigest() == row.sha256
