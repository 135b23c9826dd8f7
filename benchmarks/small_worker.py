"""A worker without a network: indexes, settles, claims, and takes the times of it.

Usage: ``python -m benchmarks.small_worker URL FOLDER TIMES``. It says when it is ready,
and at SIGTERM writes the milliseconds of every transaction as JSON. Grading is left
out: it would take the processor, and does not grow with the database.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sqlalchemy.orm import Session, sessionmaker

from benchmarks.filling import DESTINATION
from dicom_node import logs, service
from dicom_node.completeness import Settler
from dicom_node.indexer import Indexer, Reader, Unreadable
from dicom_node.schedule import Clock
from storage import jobs, outbox
from storage.database import Database, open_database
from storage.files import Files

TICK_SECONDS = 0.2
QUIET_SECONDS = 2.0
LEASE_SECONDS = 60.0
NAME = "small worker"
READY = "ready"


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Milliseconds of transactions, by what they were for."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def taking(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.times[name].append(1000 * (time.perf_counter() - started))

    def over(self, database: Database, name: str, looks: str = "") -> Database:
        """Return the database with every transaction timed, waiting for locks too.

        Those that only look are kept apart where ``looks`` names them.
        """
        writing = _Timed(self, database.sessions, name)
        looking = _Timed(self, database.reading, looks or name)
        return Database(
            database.engine,
            cast("sessionmaker[Session]", writing),
            cast("sessionmaker[Session]", looking),
        )


@dataclass(frozen=True, slots=True)
class _Timed:
    """What the node uses of a sessionmaker."""

    watch: Stopwatch
    sessions: sessionmaker[Session]
    name: str

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with self.watch.taking(self.name), self.sessions.begin() as session:
            yield session


def grade_nothing(database: Database) -> None:
    """Claim every job that waits, and end it at once."""
    while True:
        with database.reading.begin() as session:
            if not jobs.anything_free(session):
                return
        with database.sessions.begin() as session:
            lease = jobs.claim(session, NAME, LEASE_SECONDS)
            if lease is None:
                return
            jobs.finish(session, lease)


def send_nothing(database: Database) -> None:
    """Look for what is due, as for a destination."""
    with database.reading.begin() as session:
        if not outbox.anything_free(session, DESTINATION):
            return
    with database.sessions.begin() as session:
        outbox.claim_due(session, DESTINATION, NAME, LEASE_SECONDS, 10)


def main() -> None:
    url, folder, times = sys.argv[1:]
    logs.configure("ERROR")
    stopping, watch, clock = service.stop_on_signals(), Stopwatch(), Clock()
    # As in the worker, one each: neither waits for the other's files.
    readers, files = [Reader(timeout_seconds=30) for _ in range(2)], Files(Path(folder))
    opened = open_database(url)
    settling = watch.over(opened, "settling")
    claiming = watch.over(opened, "claiming", "looking for work")
    for reader in readers:  # or the second one would look like memory that grows
        with suppress(Unreadable):
            reader.read(Path(__file__))
    indexer = Indexer(watch.over(opened, "indexing"), files, readers[0])
    settler = Settler(settling, files, QUIET_SECONDS, reader=readers[1])
    clock.every(TICK_SECONDS, "index", indexer.index_waiting)
    clock.every(TICK_SECONDS, "settle", settler.settle_quiet)
    clock.every(TICK_SECONDS, "claim", lambda: grade_nothing(claiming))
    clock.every(TICK_SECONDS, "send", lambda: send_nothing(claiming))
    clock.start()
    print(READY, flush=True)
    stopping.wait()
    Path(times).write_text(
        json.dumps({name: [*ms] for name, ms in watch.times.items()})
    )
    for reader in readers:
        reader.close()
    # Behind a load a tick may go on for minutes, and its database goes away.
    os._exit(0)


if __name__ == "__main__":
    main()
