"""The command line ``lumbar-node``: builds the objects and passes them down.

The only composition root. Everything heavy is imported by the verb that needs it,
so that the receiver never loads torch and ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dicom_node import config as configuration
from dicom_node import logs
from dicom_node.config import Config, TlsSection
from dicom_node.errors import ConfigError, NodeError
from dicom_node.logs import Action, about
from grading.errors import BundleError, EngineError, GradingError
from storage.errors import NotOurs, SchemaOutOfDate, StorageError

if TYPE_CHECKING:
    from dicom_node.audit.trail import Trail
    from dicom_node.completeness import Settler
    from dicom_node.housekeeping import Housekeeper
    from dicom_node.listening.limits import Limits
    from dicom_node.orders import Ready, StudyMaker
    from dicom_node.reading import Reader
    from dicom_node.report.context import Installation
    from grading.bundle import Bundle
    from grading.grader import Grader
    from storage.database import Database
    from storage.files import Files

log = logging.getLogger(__name__)

DEFAULT_CONFIG = Path("/etc/lumbar-node/config.toml")
FAILED = 1
ABANDONED_AFTER = timedelta(days=1)
"""No writer takes so long for one file, though a clock be an hour wrong; what is older
was left by a killed one."""
ACKNOWLEDGED = ("quarantined", "instance_changed", "quarantine_trimmed")
"""Alarms that only a person can close."""
OURS_ONLY = 0o077
"""Whatever a process of the node makes, SQLite's own files too, is its user's alone."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    arguments = _parser().parse_args(words)
    logs.configure()
    before = os.umask(OURS_ONLY)
    try:
        status: int = arguments.run(arguments)
    except (
        ConfigError,
        BundleError,
        EngineError,
        SchemaOutOfDate,
        NotOurs,
    ) as error:
        print(f"lumbar-node: {error}", file=sys.stderr)
        return configuration.EXIT_STATUS
    except (NodeError, StorageError, GradingError) as error:
        print(f"lumbar-node: {error}", file=sys.stderr)
        return FAILED
    finally:
        os.umask(before)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lumbar-node",
        description="Grade lumbar MRI studies that a PACS sends, and report back.",
    )
    parser.add_argument("--version", action="version", version=_version())
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")

    def add(name: str, run: Callable[..., int], does: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=does, description=does, parents=[common])
        verb.set_defaults(run=run)
        return verb

    add("serve", _serve, "receive and work as two processes, without systemd")
    add("receive", _receive, "listen for images and keep them")
    add("work", _work, "index, grade and send")
    add("migrate", _migrate, "bring the database's schema up to date")
    add("check-config", _check_config, "try everything the configuration names")
    status = add("status", _status, "show studies, jobs, deliveries and alarms")
    status.add_argument("--json", action="store_true")
    status.add_argument(
        "--check", action="store_true", help="exit 1 if a person must act"
    )
    for name, run, does in (
        ("regrade", _regrade, "open a new revision of a study"),
        ("resend", _resend, "send a study's existing output again"),
        ("release", _release, "say that a held study is one patient"),
    ):
        add(name, run, does).add_argument("study_instance_uid", metavar="STUDY_UID")
    acknowledge = add(
        "acknowledge", _acknowledge, "close alarms that a person has seen to"
    )
    acknowledge.add_argument("kind", choices=ACKNOWLEDGED)
    acknowledge.add_argument("study_instance_uid", metavar="STUDY_UID", nargs="?")
    grade = add("grade", _grade, "grade a folder: no network, no database")
    grade.add_argument("folder", type=Path, metavar="FOLDER")
    grade.add_argument("--json", action="store_true")
    grade.add_argument(
        "--out", type=Path, metavar="DIR", help="write SR and picture here"
    )
    grade.add_argument("--bundle", type=Path, metavar="DIR")
    grade.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="JSON of boxes that a person drew (default: boxes.json in FOLDER)",
    )
    grade.add_argument("--accept-phantom-bundle", action="store_true")
    backup = add("backup", _backup, "copy a running node's database and files")
    backup.add_argument("target", type=Path, metavar="TARGET")
    export = add(
        "export-grades", _export_grades, "write all grades as a table for evaluation"
    )
    export.add_argument("csv", type=Path, metavar="CSV")
    export.add_argument(
        "--demographics", action="store_true", help="with each patient's sex and age"
    )
    # No help: it stands in no list of verbs.
    verbs.add_parser("grading-process").set_defaults(run=_grading_process)
    demo = add("demo", _demo, "show the whole path on this machine")
    demo.add_argument("--study", type=Path, metavar="FOLDER")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from dicom_node import service

    _load(arguments)
    named = ["--config", str(arguments.config)]
    return service.serve([["receive", *named], ["work", *named]])


