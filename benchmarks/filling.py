"""A database as it is after years: studies received, graded, delivered and kept.

The database makes the rows itself, a million of them in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from grading.grades import Basis
from storage.columns import Base
from storage.database import open_database
from storage.files import Root
from storage.states import (
    CommitmentState,
    DeliveryState,
    Filed,
    JobKind,
    JobState,
    ObjectKind,
    ReceiptState,
    Role,
)
from storage.tables import (
    CommitmentRow,
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
MR_IMAGE, SR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.88.33"
EXPLICIT = "1.2.840.10008.1.2.1"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
QUICKLY = {
    "sqlite": (
        "PRAGMA foreign_keys = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA cache_size = -500000",
    ),
    # Without the triggers that look up every foreign key.
    "postgresql": ("SET session_replication_role = replica",),
}
"""The rows are right, and whoever needs them can make them again."""
PREFIX = "1.2.826.0.1."

Number = sa.ColumnElement[int]
"""Counted from 0."""


def fill(url: str, instances: int, *, series: int = 5, images: int = 20) -> int:
    """Fill an empty database with so many instances; return how many.

    Every study has so many series of so many images; the last one is made whole.
    """
    if not instances:
        return 0
    studies = -(-instances // (series * images))
    with closing(open_database(url)) as database:
        kind = database.engine.dialect.name
        years = _Years(kind == "sqlite", studies, series, images)
        with database.engine.connect() as connection:
            # Below SQLAlchemy: SQLite forgets some of them in a transaction.
            for setting in QUICKLY[kind]:
                connection.connection.cursor().execute(setting)
            connection.connection.commit()
            with connection.begin():
                for statement in (*years.received(), *years.graded()):
                    connection.execute(statement)
            connection.invalidate()  # with its settings
        if kind == "postgresql":
            _after_filling(database.engine)
    return studies * series * images


def _after_filling(engine: sa.Engine) -> None:
    """Do what PostgreSQL does by itself where rows come one by one."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in Base.metadata.sorted_tables:
            if "id" in table.c and isinstance(table.c.id.type, sa.Integer):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608
                    f"max(id)) FROM {table.name}"
                )
        connection.exec_driver_sql("VACUUM ANALYZE")


