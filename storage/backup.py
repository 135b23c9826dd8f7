"""A copy of a node that goes on working: the database first, then the files it names.

A file is in place before its row and never changes, so every row of the copy finds its
file. Each file is compared with the digest in its row, here and there, at the first
backup and at every later one to the same place: a backup is also the check that both
disks still hold what was acknowledged.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from storage.database import Database, database_file, open_database
from storage.errors import BackupFailed
from storage.files import FILE_MODE, FOLDER_MODE, Files, StoredFile
from storage.tables import ObjectRow, ReceiptRow

SQLITE_NAME = "node.sqlite"
DUMP_NAME = "node.dump"
CHUNK_BYTES = 1 << 20
ROWS = 1000
NAMED = 5
"""Of the keys that are wrong; all of them would fill the terminal."""


@dataclass(slots=True)
class Copied:
    """What a backup holds."""

    database: Path
    files: int = 0
    size_bytes: int = 0
    there_already: int = 0
    """Files that an earlier backup to the same place had copied, and that are whole."""
    lost: list[str] = field(default_factory=list)
    """Keys of files that are whole neither here nor in the backup."""
    only_there: list[str] = field(default_factory=list)
    """Keys of files that are whole in the backup, and no longer here."""


class _Unreadable(OSError):
    """A file cannot be read; writing its copy would be another error."""


def back_up(
    url: str, data_directory: Path, target: Path, also: Sequence[Path] = ()
) -> Copied:
    """Copy database, files, and ``also``, to a folder; an earlier backup is renewed.

    The database takes its name last: without it, the backup was not finished.

    Raises
    ------
    BackupFailed
        The database cannot be copied, or a file is missing or damaged; all the
        others are copied.
    OSError
        The target cannot be written.
    """
    if target.resolve().is_relative_to(data_directory.resolve()):
        raise BackupFailed(f"{target} lies in the data directory; name another place")
    target.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    target.chmod(FOLDER_MODE)
    file = database_file(url)
    copied = Copied(target / (SQLITE_NAME if file else DUMP_NAME))
    partial = copied.database.with_name(f"{copied.database.name}.partial")
    if file:
        _copy_sqlite(file, partial)
    else:
        _dump_postgresql(url, partial)
    # The copy's own rows, where they can be read: just these files belong to it.
    with closing(open_database(f"sqlite:///{partial}" if file else url)) as database:
        for stored in _named(database):
            _copy(Files(data_directory), Files(target), stored, copied)
        removed = _removed_meanwhile(url, [*copied.lost, *copied.only_there])
        copied.lost = [key for key in copied.lost if key not in removed]
        copied.only_there = [key for key in copied.only_there if key not in removed]
        if file:
            _forget(database, removed)
    for path in also:
        _place(path, target / path.name)
    os.sync()  # one flush for all files and folders
    for end in ("-wal", "-shm"):  # of an earlier copy that somebody looked into
        Path(f"{copied.database}{end}").unlink(missing_ok=True)
    Path(f"{partial}-turn").unlink(missing_ok=True)
    partial.replace(copied.database)
    os.sync()
    if problems := _problems(copied, target):
        raise BackupFailed("; ".join(problems))
    return copied


def _problems(copied: Copied, target: Path) -> list[str]:
    problems = []
    if lost := copied.lost:
        problems.append(
            f"the backup in {target} lacks {len(lost)} files that are missing or "
            f"damaged here ({', '.join(lost[:NAMED])}): look at the disk, and have the "
            f"PACS send their studies again"
        )
    if kept := copied.only_there:
        problems.append(
            f"{len(kept)} files are missing or damaged here and whole in {target} "
            f"({', '.join(kept[:NAMED])}): look at the disk, and copy them back"
        )
    return problems


def _copy_sqlite(file: Path, partial: Path) -> None:
    """Copy a database that is written to, at one moment of it (sqlite3_backup_init)."""
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    try:
        with (
            closing(sqlite3.connect(file)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise BackupFailed(f"{file} cannot be copied: {error}") from error


def _dump_postgresql(url: str, partial: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupFailed("there is no pg_dump: apt-get install postgresql-client")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE))
    ended = subprocess.run(  # noqa: S603
        [program, "--format=custom", f"--file={partial}"],
        # Not as arguments, which everybody on the machine can read.
        env={**os.environ, **_connection(url)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise BackupFailed(f"pg_dump failed: {ended.stderr.strip()}")


def _connection(url: str) -> dict[str, str]:
    """Return a URL as the environment variables of libpq."""
    parsed = make_url(url)
    host = parsed.host or parsed.query.get("host")
    named = {
        "PGHOST": host,
        "PGPORT": parsed.port,
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
    }
    return {name: str(value) for name, value in named.items() if value}


def _named(database: Database) -> Iterator[StoredFile]:
    """Yield every file that a row promises, received ones first."""
    for table in (ReceiptRow, ObjectRow):
        columns = (table.root, table.key, table.sha256, table.size_bytes)
        query = sa.select(*columns).order_by(table.id)
        if table is ReceiptRow:
            query = query.where(ReceiptRow.condemned_at.is_(None))
        with database.reading.begin() as session:
            for row in session.execute(query.execution_options(yield_per=ROWS)):
                yield StoredFile(*row)


def _copy(source: Files, target: Files, stored: StoredFile, copied: Copied) -> None:
    here = source.path(stored.root, stored.key)
    there = target.path(stored.root, stored.key)
    if there.exists() and _sha256(there) == stored.sha256:
        copied.there_already += 1
        if _sha256(here) != stored.sha256:
            copied.only_there.append(f"{stored.root.value}/{stored.key}")
        return
    try:
        placed = _place(here, there, stored.sha256)
    except _Unreadable:
        placed = False
    if not placed:
        copied.lost.append(f"{stored.root.value}/{stored.key}")
        return
    copied.files += 1
    copied.size_bytes += stored.size_bytes


def _place(source: Path, target: Path, sha256: str | None = None) -> bool:
    """Copy one file durably, whole or not at all; tell whether it is what it should be.

    That is what a row says, if one does. Else what is there stays: it may be the last
    copy, on a disk that failed to read just once.
    """
    digest = hashlib.sha256()
    _make_folder(target.parent)
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(partial, flags, FILE_MODE), "wb") as written:
            for chunk in _chunks(source):
                digest.update(chunk)
                written.write(chunk)
        right = sha256 in (None, digest.hexdigest())
        if right:
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return right


def _sha256(path: Path) -> str:
    """Return a file's digest, nothing where it cannot be read."""
    digest = hashlib.sha256()
    try:
        for chunk in _chunks(path):
            digest.update(chunk)
    except _Unreadable:
        return ""
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise _Unreadable(error.errno, error.strerror, str(path)) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each for its owner alone."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(FOLDER_MODE, exist_ok=True)


def _removed_meanwhile(url: str, keys: Sequence[str]) -> dict[str, datetime]:
    """Return which of these files went by rule while the copy was made, and when."""
    if not keys:
        return {}
    names = {key.partition("/")[2]: key for key in keys}
    removed: dict[str, datetime] = {}
    with closing(open_database(url)) as live, live.reading.begin() as session:
        # Some at a time: a driver takes so many parameters and no more.
        of_all = list(names)
        for first in range(0, len(of_all), ROWS):
            query = sa.select(ReceiptRow.key, ReceiptRow.condemned_at).where(
                ReceiptRow.key.in_(of_all[first : first + ROWS]),
                ReceiptRow.condemned_at.is_not(None),
            )
            rows = session.execute(query)
            removed |= {names[key]: when for key, when in rows if when}
    return removed


def _forget(copy: Database, removed: Mapping[str, datetime]) -> None:
    """Tell the copy of files that it never got."""
    with copy.sessions.begin() as session:
        for key, when in removed.items():
            session.execute(
                sa.update(ReceiptRow)
                .where(ReceiptRow.key == key.partition("/")[2])
                .values(condemned_at=when, removed_at=when)
            )