def _receive(arguments: argparse.Namespace) -> int:
    from dicom_node import receiver, service, tls
    from dicom_node.admission import AllowList
    from dicom_node.housekeeping import log_room
    from dicom_node.open_associations import OpenAssociations
    from storage.files import Files
    from storage.intake import Intake
    from storage.space import SpaceGate

    config = _load(arguments)
    database = _open(config)
    stopping = service.stop_on_signals()
    where = f"{config.node.host}:{config.node.port}"
    secured = tls.inbound(config.tls) if config.tls and config.tls.inbound else None
    with _at_home(config, database, "receive", alone=True) as (_, trail):
        store = receiver.Receiver(
            Intake(database, Files(config.node.data_directory)),
            AllowList.of(
                config.receiver.allowed_calling_ae_titles,
                config.receiver.allowed_addresses,
            ),
            config.node.ae_title,
            SpaceGate(config.watched_folders, config.disk.watermarks, log_room),
            trail,
        )
        watch = OpenAssociations(database)
        try:
            server = receiver.start(
                store,
                config.node.host,
                config.node.port,
                _limits(config),
                secured,
                watch.handlers(),
            )
        except OSError as error:
            raise NodeError(
                f"cannot listen on {where}: {error.strerror or error}; "
                "end whatever listens there, or set another node.port"
            ) from error
        watch.start()
        try:
            how = " with TLS" if secured else ""
            service.run_until(
                stopping,
                f"{config.node.ae_title} listens on {where}{how}",
                lambda: server.is_listening,
            )
        finally:
            receiver.stop(server)
            watch.stop()
    database.close()
    return 0


