"""The verbs that look: ``migrate``, ``check-config``, ``status``."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dicom_node.config import Config, TlsSection
from dicom_node.errors import NodeError
from dicom_node.verbs.opening import bundle_of, load, opened
from storage.errors import SchemaOutOfDate

if TYPE_CHECKING:
    import ssl

FAILED = 1


def migrate(arguments: argparse.Namespace) -> int:
    """Bring the database's schema up to date; while nobody works, if it is not."""
    from storage.database import migrate
    from storage.files import Files
    from storage.installation import nobody_works

    config = load(arguments)
    directory = config.node.data_directory
    try:
        Files(directory).make_folder()
        if not _is_up_to_date(config):
            with nobody_works(directory):
                migrate(config.database_url)
    except OSError as error:
        raise NodeError(f"{error.filename or directory}: {error.strerror}") from error
    print("the schema is up to date")
    return 0


def _is_up_to_date(config: Config) -> bool:
    from storage.database import check_schema, open_database

    database = open_database(config.database_url)
    try:
        check_schema(database)
    except SchemaOutOfDate:
        return False
    finally:
        database.close()
    return True


def check_config(arguments: argparse.Namespace) -> int:
    """Try everything that the configuration names."""
    from dicom_node.requested import outgoing_tls, peer, phrases_of
    from dicom_node.sender import echo
    from grading.engines.choosing import require

    config = load(arguments)
    language = phrases_of(config).language
    print(f"{arguments.config}: valid, reports in {language}")
    if config.tls:
        print(f"tls: {_certificates(config.tls)}")
    secured = outgoing_tls(config)
    opened(config).close()
    print("database: reachable, schema up to date")
    identity = bundle_of(config).identity
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
    unreachable += not _answers_questions(config, secured)
    return FAILED if unreachable else 0


def _certificates(section: TlsSection) -> str:
    """Say until when the certificates are good, and what to do where that is soon."""
    from dicom_node import tls

    ends = tls.expiry(section)
    if ends < datetime.now(UTC) + tls.RENEW_BEFORE:
        return f"a certificate ends on {ends:%Y-%m-%d}: renew it, restart both units"
    return f"all certificates are good until {ends:%Y-%m-%d}"


def _answers_questions(config: Config, secured: ssl.SSLContext | None) -> bool:
    """Say whether the PACS takes the questions that the configuration has asked."""
    from dicom_node.query import asking
    from dicom_node.requested import asked_peer

    asked = config.completeness
    if not asked.asks:
        return True
    peer = asked_peer(config, secured)
    try:
        for move in (False, True) if asked.fetch == "move" else (False,):
            with asking(config.node.ae_title, peer, move=move):
                print(f"completeness: takes {'C-MOVE' if move else 'C-FIND'}")
    except NodeError as error:
        print(f"completeness: {error}")
        return False
    return True


def status(arguments: argparse.Namespace) -> int:
    """Show studies, jobs, deliveries and alarms."""
    from dicom_node import status
    from storage.overview import overview
    from storage.space import scarcest

    config = load(arguments)
    database = opened(config)
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
