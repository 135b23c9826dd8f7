import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.columns import UtcDateTime
from storage.database import (
    Database,
    check_schema,
    database_now,
    migrate,
    open_database,
    schema_revision,
)
from storage.errors import DatabaseUnreachable, SchemaOutOfDate
from storage.instances import Receipt, add_receipt, unindexed_receipts
from tests.storage.builders import receipt


def test_the_database_tells_the_time_in_utc(database: Database) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)

    with database.reading.begin() as session:
        now = database_now(session)

    assert now.tzinfo is UTC
    assert before < now < datetime.now(UTC) + timedelta(seconds=1)


def test_the_database_clock_goes_on_within_a_transaction(database: Database) -> None:
    with database.sessions.begin() as session:
        first = database_now(session)
        session.execute(sa.text(_PAUSE[session.get_bind().dialect.name]))
        second = database_now(session)

    assert second > first


_PAUSE = {
    "postgresql": "SELECT pg_sleep(0.01)",
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 200000) SELECT max(i) FROM n"
    ),
}


def test_a_time_is_kept_in_utc_to_the_microsecond(database: Database) -> None:
    berlin = timezone(timedelta(hours=2))
    moment = datetime(2026, 7, 1, 12, 30, 15, 654321, tzinfo=berlin)

    with database.reading.begin() as session:
        kept = session.scalar(sa.select(sa.literal(moment, UtcDateTime())))

    assert kept == moment
    assert kept is not None
    assert kept.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 7, 1)  # noqa: DTZ001  the point of the test

    with pytest.raises(ValueError, match="has no time zone"):
        UtcDateTime().process_bind_param(naive, sa.create_engine("sqlite://").dialect)


def add_receipts(session: Session, receipts: list[Receipt]) -> None:
    for received in receipts:
        add_receipt(session, received)
        session.flush()


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    received = receipt()

    with pytest.raises(IntegrityError), database.sessions.begin() as session:
        add_receipts(session, [received, receipt(), received])

    with database.reading.begin() as session:
        assert unindexed_receipts(session, 10) == []


def test_who_only_looks_does_not_wait_for_a_writer(database: Database) -> None:
    with database.sessions.begin() as writer:
        add_receipt(writer, receipt())
        writer.flush()

        with database.reading.begin() as looking:
            seen = unindexed_receipts(looking, 10)

    assert seen == []


def test_two_writers_wait_for_each_other_and_both_succeed(database: Database) -> None:
    first_has_written = threading.Event()

    def write_second() -> None:
        first_has_written.wait()
        with database.sessions.begin() as session:
            add_receipt(session, receipt())

    second = threading.Thread(target=write_second)
    second.start()
    with database.sessions.begin() as session:
        add_receipt(session, receipt())
        session.flush()
        first_has_written.set()
    second.join()

    with database.reading.begin() as session:
        assert len(unindexed_receipts(session, 10)) == 2


def test_a_writer_that_does_not_end_is_named_after_the_time_to_wait(
    sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_database(sqlite_database_url)) as database:
        with database.sessions.begin() as writer:
            database_now(writer)
            monkeypatch.setattr("storage.database.BUSY_TIMEOUT_SECONDS", 0)

            with (
                pytest.raises(DatabaseUnreachable, match="database is locked"),
                database.sessions.begin() as second,
            ):
                database_now(second)

        with database.sessions.begin() as third:
            assert database_now(third).tzinfo is UTC


def test_sqlite_commits_are_durable_and_keys_are_in_force(
    sqlite_database_url: str,
) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")

    with (
        closing(open_database(sqlite_database_url)) as database,
        database.engine.connect() as connection,
    ):
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in names
        }

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_a_database_that_is_not_there_is_named_with_the_cure(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no/such/folder/node.sqlite"

    with (
        closing(open_database(url)) as database,
        pytest.raises(DatabaseUnreachable, match=r"\[database\] url"),
    ):
        check_schema(database)


def test_a_full_disk_is_named_and_works_again_once_there_is_room(
    small_disk: Path,
) -> None:
    url = f"sqlite:///{small_disk}/node.sqlite"
    migrate(url)
    filler = small_disk / "filler"
    with closing(open_database(url)) as database:
        with database.sessions.begin() as session:
            add_receipt(session, receipt())
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))

        with (
            pytest.raises(DatabaseUnreachable, match="its disk has room"),
            database.sessions.begin() as session,
        ):
            add_receipts(session, [receipt() for _ in range(500)])
        filler.unlink()

        with database.sessions.begin() as session:
            add_receipt(session, receipt())
        with database.reading.begin() as session:
            assert len(unindexed_receipts(session, 1000)) == 2


