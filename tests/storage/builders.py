"""Receipts, studies, jobs and grades in one line each, and time that passes."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grading.grades import (
    Basis,
    Finding,
    Grading,
    Level,
    LevelGrade,
    ModelIdentity,
    Plane,
    Region,
    RegionOrigin,
    SeriesVerdict,
    SliceGrade,
    SliceKey,
    StudyGrades,
    Weighting,
)
from storage import jobs, outbox, results
from storage.columns import UtcDateTime
from storage.files import Root, StoredFile
from storage.instances import (
    Filed,
    InstanceHeader,
    Receipt,
    add_receipt,
    file_receipt,
    quiet_studies,
    settle,
)
from storage.jobs import Lease
from storage.outbox import Addressee, ObjectKind, ProducedObject
from storage.receipts import quarantine
from storage.states import Role
from storage.tables import StudyRow, metadata

STUDY = "1.2.3"
SERIES = "1.2.3.4"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def stored_file(root: Root = Root.RECEIVED) -> StoredFile:
    return StoredFile(root, f"2026/01/01/00/{uuid.uuid4().hex}.dcm", "ab" * 32, 4096)


def receipt(sop_instance_uid: str = "1.2.3.4.1") -> Receipt:
    return Receipt(
        id=uuid.uuid4().hex,
        received_at=datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC),
        association="1",
        calling_ae_title="SCANNER",
        peer_address="192.0.2.1",
        sop_class_uid=MR_IMAGE,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        file=stored_file(),
    )


def header(
    sop_instance_uid: str = "1.2.3.4.1",
    *,
    study: str = STUDY,
    series: str = SERIES,
    content: str = "first content",
    patient: str = "one patient",
    role: Role = Role.IMAGE,
) -> InstanceHeader:
    return InstanceHeader(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=MR_IMAGE,
        modality="MR",
        series_description="T2 TSE TRA",
        role=role,
        content_digest=content,
        patient_digest=patient,
    )


def receive(session: Session, read: InstanceHeader | None = None) -> Filed:
    """Add a receipt and file it as the indexer would."""
    read = read or header()
    received = receipt(read.sop_instance_uid)
    add_receipt(session, received)
    return file_receipt(session, received, read)


def set_aside(session: Session, file: StoredFile, megabytes: int) -> str:
    """Quarantine a file of that size by its row, a minute ago; return its receipt."""
    one = replace(receipt(), file=replace(file, size_bytes=megabytes << 20))
    add_receipt(session, one)
    session.flush()
    quarantine(session, one.id, "not a DICOM file")
    pass_time(session, 60)
    return one.id


def output_of(program: Path, *arguments: str | Path) -> str:
    ended = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=True
    )
    return ended.stdout


def received_and_looked_at(session: Session, study: str = STUDY) -> None:
    """Receive an image of a study, and mark the study as looked at since."""
    receive(session, header(study=study))
    session.execute(
        sa.update(StudyRow)
        .where(StudyRow.study_instance_uid == study)
        .values(settled_as_of=StudyRow.last_received_at)
    )
    session.expire_all()


def is_quiet(session: Session, *, seconds: float = 0) -> bool:
    found = {it.study_instance_uid for it in quiet_studies(session, seconds)}
    return STUDY in found


def settle_now(session: Session, input_digest: str) -> int | None:
    """Look at the one quiet study and return the revision that this opens."""
    [study] = quiet_studies(session, 0)
    last = study.last_received_at
    return settle(session, study.study_instance_uid, last, input_digest)


def pass_time(session: Session, seconds: float) -> None:
    """Move every time in the database back, as if it had all happened earlier."""
    session.flush()
    session.expire_all()
    for table in metadata.sorted_tables:
        times = [it for it in table.columns if isinstance(it.type, UtcDateTime)]
        keys = list(table.primary_key.columns)
        for row in session.execute(sa.select(*keys, *times)).all():
            earlier = {
                column.name: value - timedelta(seconds=seconds)
                for column, value in zip(times, row[len(keys) :], strict=True)
                if value is not None
            }
            same = (key == it for key, it in zip(keys, row, strict=False))
            if earlier:
                session.execute(sa.update(table).where(*same).values(earlier))


def claimed(
    session: Session, study: str = STUDY, revision: int = 1, *, seconds: float = 60
) -> Lease:
    """Add a job for a study that was received, and claim it."""
    received_and_looked_at(session, study)
    jobs.add(session, study, revision, "digest")
    lease = jobs.claim(session, "worker", seconds)
    assert lease is not None
    return lease


def produced(
    kind: ObjectKind = ObjectKind.STRUCTURED_REPORT, rank: int = 0, suffix: str = "1"
) -> ProducedObject:
    return ProducedObject(
        kind=kind,
        rank=rank,
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.88.{rank}",
        sop_instance_uid=f"2.25.{rank}.{suffix}",
        series_instance_uid=f"2.25.{suffix}",
        file=stored_file(Root.PRODUCED),
    )


PACS = Addressee("pacs", shadow=False)


def graded(
    session: Session,
    study: str = STUDY,
    revision: int = 1,
    *,
    objects: list[ProducedObject] | None = None,
    destinations: tuple[Addressee, ...] = (PACS,),
) -> Lease:
    """Grade a study at a revision and put its objects into the outbox."""
    lease = claimed(session, study, revision)
    result = results.save(session, lease, study_grades(study))
    outbox.add_objects(session, result, [produced()] if objects is None else objects)
    outbox.enqueue(session, result, destinations)
    jobs.finish(session, lease)
    return lease


def study_grades(study: str = STUDY) -> StudyGrades:
    key = SliceKey(SERIES, "1.2.3.4.1")
    grading = Grading((0.1, 0.2, 0.3, 0.4))
    return StudyGrades(
        study_instance_uid=study,
        model=ModelIdentity("phantom", "1.0.0", "cd" * 32, Basis.PHANTOM),
        series=(verdict(),),
        slices=(
            SliceGrade(
                key=key,
                slab=1,
                position_mm=-12.5,
                region=Region(127.5, 127.5, 64.0, origin=RegionOrigin.CENTRE),
                grades=dict.fromkeys(Finding, grading),
                further={"Modic": grading},
            ),
        ),
        levels=(
            LevelGrade(
                level=Level.L4_L5,
                slab=1,
                slabs=1,
                key_slice=key,
                slices=(key,),
                grades=dict.fromkeys(Finding, grading),
            ),
        ),
        notes=("the level was not determined",),
    )


def verdict(series: str = SERIES) -> SeriesVerdict:
    return SeriesVerdict(
        series_instance_uid=series,
        description="T2 TSE TRA",
        plane=Plane.AXIAL,
        weighting=Weighting.T2,
        graded=True,
        reason="axial T2-weighted: TE 95 ms, TR 4455 ms",
        slices=20,
        manufacturer="Maker",
        model_name="Model",
        field_strength_tesla=1.5,
    )
