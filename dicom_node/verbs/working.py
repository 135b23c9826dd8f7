"""The verb ``work``, what it looks after, and the process that grades for it."""

from __future__ import annotations

import argparse
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from dicom_node import config as configuration
from dicom_node import logs
from dicom_node.config import Config
from dicom_node.verbs.opening import at_home, grader_of, installation_of, load, opened
from storage.errors import StorageError

if TYPE_CHECKING:
    import ssl

    from dicom_node.audit.trail import Trail
    from dicom_node.completeness import Settler
    from dicom_node.housekeeping import Housekeeper
    from dicom_node.orders import Ready, StudyMaker
    from dicom_node.reading import Reader
    from storage.database import Database
    from storage.files import Files

ABANDONED_AFTER = timedelta(days=1)
"""No writer takes so long for one file, though a clock be an hour wrong; what is older
was left by a killed one."""


def work(arguments: argparse.Namespace) -> int:
    """Index, settle, grade, send and keep the house until stopped."""
    from dicom_node import service

    config = load(arguments)
    database = opened(config)
    stopping = service.stop_on_signals()
    with at_home(config, database, "work") as (_, trail):
        _tick(config, database, stopping, trail)
    database.close()
    return 0


def _tick(
    config: Config, database: Database, stopping: threading.Event, trail: Trail
) -> None:
    """Index, settle, grade, send and keep the house until stopping."""
    from dicom_node import service
    from dicom_node.grading_process import GradingProcess
    from dicom_node.reading import Reader
    from dicom_node.schedule import Clock
    from storage import commitments, workers
    from storage.files import Files

    files = Files(config.node.data_directory)
    name = f"{socket.gethostname()}:{os.getpid()}"
    grading = GradingProcess(
        configuration.encode(config), config.worker.study_timeout_seconds
    )
    # One for what comes in, and one for what has gone quiet: neither waits.
    readers = (
        Reader(config.worker.index_timeout_seconds),
        Reader(config.worker.index_timeout_seconds),
    )
    files.remove_abandoned_temporaries(ABANDONED_AFTER)
    with database.sessions.begin() as session:
        asked = [it.name for it in config.destinations if it.commitment]
        commitments.withdraw(session, asked)
    clock = Clock()
    for tick in (
        *_ticks(config, name, database, files, grading, readers, trail),
        *_house_ticks(_housekeeper(config, database, files, trail)),
        *_sweeping_ticks(database, files),
    ):
        clock.every(tick.seconds, tick.name, tick.run)
    try:
        ready = grading.start()
        model = ready.model
        what = f"grading with {model.name} {model.version} ({model.basis})"
        what += f", {ready.engine}"
        service.run_clock(clock, stopping, what)
        with suppress(StorageError), database.sessions.begin() as session:
            workers.leave(session, name)
    finally:
        grading.close()
        for reader in readers:
            reader.close()


class _Tick(NamedTuple):
    """Something that the worker looks after again and again."""

    seconds: float
    name: str
    run: Callable[[], object]


def _ticks(
    config: Config,
    name: str,
    database: Database,
    files: Files,
    maker: StudyMaker,
    readers: tuple[Reader, Reader],
    trail: Trail,
) -> Iterator[_Tick]:
    """Build what a worker does; each destination has ticks of its own."""
    from dicom_node.clockwatch import ClockWatch
    from dicom_node.committing import Committer
    from dicom_node.completeness import Settler
    from dicom_node.delivery import Deliverer
    from dicom_node.indexer import Indexer
    from dicom_node.requested import outgoing_tls
    from dicom_node.worker import Worker
    from storage import workers

    reader, judging = readers
    poll, quiet = config.worker.poll_seconds, config.receiver.quiet_seconds
    settler = Settler(
        database,
        files,
        quiet,
        ClockWatch(quiet),
        urgent_calling_ae_titles=frozenset(config.receiver.urgent_calling_ae_titles),
        reader=judging,
    )
    worker = Worker(
        name, database, maker, config.destinations, config.worker.lease_seconds, trail
    )
    ours, tls = config.node.ae_title, outgoing_tls(config)
    deliverer = Deliverer(name, database, files, ours, tls, trail)
    committer = Committer(name, database, ours, tls)

    def give_sign() -> None:
        with database.sessions.begin() as session:
            workers.give_sign(session, name)

    yield _Tick(workers.SIGN_SECONDS, "sign of life", give_sign)
    yield _Tick(poll, "index", Indexer(database, files, reader, trail).index_waiting)
    yield _Tick(poll, "settle", settler.settle_quiet)
    if config.completeness.asks:
        yield from _asking_ticks(config, database, settler, tls, trail)
    yield _Tick(poll, "grade", worker.grade_one)
    for destination in config.destinations:
        send = partial(deliverer.send_due, destination)
        yield _Tick(poll, f"send to {destination.name}", send)
        if destination.commitment:
            ask = partial(committer.ask_due, destination)
            yield _Tick(poll, f"commitment of {destination.name}", ask)


