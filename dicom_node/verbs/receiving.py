"""The verbs ``receive`` and ``serve``."""

from __future__ import annotations

import argparse

from dicom_node.errors import NodeError
from dicom_node.verbs.opening import at_home, limits_of, load, opened


def serve(arguments: argparse.Namespace) -> int:
    """Receive and work as two processes."""
    from dicom_node import service

    load(arguments)
    named = ["--config", str(arguments.config)]
    return service.serve([["receive", *named], ["work", *named]])


def receive(arguments: argparse.Namespace) -> int:
    """Listen for images and keep them until stopped."""
    from dicom_node import receiver, service, tls
    from dicom_node.admission import AllowList
    from dicom_node.housekeeping import log_room
    from dicom_node.open_associations import OpenAssociations
    from storage.files import Files
    from storage.intake import Intake
    from storage.space import SpaceGate

    config = load(arguments)
    database = opened(config)
    stopping = service.stop_on_signals()
    where = f"{config.node.host}:{config.node.port}"
    secured = tls.inbound(config.tls) if config.tls and config.tls.inbound else None
    with at_home(config, database, "receive", alone=True) as (_, trail):
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
        # Nobody else asks what is open, and each association costs it two commits.
        watch = OpenAssociations(database) if config.completeness.asks else None
        try:
            server = receiver.start(
                store,
                config.node.host,
                config.node.port,
                limits_of(config),
                secured,
                watch.handlers() if watch else (),
            )
        except OSError as error:
            raise NodeError(
                f"cannot listen on {where}: {error.strerror or error}; "
                "end whatever listens there, or set another node.port"
            ) from error
        if watch:
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
            if watch:
                watch.stop()
    database.close()
    return 0