def _work(arguments: argparse.Namespace) -> int:
    from dicom_node import service

    config = _load(arguments)
    database = _open(config)
    stopping = service.stop_on_signals()
    with _at_home(config, database, "work") as (_, trail):
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
    reader = Reader(config.worker.index_timeout_seconds)
    files.remove_abandoned_temporaries(ABANDONED_AFTER)
    with database.sessions.begin() as session:
        asked = [it.name for it in config.destinations if it.commitment]
        commitments.withdraw(session, asked)
    clock = Clock()
    for tick in (
        *_ticks(config, name, database, files, grading, reader, trail),
        *_house_ticks(_housekeeper(config, database, files, trail)),
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
        reader.close()


class _Tick(NamedTuple):
    """Something that the worker looks after again and again."""

    seconds: float
    name: str
    run: Callable[[], object]


def _housekeeper(
    config: Config, database: Database, files: Files, trail: Trail
) -> Housekeeper:
    from dicom_node.delivery import DELIVERY_LEASE_SECONDS
    from dicom_node.housekeeping import Housekeeper, Rules

    disk = config.disk
    rules = Rules(
        watermarks=disk.watermarks,
        keep=timedelta(days=disk.keep_days) if disk.keep_days else None,
        quarantine_bytes=disk.quarantine_mb << 20 if disk.quarantine_mb else None,
        longest_lease_seconds=max(config.worker.lease_seconds, DELIVERY_LEASE_SECONDS),
    )
    return Housekeeper(database, files, config.watched_folders, rules, trail)


def _house_ticks(house: Housekeeper) -> Iterator[_Tick]:
    from dicom_node.housekeeping import EVERY_SECONDS

    yield _Tick(EVERY_SECONDS, "watch the disk", house.watch_disk)
    yield _Tick(EVERY_SECONDS, "remove files", house.remove_files)
    yield _Tick(EVERY_SECONDS, "correct times", house.pull_times_back)


def _asking_ticks(
    config: Config, database: Database, settler: Settler
) -> Iterator[_Tick]:
    """Have a PACS asked by ticks of their own, so that nothing waits for it."""
    from dicom_node.asking import Asker
    from dicom_node.fetching import Fetcher
    from dicom_node.query import asking
    from dicom_node.sender import Peer

    asked, ours = config.completeness, config.node.ae_title
    peer, poll = (
        Peer(asked.ae_title, asked.host, asked.port),
        config.worker.poll_seconds,
    )
    fetcher = None
    if asked.fetch == "move":
        fetcher = Fetcher(partial(asking, ours, peer, move=True), ours)
        yield _Tick(poll, "fetch", fetcher.fetch_wanted)
    asker = Asker(database, settler, partial(asking, ours, peer), fetcher)
    yield _Tick(poll, "ask", asker.ask_and_settle)


def _ticks(
    config: Config,
    name: str,
    database: Database,
    files: Files,
    maker: StudyMaker,
    reader: Reader,
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

    poll, quiet = config.worker.poll_seconds, config.receiver.quiet_seconds
    settler = Settler(
        database,
        files,
        quiet,
        ClockWatch(quiet),
        urgent_calling_ae_titles=frozenset(config.receiver.urgent_calling_ae_titles),
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
        yield from _asking_ticks(config, database, settler)
    yield _Tick(poll, "grade", worker.grade_one)
    for destination in config.destinations:
        send = partial(deliverer.send_due, destination)
        yield _Tick(poll, f"send to {destination.name}", send)
        if destination.commitment:
            ask = partial(committer.ask_due, destination)
            yield _Tick(poll, f"commitment of {destination.name}", ask)


def _grading_process(_arguments: argparse.Namespace) -> int:
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
        grader = _grader(config)
        maker = making.Maker(
            Files(config.node.data_directory),
            grader,
            _installation(config),
            phrases_of(config),
        )
        return maker, Ready(grader.bundle.identity, grader.engine_words)

    making.serve(link, set_up)
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    from storage.database import migrate
    from storage.files import Files

    config = _load(arguments)
    Files(config.node.data_directory).make_folder()
    migrate(config.database_url)
    print("the schema is up to date")
    return 0


def _check_config(arguments: argparse.Namespace) -> int:
    from dicom_node.requested import outgoing_tls, peer, phrases_of
    from dicom_node.sender import echo
    from grading.engines.choosing import require

    config = _load(arguments)
    language = phrases_of(config).language
    print(f"{arguments.config}: valid, reports in {language}")
    if config.tls:
        print(f"tls: {_certificates(config.tls)}")
    secured = outgoing_tls(config)
    _open(config).close()
    print("database: reachable, schema up to date")
    identity = _bundle(config).identity
    print(f"bundle: {identity.name} {identity.version}, basis {identity.basis}")
    require(config.model.engine)
    print(f"engine: {config.model.engine}")
    unreachable = 0
    for destination in config.destinations:
        try:
            echo(config.node.ae_title, peer(destination, secured))
            print(f"destination {destination.name}: answers C-ECHO")
        except NodeError as error:
            unreachable += 1
            print(f"destination {destination.name}: {error}")
    unreachable += not _answers_questions(config)
    return FAILED if unreachable else 0


def _certificates(section: TlsSection) -> str:
    """Say until when the certificates are good, and what to do where that is soon."""
    from dicom_node import tls

    ends = tls.expiry(section)
    if ends < datetime.now(UTC) + tls.RENEW_BEFORE:
        return f"a certificate ends on {ends:%Y-%m-%d}: renew it, restart both units"
    return f"all certificates are good until {ends:%Y-%m-%d}"


def _answers_questions(config: Config) -> bool:
    """Say whether the PACS takes the questions that the configuration has asked."""
    from dicom_node.query import asking
    from dicom_node.sender import Peer

    asked = config.completeness
    if not asked.asks:
        return True
    peer = Peer(asked.ae_title, asked.host, asked.port)
    try:
        for move in (False, True) if asked.fetch == "move" else (False,):
            with asking(config.node.ae_title, peer, move=move):
                print(f"completeness: takes {'C-MOVE' if move else 'C-FIND'}")
    except NodeError as error:
        print(f"completeness: {error}")
        return False
    return True


def _status(arguments: argparse.Namespace) -> int:
    from dicom_node import status
    from storage.overview import overview
    from storage.space import scarcest

    config = _load(arguments)
    database = _open(config)
    with database.reading.begin() as session:
        seen = overview(session)
    database.close()
    room = status.Disk(scarcest(config.watched_folders), config.disk.watermarks)
    print(
        json.dumps(status.as_json(seen, room), indent=2)
        if arguments.json
        else status.text(seen, room)
    )
    return FAILED if arguments.check and status.needs_a_person(seen, room) else 0


def _regrade(arguments: argparse.Namespace) -> int:
    from storage import jobs, retention, studies

    study = arguments.study_instance_uid
    database = _open(_load(arguments))
    with database.sessions.begin() as session:
        last = jobs.get(session, study)
        if last is None:
            raise NodeError(
                f"{study} was never queued: it holds no image, or still comes in"
            )
        revision = studies.force_revision(session, study)
        retention.require_images(session, study)
        jobs.add(session, study, revision, last.input_digest)
    database.close()
    print(f"revision {revision} of {study} waits to be graded")
    return 0


def _resend(arguments: argparse.Namespace) -> int:
    from dicom_node.requested import addressee
    from storage import outbox

    config = _load(arguments)
    database = _open(config)
    addressees = [addressee(destination) for destination in config.destinations]
    with database.sessions.begin() as session:
        count = outbox.resend(session, arguments.study_instance_uid, addressees)
    database.close()
    print(f"{count} objects of {arguments.study_instance_uid} wait to be sent again")
    return 0 if count else FAILED


def _release(arguments: argparse.Namespace) -> int:
    from storage import studies

    database = _open(_load(arguments))
    with database.sessions.begin() as session:
        studies.release(session, arguments.study_instance_uid)
    database.close()
    print(f"{arguments.study_instance_uid} is released and will be looked at again")
    return 0


def _acknowledge(arguments: argparse.Namespace) -> int:
    from storage import alarms
    from storage.states import AlarmKind

    database = _open(_load(arguments))
    kind = AlarmKind(arguments.kind)
    with database.sessions.begin() as session:
        count = alarms.resolve(session, kind, arguments.study_instance_uid)
    database.close()
    print(f"{count} alarms of kind {kind} closed")
    return 0 if count else FAILED


def _grade(arguments: argparse.Namespace) -> int:
    from dicom_node import folder
    from dicom_node.report.context import Installation
    from grading.bundle import accept, load_bundle, shipped_bundle_path
    from grading.grader import Grader

    bundle = load_bundle(arguments.bundle or shipped_bundle_path())
    accept(bundle, arguments.accept_phantom_bundle)
    found = folder.grade_folder(arguments.folder, Grader(bundle), arguments.boxes)
    installation = Installation(
        device_uid=_device_uid("grade"),
        serial_number="grade",
        software_version=_version(),
    )
    if arguments.out:
        now = datetime.now(UTC)
        folder.write_all(found, installation, now, arguments.out)
    print(folder.as_json_text(found) if arguments.json else folder.as_text(found))
    for line in folder.complaints(found):
        print(line, file=sys.stderr)
    return 0 if any(study.grades for study in found.studies) else FAILED


def _export_grades(arguments: argparse.Namespace) -> int:
    from dicom_node import export, pseudonyms
    from storage.files import Files

    config = _load(arguments)
    database, directory = _open(config), config.node.data_directory
    try:
        exported = export.export_grades(
            export.Export(
                database=database,
                files=Files(directory),
                key=pseudonyms.key_of(directory),
                site=config.node.institution_name,
                demographics=arguments.demographics,
            ),
            arguments.csv,
        )
    except OSError as error:
        raise NodeError(f"{error.filename}: {error.strerror}") from error
    finally:
        database.close()
    print(f"{exported.rows} rows of {exported.studies} studies are in {arguments.csv}")
    for line in exported.left_out:
        print(line, file=sys.stderr)
    return FAILED if exported.left_out else 0


def _backup(arguments: argparse.Namespace) -> int:
    from dicom_node.pseudonyms import KEY_NAME
    from storage.backup import back_up
    from storage.installation import ID_NAME, installation_id

    config = _load(arguments)
    _open(config).close()
    directory, target = config.node.data_directory, arguments.target
    installation_id(directory)
    kept = [directory / ID_NAME, directory / KEY_NAME, arguments.config]
    try:
        copied = back_up(
            config.database_url, directory, target, [it for it in kept if it.exists()]
        )
    except OSError as error:
        raise NodeError(f"{error.filename or target}: {error.strerror}") from error
    print(
        f"{copied.database.name} and {copied.files} files "
        f"({copied.size_bytes >> 20} MB) are in {target}; "
        f"{copied.there_already} files were there already"
    )
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from dicom_node.demo import demo

    return demo(arguments.study, arguments.out)


def _load(arguments: argparse.Namespace) -> Config:
    config = configuration.load(arguments.config)
    logs.configure(config.node.log_level)
    return config


def _limits(config: Config) -> Limits:
    from dicom_node.listening.limits import Limits

    section = config.receiver
    return Limits(
        max_associations=section.max_associations,
        max_connections=section.max_connections,
        max_connections_per_address=section.max_connections_per_address,
        setup_seconds=section.setup_seconds,
        idle_seconds=section.idle_seconds,
        max_object_bytes=int(section.max_object_megabytes * 1_048_576),
    )


@contextmanager
def _at_home(
    config: Config, database: Database, role: str, *, alone: bool = False
) -> Iterator[tuple[str, Trail]]:
    """Hold the data directory; give the installation's id and the audit trail."""
    from dicom_node.audit.trail import trail_of
    from storage.database import database_file
    from storage.installation import occupied, tighten

    directory = config.node.data_directory
    with ExitStack() as held:
        try:
            ours = held.enter_context(
                occupied(database, directory, alone_as=role if alone else None)
            )
            opened = tighten(directory, database_file(config.database_url))
        except OSError as error:
            raise NodeError(
                f"{error.filename or directory}: {error.strerror}; the service's user "
                "must be able to write there"
            ) from error
        for path in opened:
            log.warning(
                "others could read %s, and no longer can",
                path,
                extra=about(Action.PERMISSIONS_TIGHTENED),
            )
        trail = trail_of(config, role)
        held.callback(trail.stopped)
        trail.started()
        yield ours, trail


def _open(config: Config) -> Database:
    from storage.database import check_schema, open_database

    database = open_database(config.database_url)
    check_schema(database)
    return database


def _bundle(config: Config) -> Bundle:
    from grading.bundle import accept, load_bundle, shipped_bundle_path

    bundle = load_bundle(config.model.bundle or shipped_bundle_path())
    accept(bundle, config.model.accept_phantom_bundle)
    return bundle


def _grader(config: Config) -> Grader:
    from grading.grader import Grader

    return Grader(
        _bundle(config),
        config.model.device,
        engine=config.model.engine,
        engine_folder=config.node.data_directory / "engine",
    )


def _installation(config: Config) -> Installation:
    """Describe this node; its serial number was made once and is kept with the data."""
    from dicom_node.report.context import Installation
    from storage.installation import installation_id

    serial_number = installation_id(config.node.data_directory)
    return Installation(
        device_uid=_device_uid(serial_number),
        serial_number=serial_number,
        software_version=_version(),
        institution_name=config.node.institution_name,
    )


def _device_uid(serial_number: str) -> str:
    """Return the UID under which reports name this installation."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, serial_number).int}"


def _version() -> str:
    return version("lumbar-node")


if __name__ == "__main__":
    sys.exit(main())
