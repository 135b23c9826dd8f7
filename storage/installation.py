"""Whose data directory this is, and whose database: two nodes never share either.

Three things keep them apart. The directory has an id, and the database names the
directory it belongs to. The database has an id too, made with it, and whoever works in
the directory says which database it works for: a lock that only processes of the same
node share. And a role that may exist once, receiving, has a lock of its own.

Locks are those of flock(2): the kernel lets go of them when the last process that holds
them ends, however it ends. Children that were forked hold their parent's.
"""

from __future__ import annotations

import fcntl
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from storage.database import Database, insert_missing
from storage.errors import NotOurs
from storage.files import FILE_MODE, FOLDER_MODE, Files
from storage.tables import InstallationRow

ID_NAME = "installation-id"
LOCK_NAME = "node.lock"
THE_ROW = 1
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def occupied(
    database: Database, data_directory: Path, *, alone_as: str | None = None
) -> Iterator[str]:
    """Hold a data directory for the block, and give the installation's id.

    Workers share it, if they work for the same database; a role that ``alone_as``
    names is held by one process.

    Raises
    ------
    NotOurs
        Another node works there, or the database is another installation's.
    OSError
        The directory cannot be made or written.
    """
    data_directory.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    ours = installation_id(data_directory)
    with ExitStack() as held:
        database_id = _database_of(database, ours, data_directory)
        held.enter_context(_shared(data_directory / LOCK_NAME, database_id))
        if alone_as:
            held.enter_context(_alone(data_directory / f"{alone_as}.lock", alone_as))
        yield ours


@contextmanager
def nobody_works(data_directory: Path) -> Iterator[None]:
    """Keep everybody out of a data directory for the block.

    Raises
    ------
    NotOurs
        A process of a node works there.
    OSError
        The lock cannot be made.
    """
    path = data_directory / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        if not _lock(descriptor, fcntl.LOCK_EX):
            raise NotOurs(
                f"a node works in {data_directory}: stop lumbar-node-worker and "
                f"lumbar-node-receiver (and `serve`) first"
            )
        yield
    finally:
        os.close(descriptor)


def installation_id(data_directory: Path) -> str:
    """Return the id that reports carry as serial number, made at the first call.

    Raises
    ------
    OSError
        It cannot be read or written.
    """
    made = Files(data_directory).made_once(ID_NAME, uuid.uuid4().hex.encode())
    return made.decode("ascii").strip()


def is_here(data_directory: Path) -> bool:
    """Tell whether a data directory can be looked into, and is one.

    Where a mount has gone there is an empty folder, in which every file is missing.
    """
    try:
        return bool((data_directory / ID_NAME).read_bytes())
    except OSError:
        return False


def tighten(data_directory: Path, database_file: Path | None) -> list[Path]:
    """Take from others what only the node may read; return what was too open.

    A restored copy often is. SQLite gives its write-ahead log the mode of the database.

    Raises
    ------
    NotOurs
        The mode cannot be changed.
    """
    beside = ("", "-wal", "-shm", "-turn")
    databases = [Path(f"{database_file}{end}") for end in beside if database_file]
    modes = [(data_directory, FOLDER_MODE)]
    modes += [(path, FILE_MODE) for path in databases]
    modes += [(data_directory / ID_NAME, FILE_MODE)]
    tightened = []
    for path, mode in modes:
        if not path.exists() or not stat.S_IMODE(path.stat().st_mode) & OTHERS:
            continue
        try:
            path.chmod(mode)
        except PermissionError as error:
            raise NotOurs(
                f"others can read {path}, and it is not ours to change: "
                f"run chmod {mode:o} {path}, or give it to the service's user"
            ) from error
        tightened.append(path)
    return tightened


def _database_of(database: Database, ours: str, data_directory: Path) -> str:
    """Return the database's id, and bind it to this installation at the first call."""
    with database.sessions.begin() as session:
        insert_missing(
            session,
            InstallationRow,
            number=THE_ROW,
            installation_id=ours,
            database_id=uuid.uuid4().hex,
        )
        row = session.get_one(InstallationRow, THE_ROW)
        theirs, database_id = row.installation_id, row.database_id
    if theirs != ours:
        raise NotOurs(
            f"the database belongs to installation {theirs}, but {data_directory} is "
            f"{ours}: two nodes must not share a database. Set another [database] url; "
            f"or, if this directory was made anew for that database, write {theirs} "
            f"into {data_directory / ID_NAME}"
        )
    return database_id


@contextmanager
def _shared(path: Path, database_id: str) -> Iterator[None]:
    """Work here together with whoever works for the same database."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        if _lock(descriptor, fcntl.LOCK_EX):
            # Nobody else is here: the directory is this database's from now on.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, database_id.encode(), 0)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # Between the two locks somebody else may have come first.
        if os.pread(descriptor, 100, 0).decode() != database_id:
            raise NotOurs(
                f"another node works in {path.parent}, for another database: two nodes "
                f"must not share a data directory. Set another node.data_directory, or "
                f"stop the other one"
            )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _alone(path: Path, role: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        if not _lock(descriptor, fcntl.LOCK_EX):
            raise NotOurs(
                f"another `lumbar-node {role}` works in {path.parent}: stop it, or set "
                f"another node.data_directory and another database"
            )
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
