"""Real peers for the tests: found on this machine, started and stopped by us.

Where a peer is missing its tests are skipped with the reason; with
``REQUIRE_PEERS=1`` in the environment they fail instead, so that nobody takes a
skipped test for a passed one.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg import sql

from storage.database import migrate
from storage.tables import metadata

SERVER_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/sbin", "/usr/local/sbin")
"""Where Debian keeps servers that are on nobody's PATH."""


def require_peer(name: str, *programs: str) -> tuple[Path, ...]:
    """Return where a peer's programs are, in the order asked for.

    Without them the test is skipped, or fails under ``REQUIRE_PEERS=1``.
    """
    found = {program: _find(program) for program in programs}
    if missing := [program for program, path in found.items() if path is None]:
        refuse(f"{name} is not installed: no {', '.join(missing)}; install {name}")
    return tuple(path for path in found.values() if path)


def refuse(reason: str) -> NoReturn:
    """Skip the test, or fail it under ``REQUIRE_PEERS=1``."""
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _is_a_namesake(path: Path) -> bool:
    """Whether this is a script of pynetdicom's, which are named as DCMTK's programs."""
    with path.open("rb") as file:
        return b"pynetdicom" in file.read(512)


def _find(program: str) -> Path | None:
    for folder in os.get_exec_path():
        on_path = shutil.which(program, path=folder)
        if on_path and not _is_a_namesake(Path(on_path)):
            return Path(on_path)
    root = Path("/")
    for folder in SERVER_FOLDERS:
        # The newest of several PostgreSQL versions comes last.
        if candidates := sorted(root.glob(f"{folder[1:]}/{program}")):
            return candidates[-1]
    return None


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of an empty database on a PostgreSQL of this session's own."""
    with running_postgresql() as url:
        yield url


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a PostgreSQL of our own; give the URL of its empty database."""
    with _server() as server:
        yield server.url


@dataclass(frozen=True)
class StoppableServer:
    """A PostgreSQL of one test's own, stopped and started again as it likes."""

    pg_ctl: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}"

    def stop(self) -> None:
        """As a machine that is switched off: whoever is connected is cut off."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off"
        self._control("-l", self.folder / "log", "-o", options, "start")

    def _control(self, *arguments: str | Path) -> None:
        cluster = ("-D", self.folder / "cluster", "-w")
        _run_as(_server_user(), self.folder, self.pg_ctl, *cluster, *arguments)


@pytest.fixture
def stoppable_postgresql() -> Iterator[StoppableServer]:
    """A migrated PostgreSQL that the test may stop."""
    with _server() as server:
        migrate(server.url)
        yield server


@contextmanager
def _server() -> Iterator[StoppableServer]:
    initdb, pg_ctl = require_peer("postgresql", "initdb", "pg_ctl")
    # Not pytest's folder: PostgreSQL's own user could not reach into it.
    with (
        tempfile.TemporaryDirectory(
            prefix="postgresql-", ignore_cleanup_errors=True
        ) as folder,
        _started(initdb, pg_ctl, Path(folder)),
    ):
        yield StoppableServer(pg_ctl, Path(folder))


@contextmanager
def _started(initdb: Path, pg_ctl: Path, folder: Path) -> Iterator[None]:
    cluster = folder / "cluster"
    # A socket in our own folder: no port that another server may have taken.
    # Durability is PostgreSQL's own business here, so it need not cost time.
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=200"
    user = _server_user()
    if user:
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    _run_as(user, folder, initdb, "-D", cluster, "--locale=C.UTF-8", *arguments)
    control = (pg_ctl, "-D", cluster, "-w")
    _run_as(user, folder, *control, "-l", folder / "log", "-o", options, "start")
    try:
        yield
    finally:
        _run_as(user, folder, *control, "-m", "immediate", "stop")


def _server_user() -> str | None:
    """Return whom to start PostgreSQL as: it refuses root, anybody else will do."""
    return "postgres" if os.geteuid() == 0 else None


def _run_as(
    user: str | None, folder: Path, program: Path, *arguments: str | Path
) -> None:
    finished = subprocess.run(
        [program, *arguments],
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd=folder,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        # A server that outlives its starter would keep pipes open for ever.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if program.name == "initdb" else subprocess.DEVNULL,
        check=False,
    )
    if finished.returncode != 0:
        said = (finished.stderr or b"").decode(errors="replace")
        pytest.fail(f"{program.name} {arguments} ended {finished.returncode}: {said}")


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgresql_url: str) -> str:
    """The URL of a migrated database: making one for each test takes too long."""
    migrate(postgresql_url)
    return postgresql_url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file to copy: quicker than migrating each."""
    path = tmp_path_factory.mktemp("migrated") / "node.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database of the test's own, on each database."""
    # Fetched by name: where PostgreSQL is missing SQLite is still tested.
    url: str = request.getfixturevalue(f"{request.param}_database_url")
    return url


@pytest.fixture
def sqlite_database_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """The URL of a copy of the migrated file."""
    path = tmp_path / "node.sqlite"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_database_url(migrated_postgresql_url: str) -> Iterator[str]:
    """The URL of the session's database, emptied after the test."""
    with emptied_afterwards(migrated_postgresql_url) as url:
        yield url


@contextmanager
def emptied_afterwards(url: str) -> Iterator[str]:
    """Lend the session's PostgreSQL to a test, or to what several tests look at."""
    yield url
    with psycopg.connect(url.replace("+psycopg", "")) as session:
        # Whoever the test left behind may hold locks, or write into the next test.
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for table in reversed(metadata.sorted_tables):
            session.execute(
                sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name))
            )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount") or refuse("there is no mount command here")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        refuse("a small tmpfs cannot be mounted here; run as root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
