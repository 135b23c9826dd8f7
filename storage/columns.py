"""The columns that several tables share, and the types that make two databases one."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from grading.grades import (
    Grading,
    PixelPoint,
    Plane,
    SeriesVerdict,
    SliceKey,
    Weighting,
)
from storage.states import Root


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime on either database; SQLite keeps it as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: storage takes aware datetimes")
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        # SQLite returns the UTC wall time that was bound, without its zone;
        # PostgreSQL returns it in the zone of its own configuration.
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class AnyText(sa.types.TypeDecorator[str]):
    """Text of any length and origin, the wire included.

    PostgreSQL refuses NUL and neither database takes lone surrogates, so both
    are written as backslash escapes: an odd UID must not cost its image.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        storable = value.encode("utf-8", "backslashreplace").decode("utf-8")
        return storable.replace("\x00", r"\x00")


class DatabaseClock(FunctionElement[datetime]):
    """The database's own wall clock, not the transaction's start."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(DatabaseClock)
def _clock(element: DatabaseClock, compiler: SQLCompiler, **_: Any) -> str:
    return "clock_timestamp()"


@compiles(DatabaseClock, "sqlite")
def _sqlite_clock(element: DatabaseClock, compiler: SQLCompiler, **_: Any) -> str:
    # Padded to microseconds, because SQLite compares times as text.
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


def clock_once() -> sa.ScalarSelect[datetime]:
    """Return the clock as PostgreSQL asks it once a statement, so that an index helps.

    By itself the function may change from row to row, and every row is compared.
    """
    return sa.select(DatabaseClock()).scalar_subquery()


def _words(of: type[Enum]) -> list[str]:
    return [str(member.value) for member in of]


class Base(DeclarativeBase):
    """Named constraints, so that a later migration can drop them by name."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        str: AnyText,
        float: sa.Double,
        # Text without a CHECK: a new word needs no migration.
        StrEnum: sa.Enum(Enum, native_enum=False, length=32, values_callable=_words),
    }


class FileColumns:
    """Where a file lies: a root's name and a relative key, never a whole path."""

    root: Mapped[Root]
    key: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)


class LeaseColumns:
    """Who works on a row, until when, and for the how-many-eth time."""

    attempts: Mapped[int] = mapped_column(default=0)
    claim_number: Mapped[int] = mapped_column(default=0)
    """The fence: grows with every claim and never falls, unlike ``attempts``."""
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime]


_VERDICT = tuple(field.name for field in fields(SeriesVerdict))
"""A verdict's columns have the names of its fields."""


class VerdictColumns:
    """What became of a series; see ``grading.grades.SeriesVerdict``."""

    series_instance_uid: Mapped[str]
    description: Mapped[str]
    plane: Mapped[Plane | None]
    weighting: Mapped[Weighting | None]
    graded: Mapped[bool | None]
    reason: Mapped[str | None]
    slices: Mapped[int | None]
    manufacturer: Mapped[str | None]
    model_name: Mapped[str | None]
    field_strength_tesla: Mapped[float | None]
    for_levels: Mapped[bool | None]

    def write_verdict(self, verdict: SeriesVerdict) -> None:
        for name in _VERDICT:
            setattr(self, name, getattr(verdict, name))

    def read_verdict(self) -> SeriesVerdict | None:
        """Return the verdict, or None where the series was never looked at."""
        if self.reason is None:
            return None
        return SeriesVerdict(**{name: getattr(self, name) for name in _VERDICT})


class GradingColumns:
    """What one head said; see ``grading.grades.Grading``."""

    probability_0: Mapped[float]
    probability_1: Mapped[float]
    probability_2: Mapped[float]
    probability_3: Mapped[float]
    temperature: Mapped[float]
    threshold: Mapped[float | None]

    def write_grading(self, grading: Grading) -> None:
        (
            self.probability_0,
            self.probability_1,
            self.probability_2,
            self.probability_3,
        ) = grading.probabilities
        self.temperature = grading.temperature
        self.threshold = grading.threshold

    def read_grading(self) -> Grading:
        return Grading(
            (
                self.probability_0,
                self.probability_1,
                self.probability_2,
                self.probability_3,
            ),
            self.temperature,
            self.threshold,
        )


class SliceColumns:
    """Which slice; see ``grading.grades.SliceKey``."""

    series_instance_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    frame: Mapped[int]

    def write_key(self, key: SliceKey) -> None:
        self.series_instance_uid = key.series_instance_uid
        self.sop_instance_uid = key.sop_instance_uid
        self.frame = key.frame

    def read_key(self) -> SliceKey:
        return SliceKey(self.series_instance_uid, self.sop_instance_uid, self.frame)


class PointColumns:
    """A place on an image; see ``grading.grades.PixelPoint``."""

    row: Mapped[float]
    column: Mapped[float]

    def write_point(self, point: PixelPoint) -> None:
        self.row, self.column = point.row, point.column

    def read_point(self) -> PixelPoint:
        return PixelPoint(self.row, self.column)
