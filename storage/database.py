"""Open, migrate and check the database: SQLite by default, PostgreSQL as well.

The caller opens the transaction: ``with database.sessions.begin() as session``.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from storage.columns import Base, DatabaseClock
from storage.errors import ConnectionLost, DatabaseUnreachable, SchemaOutOfDate
from storage.turns import Turns

BUSY_TIMEOUT_SECONDS = 30
"""How long a writer of SQLite waits for the one before it."""

LOOK_SECONDS = 0.001
"""How often it looks whether that writer has ended."""
PRIMARY_CODE = 0xFF
"""The part of SQLite's extended result codes that names the kind."""

LOCK_TIMEOUT_SECONDS = 30
"""How long a statement of PostgreSQL waits for a lock."""
SERVER_ANSWERS: dict[str, int] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's parameters: seconds, but the last one in milliseconds. Without them a server
whose machine has lost its power is waited for as long as TCP tries: some 15 minutes for
what was sent, two hours for an answer."""

MIGRATION_LOCK = 7_512_036_401
"""Any fixed number: two ``migrate`` on one PostgreSQL take turns by it."""

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Database:
    """An open database, and the two ways to talk to it."""

    engine: Engine
    sessions: sessionmaker[Session]
    """Transactions that may write; on SQLite they exclude each other from the start."""
    reading: sessionmaker[Session]
    """Transactions that only look, and never make a writer wait."""

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str, *, echo: bool = False) -> Database:
    """Return the database at an SQLAlchemy URL; nothing is connected yet.

    Raises
    ------
    DatabaseUnreachable
        Only later, by whatever statement meets it: no connection within 10 s, no
        lock within 30 s, a server that has been silent for a minute, or no space.
    """
    engine = _engine(url, echo=echo, foreign_keys=True)
    looking = engine.execution_options(only_looks=True)
    return Database(
        engine,
        sessionmaker(engine, expire_on_commit=False),
        sessionmaker(looking, expire_on_commit=False),
    )


def migrate(url: str) -> None:
    """Bring the schema up to date, all of it or nothing.

    Raises
    ------
    SchemaOutOfDate
        The database is newer than this program.
    DatabaseUnreachable
        See the message.
    """
    # A migration rebuilds SQLite's tables, which keys in force would forbid.
    engine = _engine(url, echo=False, foreign_keys=False)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)
                connection.execute(sa.select(lock))
            _refuse_newer(_revision(connection))
            config = _alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def database_file(url: str) -> Path | None:
    """Return the file of an SQLite database, None where the database is a server's."""
    parsed = sa.engine.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def schema_revision(database: Database) -> str | None:
    """Return the schema's revision, or None where there is no schema yet."""
    with database.engine.connect() as connection:
        return _revision(connection)


def check_schema(database: Database) -> None:
    """Refuse a schema that this program was not written for.

    Raises
    ------
    SchemaOutOfDate
        The schema is missing, older or newer; the message says what to run.
    DatabaseUnreachable
        See the message.
    """
    found = schema_revision(database)
    _refuse_newer(found)
    if found != (expected := _scripts().get_current_head()):
        raise SchemaOutOfDate(
            f"the database has schema {found or 'none'}, this program needs "
            f"{expected}: run `lumbar-node migrate`"
        )


def database_now(session: Session) -> datetime:
    """Return the time by the database's clock, which all its hosts share."""
    return session.execute(sa.select(DatabaseClock())).scalar_one()


def insert_missing(session: Session, row: type[Base], **values: Any) -> None:
    """Insert a row unless one with the same unique values is there already."""
    insert = sqlite.insert if _is_sqlite(session) else postgresql.insert
    session.execute(insert(row).values(**values).on_conflict_do_nothing())


def insert_or_update(
    session: Session,
    row: type[Base],
    unique: str,
    changes: dict[str, Any],
    **values: Any,
) -> None:
    """Insert a row, or change the one that has the same ``unique`` column."""
    insert = sqlite.insert if _is_sqlite(session) else postgresql.insert
    statement = insert(row).values(**values)
    session.execute(
        statement.on_conflict_do_update(index_elements=[unique], set_=changes)
    )


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _engine(url: str, *, echo: bool, foreign_keys: bool) -> Engine:
    # The receiver bounds its associations; a second bound here could only
    # make an image wait for a connection until it is refused.
    engine = sa.create_engine(
        url,
        echo=echo,
        pool_pre_ping=True,
        max_overflow=-1,
        connect_args=_time_limits(sa.engine.make_url(url)),
    )
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, foreign_keys=foreign_keys)
    sa.event.listen(engine, "handle_error", _name_the_cure)
    return engine


def _time_limits(url: sa.URL) -> dict[str, Any]:
    """Return how long PostgreSQL is waited for; what the URL says goes before."""
    if url.get_backend_name() != "postgresql":
        return {}
    limits = {key: it for key, it in SERVER_ANSWERS.items() if key not in url.query}
    options = url.query.get("options", "")
    said = options if isinstance(options, str) else " ".join(options)
    # The last one of two wins: the URL's.
    wait = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s {said}".strip()
    return {**limits, "options": wait}


def _prepare_sqlite(engine: Engine, *, foreign_keys: bool) -> None:
    """Make commits durable and let transactions begin when SQLAlchemy says so."""
    turns = _turns(engine.url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Python's driver would otherwise begin by itself, and too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # With NORMAL a power cut loses commits that were already acknowledged.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {int(foreign_keys)}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that turns into a writer is refused at once
        # when another wrote meanwhile; an immediate one waits its turn.
        if connection.get_execution_options().get("only_looks", False):
            connection.exec_driver_sql("BEGIN")
        else:
            with turns.next() if turns else nullcontext():
                _begin_writing(connection)


def _turns(url: sa.URL) -> Turns | None:
    """Return who writes next, or None where the URL names no plain file."""
    name = url.database or ":memory:"
    nowhere = name.startswith((":memory:", "file:"))
    return None if nowhere else Turns(Path(f"{name}-turn"))


def _begin_writing(connection: Connection) -> None:
    """Begin once the writer before has ended.

    SQLite's own waiting sleeps up to 100 ms between two looks at the lock. Beside a
    receiver that commits without a pause it would find the lock free by luck only.
    """
    cursor = connection.connection.cursor()
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        while (code := _try_to_begin(cursor)) == sqlite3.SQLITE_BUSY:
            if time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)
        if code is not None:
            # Once more, through SQLAlchemy, which says what is wrong.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.close()


def _try_to_begin(cursor: DBAPICursor) -> int | None:
    """Return None once the transaction has begun, else SQLite's primary code."""
    try:
        cursor.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & PRIMARY_CODE
    return None


def _name_the_cure(context: ExceptionContext) -> BaseException | None:
    """Turn what the driver says about its surroundings into a storage error."""
    if context.is_pre_ping or not isinstance(
        context.sqlalchemy_exception, sa.exc.OperationalError
    ):
        return None
    error = ConnectionLost if context.is_disconnect else DatabaseUnreachable
    return error(
        f"the database refuses: {context.original_exception}; check that it runs, that "
        f"[database] url is right, that its disk has room, and that "
        f"`lumbar-node migrate` was run"
    )


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic_config())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaOutOfDate(
            f"the database has schema {found}, which this program does not know: it "
            f"is newer; install that lumbar-node, or restore the backup made before it"
        )