def _housekeeper(
    config: Config, database: Database, files: Files, trail: Trail
) -> Housekeeper:
    from dicom_node.committing import QUESTION_LEASE_SECONDS
    from dicom_node.delivery import DELIVERY_LEASE_SECONDS
    from dicom_node.housekeeping import Housekeeper, Rules

    disk = config.disk
    rules = Rules(
        watermarks=disk.watermarks,
        keep=timedelta(days=disk.keep_days) if disk.keep_days else None,
        quarantine_bytes=disk.quarantine_mb << 20 if disk.quarantine_mb else None,
        longest_lease_seconds=max(
            config.worker.lease_seconds, DELIVERY_LEASE_SECONDS, QUESTION_LEASE_SECONDS
        ),
    )
    return Housekeeper(database, files, config.watched_folders, rules, trail)


def _house_ticks(house: Housekeeper) -> Iterator[_Tick]:
    from dicom_node.housekeeping import EVERY_SECONDS

    yield _Tick(EVERY_SECONDS, "watch the disk", house.watch_disk)
    yield _Tick(EVERY_SECONDS, "remove files", house.remove_files)
    yield _Tick(EVERY_SECONDS, "correct times", house.pull_times_back)


def _sweeping_ticks(database: Database, files: Files) -> Iterator[_Tick]:
    from dicom_node.housekeeping import EVERY_SECONDS
    from dicom_node.sweeping import Sweeper

    sweeper = Sweeper(database, files)
    yield _Tick(EVERY_SECONDS, "sweep a folder", sweeper.sweep_folder)


def _asking_ticks(
    config: Config,
    database: Database,
    settler: Settler,
    tls: ssl.SSLContext | None,
    trail: Trail,
) -> Iterator[_Tick]:
    """Have a PACS asked by ticks of their own, so that nothing waits for it."""
    from dicom_node.asking import Asker
    from dicom_node.fetching import Fetcher
    from dicom_node.query import asking
    from dicom_node.requested import asked_peer

    ours, poll = config.node.ae_title, config.worker.poll_seconds
    ask = partial(asking, ours, asked_peer(config, tls), trail=trail)
    fetcher = None
    if config.completeness.fetch == "move":
        fetcher = Fetcher(partial(ask, move=True), ours)
        yield _Tick(poll, "fetch", fetcher.fetch_wanted)
    asker = Asker(database, settler, ask, fetcher)
    yield _Tick(poll, "ask", asker.ask_and_settle)


def grading_process(_arguments: argparse.Namespace) -> int:
    """Grade what a worker orders; `work` starts this, and nobody else."""
    from dicom_node import children

    link = children.parent()  # before what takes long: stopping must not kill it now

    from dicom_node import making
    from dicom_node.orders import Ready
    from dicom_node.requested import phrases_of
    from storage.files import Files

    def set_up(encoded: bytes) -> tuple[StudyMaker, Ready]:
        config = configuration.decode(encoded)
        logs.configure(config.node.log_level)
        grader = grader_of(config)
        maker = making.Maker(
            Files(config.node.data_directory),
            grader,
            installation_of(config),
            phrases_of(config),
        )
        return maker, Ready(grader.bundle.identity, grader.engine_words)

    making.serve(link, set_up)
    return 0