def test_a_server_that_does_not_answer_is_named_with_the_cure(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://postgres@/postgres?host={tmp_path}"

    with (
        closing(open_database(url)) as database,
        pytest.raises(DatabaseUnreachable, match="check that it runs"),
        database.sessions.begin() as session,
    ):
        database_now(session)


def test_a_server_that_was_restarted_costs_no_transaction(
    migrated_postgresql_url: str,
) -> None:
    with closing(open_database(migrated_postgresql_url)) as database:
        with database.reading.begin() as session:
            database_now(session)
        with (
            closing(open_database(migrated_postgresql_url)) as other,
            other.sessions.begin() as session,
        ):
            session.execute(_END_OTHER_CONNECTIONS)

        with database.sessions.begin() as session:
            add_receipt(session, receipt())

        with database.reading.begin() as session:
            assert len(unindexed_receipts(session, 10)) == 1


_END_OTHER_CONNECTIONS = sa.text(
    "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_a_database_without_a_schema_is_refused_with_the_cure(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path}/empty.sqlite")) as database:
        with pytest.raises(SchemaOutOfDate, match="run `lumbar-node migrate`"):
            check_schema(database)

        assert schema_revision(database) is None


def test_a_migrated_database_is_accepted(database: Database) -> None:
    check_schema(database)

    assert schema_revision(database) is not None


@pytest.fixture
def newer_database_url(database_url: str) -> Iterator[str]:
    """A database that a lumbar-node of the future has migrated."""
    with closing(open_database(database_url)) as database:
        found = schema_revision(database)
        set_schema_revision(database, "9999")
        yield database_url
        set_schema_revision(database, found)


def set_schema_revision(database: Database, revision: str | None) -> None:
    statement = sa.text("UPDATE alembic_version SET version_num = :revision")
    with database.sessions.begin() as session:
        session.execute(statement, {"revision": revision})


def test_a_newer_schema_is_refused_by_the_service_and_by_migrate(
    newer_database_url: str,
) -> None:
    with (
        closing(open_database(newer_database_url)) as database,
        pytest.raises(SchemaOutOfDate, match=r"schema 9999.*is newer"),
    ):
        check_schema(database)

    with pytest.raises(SchemaOutOfDate, match=r"schema 9999.*is newer"):
        migrate(newer_database_url)


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        with database.sessions.begin() as session:
            add_receipt(session, receipt())

        migrate(database_url)

        check_schema(database)
        with database.reading.begin() as session:
            assert len(unindexed_receipts(session, 10)) == 1


def test_a_lock_that_is_not_to_be_had_is_not_waited_for_for_ever(
    migrated_postgresql_url: str,
) -> None:
    impatient = f"{migrated_postgresql_url}&options=-c%20lock_timeout%3D100ms"
    with (
        closing(open_database(migrated_postgresql_url)) as holding,
        closing(open_database(impatient)) as waiting,
        holding.sessions.begin() as holder,
    ):
        holder.execute(sa.text("LOCK TABLE studies"))

        with (
            pytest.raises(DatabaseUnreachable, match="lock timeout"),
            waiting.reading.begin() as session,
        ):
            session.execute(sa.text("SELECT * FROM studies"))


def test_a_server_that_falls_silent_is_not_waited_for_for_hours(
    migrated_postgresql_url: str,
) -> None:
    with (
        closing(open_database(migrated_postgresql_url)) as database,
        database.engine.connect() as connection,
    ):
        told = parameters(connection)
        lock_timeout = connection.scalar(sa.text("SHOW lock_timeout"))

    expected = {"connect_timeout": "10", "tcp_user_timeout": "30000"}
    assert expected.items() <= told.items()
    assert int(told["keepalives_idle"]) + 3 * int(told["keepalives_interval"]) <= 60
    assert lock_timeout == "30s"


def test_what_the_url_says_of_time_goes_before(migrated_postgresql_url: str) -> None:
    url = f"{migrated_postgresql_url}&connect_timeout=3"
    with (
        closing(open_database(url)) as database,
        database.engine.connect() as connection,
    ):
        assert parameters(connection)["connect_timeout"] == "3"


def parameters(connection: sa.Connection) -> dict[str, str]:
    """Return what libpq was told."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.info.get_parameters()