@dataclass(frozen=True, slots=True)
class _Years:
    """Finished studies, a minute apart, as statements that insert all of them."""

    sqlite: bool
    studies: int
    series: int
    images: int

    def received(self) -> Iterator[sa.Insert]:
        """Yield studies, series, instances, and what brought them."""
        study = _numbers(self.studies)
        at = self._at(study)
        yield _insert(
            StudyRow,
            study_instance_uid=_uid(study),
            created_at=at,
            last_received_at=at,
            settled_as_of=at,
            input_digest=_text(study),
            revision=1,
        )
        series = _numbers(self.studies * self.series)
        yield _insert(
            SeriesRow,
            id=series + 1,
            study_instance_uid=_uid(series // self.series),
            series_instance_uid=_uid(series // self.series, series),
            modality="MR",
            description="T2 TSE TRA",
        )
        instance = _numbers(self.studies * self.series * self.images)
        sop = _uid(instance // self.images, instance)
        yield _insert(
            InstanceRow,
            id=instance + 1,
            series_id=instance // self.images + 1,
            sop_instance_uid=sop,
            current_version=1,
        )
        yield self._receipts(instance, sop)
        yield self._versions()

    def _receipts(self, instance: Number, sop: sa.ColumnElement[str]) -> sa.Insert:
        at = self._at(instance // (self.series * self.images))
        return _insert(
            ReceiptRow,
            id=self._random(bytes_=16),
            received_at=at,
            recorded_at=at,
            association="192.0.2.1:104",
            calling_ae_title="SCANNER",
            peer_address="192.0.2.1",
            sop_class_uid=MR_IMAGE,
            sop_instance_uid=sop,
            transfer_syntax_uid=EXPLICIT,
            state=ReceiptState.INDEXED,
            filed=Filed.NEW,
            decided_at=at,
            instance_id=instance + 1,
            **_file(Root.RECEIVED, instance),
        )

    def _versions(self) -> sa.Insert:
        return _insert(
            VersionRow,
            id=ReceiptRow.instance_id,
            instance_id=ReceiptRow.instance_id,
            number=1,
            content_digest=self._random(bytes_=32),
            patient_digest="ab" * 32,
            sop_class_uid=MR_IMAGE,
            role=Role.IMAGE,
            receipt_id=ReceiptRow.id,
        )

    def graded(self) -> Iterator[sa.Insert]:
        """Yield jobs, results, two objects of each, and how they were delivered."""
        study = _numbers(self.studies)
        yield _insert(
            JobRow,
            id=study + 1,
            study_instance_uid=_uid(study),
            revision=1,
            kind=JobKind.GRADE,
            state=JobState.DONE,
            priority=1,
            input_digest=_text(study),
            created_at=self._at(study),
            ended_at=self._at(study),
            **self._claimed_once(study),
        )
        yield _insert(
            ResultRow,
            id=study + 1,
            job_id=study + 1,
            study_instance_uid=_uid(study),
            revision=1,
            saved_at=self._at(study),
            model_name="phantom",
            model_version="1",
            model_sha256="ab" * 32,
            model_basis=Basis.PHANTOM,
        )
        yield from self._delivered()

    def _delivered(self) -> Iterator[sa.Insert]:
        made = _numbers(2 * self.studies)
        at = self._at(made // 2)
        of = {"result_id": made // 2 + 1, "kind": _kind(made)}
        yield _insert(
            ObjectRow,
            id=made + 1,
            **of,
            rank=0,
            sop_class_uid=SR,
            sop_instance_uid=_uid(made),
            series_instance_uid=_uid(made, made),
            **_file(Root.PRODUCED, made),
        )
        yield _insert(
            DeliveryRow,
            id=made + 1,
            **of,
            destination=DESTINATION,
            object_id=made + 1,
            state=DeliveryState.DELIVERED,
            created_at=at,
            waiting_since=at,
            changed_at=at,
            last_status=0,
            **self._claimed_once(made // 2),
        )
        yield _insert(
            CommitmentRow,
            id=made + 1,
            delivery_id=made + 1,
            destination=DESTINATION,
            state=CommitmentState.COMMITTED,
            waiting_since=at,
            changed_at=at,
            asks=1,
            resends=0,
            **self._claimed_once(made // 2),
        )

    def _claimed_once(self, study: Number) -> dict[str, Any]:
        return {"attempts": 1, "claim_number": 1, "not_before": self._at(study)}

    def _at(self, study: Number) -> sa.ColumnElement[Any]:
        """Return when a study came, in the words of either database."""
        if self.sqlite:
            minutes = _text(study).op("||")(" minutes")
            first = f"{LONG_AGO:%Y-%m-%d %H:%M:%S}"
            return sa.func.strftime("%Y-%m-%d %H:%M:%f000", first, minutes)
        return sa.literal(LONG_AGO, sa.DateTime(timezone=True)) + study * sa.text(
            "interval '1 minute'"
        )

    def _random(self, bytes_: int) -> sa.ColumnElement[Any]:
        """Return as many random bytes for each row, in hexadecimal digits."""
        if self.sqlite:
            return sa.func.lower(sa.func.hex(sa.func.randomblob(bytes_)))
        uuids = [sa.func.gen_random_uuid().cast(sa.Text)] * (bytes_ // 16)
        return sa.func.replace(sa.func.concat(*uuids), "-", "")


def _numbers(count: int) -> Number:
    """Return the column of a table that counts from 0."""
    numbers = sa.select(sa.literal(0).label("number")).cte("numbers", recursive=True)
    following = sa.select(numbers.c.number + 1).where(numbers.c.number < count - 1)
    return numbers.union_all(following).c.number


def _insert(row: type[Base], **values: Any) -> sa.Insert:
    """Insert a row for each number, or for each row that the values are taken from."""
    types = row.__table__.c
    columns = {
        name: value
        if isinstance(value, sa.sql.roles.ExpressionElementRole)
        else sa.literal(value, types[name].type)
        for name, value in values.items()
    }
    chosen = sa.select(*columns.values())
    return sa.insert(row).from_select(list(columns), chosen, include_defaults=False)


def _uid(*numbers: Number) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = sa.literal(PREFIX, sa.Text) + _text(numbers[0])
    for number in numbers[1:]:
        text = text + "." + _text(number)
    return text


def _text(number: Number) -> sa.ColumnElement[str]:
    return number.cast(sa.Text)


def _kind(made: Number) -> sa.ColumnElement[Any]:
    kinds = DeliveryRow.__table__.c.kind.type
    return sa.case(
        (made % 2 == 0, sa.literal(ObjectKind.STRUCTURED_REPORT, kinds)),
        else_=sa.literal(ObjectKind.PICTURE, kinds),
    )


def _file(root: Root, number: Number) -> dict[str, Any]:
    key = sa.literal("2025/01/01/00/", sa.Text) + _text(number)
    return {"root": root, "key": key, "sha256": "cd" * 32, "size_bytes": 525_000}
