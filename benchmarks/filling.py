"""A database as it is after years: studies received, graded and delivered."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from grading.grades import Basis
from storage.columns import Base
from storage.database import open_database
from storage.files import Root
from storage.states import (
    DeliveryState,
    Filed,
    JobKind,
    JobState,
    ObjectKind,
    ReceiptState,
    Role,
)
from storage.tables import (
    DeliveryRow,
    InstanceRow,
    JobRow,
    ObjectRow,
    ReceiptRow,
    ResultRow,
    SeriesRow,
    StudyRow,
    VersionRow,
)

DESTINATION = "pacs"
SERIES, IMAGES = 5, 20
"""Of each study, and of each series."""
STUDIES_AT_ONCE = 50
ORDER: tuple[type[Base], ...] = (
    *(StudyRow, SeriesRow, InstanceRow, ReceiptRow, VersionRow),
    *(JobRow, ResultRow, ObjectRow, DeliveryRow),
)
"""Rows before those that name them."""
MR_IMAGE, SR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.88.33"
EXPLICIT = "1.2.840.10008.1.2.1"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)

Rows = dict[type[Base], list[dict[str, Any]]]


def fill(url: str, instances: int) -> int:
    """Add so many instances, rounded up to whole studies; return how many."""
    studies = -(-instances // (SERIES * IMAGES))
    with closing(open_database(url)) as database:
        for first in range(0, studies, STUDIES_AT_ONCE):
            rows = _rows(range(first, min(first + STUDIES_AT_ONCE, studies)))
            with database.engine.begin() as connection:
                for table in ORDER:
                    connection.execute(sa.insert(table), rows[table])
        if database.engine.dialect.name == "postgresql":
            _after_filling(database.engine)
    return studies * SERIES * IMAGES


def _after_filling(engine: sa.Engine) -> None:
    """Do what PostgreSQL does by itself where rows come one by one."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ORDER:
            if "id" in table.__table__.c and table is not ReceiptRow:
                name = table.__tablename__
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "  # noqa: S608
                    f"(SELECT max(id) FROM {name}))"
                )
        connection.exec_driver_sql("VACUUM ANALYZE")


def _rows(numbers: range) -> Rows:
    rows: Rows = defaultdict(list)
    for number in numbers:
        at = LONG_AGO + timedelta(minutes=number)
        for table, row in _study(number, at):
            rows[table].append(row)
    return rows


def _study(number: int, at: datetime) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Yield the rows of one finished study."""
    uid = f"1.2.826.0.1.{number}"
    yield (
        StudyRow,
        {
            "study_instance_uid": uid,
            "created_at": at,
            "last_received_at": at,
            "settled_as_of": at,
            "input_digest": f"{number:064x}",
            "revision": 1,
        },
    )
    for place in range(SERIES):
        series = number * SERIES + place + 1
        yield SeriesRow, _series(series, uid)
        for image in range(IMAGES):
            yield from _instance(series, (series - 1) * IMAGES + image + 1, at)
    yield from _results(number + 1, uid, at)


def _series(series: int, study: str) -> dict[str, Any]:
    return {
        "id": series,
        "study_instance_uid": study,
        "series_instance_uid": f"{study}.{series}",
        "modality": "MR",
        "description": "T2 TSE TRA",
    }


def _instance(
    series: int, instance: int, at: datetime
) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    sop = f"1.2.826.0.1.{series}.{instance}"
    receipt = uuid.uuid4().hex
    yield (
        InstanceRow,
        {
            "id": instance,
            "series_id": series,
            "sop_instance_uid": sop,
            "current_version": 1,
        },
    )
    yield (
        ReceiptRow,
        {
            "id": receipt,
            "received_at": at,
            "recorded_at": at,
            "association": "192.0.2.1:104",
            "calling_ae_title": "SCANNER",
            "peer_address": "192.0.2.1",
            "sop_class_uid": MR_IMAGE,
            "sop_instance_uid": sop,
            "transfer_syntax_uid": EXPLICIT,
            "state": ReceiptState.INDEXED,
            "filed": Filed.NEW,
            "decided_at": at,
            "instance_id": instance,
            **_file(Root.RECEIVED, f"2025/01/01/00/{receipt}.dcm"),
        },
    )
    yield (
        VersionRow,
        {
            "id": instance,
            "instance_id": instance,
            "number": 1,
            "content_digest": uuid.uuid4().hex * 2,
            "patient_digest": f"{series // SERIES:064x}",
            "sop_class_uid": MR_IMAGE,
            "role": Role.IMAGE,
            "receipt_id": receipt,
        },
    )


def _results(
    job: int, study: str, at: datetime
) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    yield (
        JobRow,
        {
            "id": job,
            "study_instance_uid": study,
            "revision": 1,
            "kind": JobKind.GRADE,
            "state": JobState.DONE,
            "priority": 0,
            "input_digest": f"{job:064x}",
            "attempts": 1,
            "claim_number": 1,
            "created_at": at,
            "not_before": at,
            "ended_at": at,
        },
    )
    yield (
        ResultRow,
        {
            "id": job,
            "job_id": job,
            "study_instance_uid": study,
            "revision": 1,
            "saved_at": at,
            "model_name": "phantom",
            "model_version": "1",
            "model_sha256": "ab" * 32,
            "model_basis": Basis.PHANTOM,
        },
    )
    kinds = (ObjectKind.STRUCTURED_REPORT, ObjectKind.PICTURE)
    for number, kind in enumerate(kinds, start=2 * job):
        yield (
            ObjectRow,
            {
                "id": number,
                "result_id": job,
                "kind": kind,
                "rank": 0,
                "sop_class_uid": SR,
                "sop_instance_uid": f"2.25.{number}",
                "series_instance_uid": f"2.25.{number}.1",
                **_file(Root.PRODUCED, f"ab/{number}.dcm"),
            },
        )
        yield (
            DeliveryRow,
            {
                "id": number,
                "result_id": job,
                "kind": kind,
                "destination": DESTINATION,
                "object_id": number,
                "state": DeliveryState.DELIVERED,
                "created_at": at,
                "changed_at": at,
                "attempts": 1,
                "claim_number": 1,
                "not_before": at,
                "last_status": 0,
            },
        )


def _file(root: Root, key: str) -> dict[str, Any]:
    return {"root": root, "key": key, "sha256": "cd" * 32, "size_bytes": 525_000}
