"""What verbs begin with: configuration, database, bundle, the node's identity."""

from __future__ import annotations

import argparse
import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from dicom_node import config as configuration
from dicom_node import logs
from dicom_node.config import Config
from dicom_node.errors import NodeError
from dicom_node.logs import Action, about

if TYPE_CHECKING:
    from dicom_node.audit.trail import Trail
    from dicom_node.listening.limits import Limits
    from dicom_node.report.context import Installation
    from grading.bundle import Bundle
    from grading.grader import Grader
    from storage.database import Database

log = logging.getLogger(__name__)


def load(arguments: argparse.Namespace) -> Config:
    """Read the configuration that the command line names, and log as it says."""
    config = configuration.load(arguments.config)
    logs.configure(config.node.log_level)
    return config


def opened(config: Config) -> Database:
    """Open the database, whose schema must be ours."""
    from storage.database import check_schema, open_database

    database = open_database(config.database_url)
    check_schema(database)
    return database


@contextmanager
def at_home(
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


def limits_of(config: Config) -> Limits:
    """Return what peers may do at once, and for how long."""
    from dicom_node.listening.limits import Limits

    section = config.receiver
    return Limits(
        max_associations=section.max_associations,
        max_connections=section.max_connections,
        max_connections_per_address=section.max_connections_per_address,
        setup_seconds=section.setup_seconds,
        idle_seconds=section.idle_seconds,
        max_object_bytes=int(section.max_object_megabytes * 1_048_576),
        memory_bytes=int(section.memory_megabytes * 1_048_576),
    )


def bundle_of(config: Config) -> Bundle:
    """Load the bundle that grades here, if the configuration accepts it."""
    from grading.bundle import accept, load_bundle, shipped_bundle_path

    bundle = load_bundle(config.model.bundle or shipped_bundle_path())
    accept(bundle, config.model.accept_phantom_bundle)
    return bundle


def grader_of(config: Config) -> Grader:
    """Load what grades."""
    from grading.grader import Grader

    return Grader(
        bundle_of(config),
        config.model.device,
        engine=config.model.engine,
        engine_folder=config.node.data_directory / "engine",
    )


def installation_of(config: Config) -> Installation:
    """Describe this node; its serial number was made once and is kept with the data."""
    from dicom_node.report.context import Installation
    from storage.installation import installation_id

    serial_number = installation_id(config.node.data_directory)
    return Installation(
        device_uid=device_uid(serial_number),
        serial_number=serial_number,
        software_version=own_version(),
        institution_name=config.node.institution_name,
    )


def device_uid(serial_number: str) -> str:
    """Return the UID under which reports name this installation."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, serial_number).int}"


def own_version() -> str:
    """Return the version of this program."""
    return version("lumbar-node")
