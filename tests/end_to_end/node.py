"""A node whose receiver listens for real and whose worker is ticked by the test."""

from __future__ import annotations

import atexit
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dicom_node import receiver
from dicom_node.admission import AllowList
from dicom_node.committing import Committer
from dicom_node.completeness import Settler
from dicom_node.config import Destination
from dicom_node.delivery import Deliverer
from dicom_node.indexer import Indexer
from dicom_node.listening.limits import Limits
from dicom_node.listening.server import Server
from dicom_node.making import Maker, StudyGrader
from dicom_node.open_associations import OpenAssociations
from dicom_node.reading import Reader
from dicom_node.report.context import Installation
from dicom_node.sender import Peer
from dicom_node.worker import Worker
from storage.database import Database, open_database
from storage.files import Files
from storage.installation import installation_id
from storage.intake import Intake
from storage.overview import Overview, overview
from storage.space import SpaceGate
from tests.privacy import hear_database

NODE_TITLE = "LUMBARNODE"
LIMITS = Limits(max_associations=10)
EVERYBODY = AllowList(frozenset(), ())
INSTALLATION = Installation("2.25.77", "test", "0.0.0")


@dataclass(frozen=True)
class Node:
    """Receives by itself; indexes, settles, grades and sends when told to."""

    peer: Peer
    database: Database
    files: Files
    indexer: Indexer
    settler: Settler
    worker: Worker
    deliverer: Deliverer
    committer: Committer
    server: Server

    def work(self) -> None:
        """Do everything that is due, until nothing is left."""
        while self.indexer.index_waiting():
            pass
        self.settler.settle_quiet()
        while self.worker.grade_one():
            pass
        for destination in self.worker.destinations:
            self.deliverer.send_due(destination)

    def overview(self) -> Overview:
        with self.database.reading.begin() as session:
            return overview(session)


@cache
def _reader() -> Reader:
    """One reading child for all nodes: starting a child takes long."""
    reader = Reader(timeout_seconds=60)
    atexit.register(reader.close)
    return reader


@contextmanager
def running_node(
    database_url: str,
    folder: Path,
    grader: StudyGrader,
    destinations: tuple[Destination, ...] = (),
    allow_list: AllowList = EVERYBODY,
    limits: Limits = LIMITS,
    tls: ssl.SSLContext | None = None,
    space: SpaceGate | None = None,
) -> Iterator[Node]:
    """Run a node on a free port; studies count as quiet at once."""
    files = Files(folder)
    installation_id(folder)  # whether the disk is here is known by it
    reading = _reader()
    with closing(open_database(database_url)) as database:
        store = receiver.Receiver(
            Intake(database, files), allow_list, NODE_TITLE, space
        )
        watch = OpenAssociations(database)
        server = receiver.start(store, "127.0.0.1", 0, limits, tls, watch.handlers())
        worker = Worker(
            name="test",
            database=database,
            maker=Maker(files, grader, INSTALLATION),
            destinations=destinations,
            lease_seconds=60,
        )
        try:
            yield Node(
                Peer(NODE_TITLE, "127.0.0.1", server.server_address[1]),
                database,
                files,
                Indexer(database, files, reading),
                Settler(database, files, quiet_seconds=0, reader=reading),
                worker,
                Deliverer("test", database, files, NODE_TITLE),
                # A test whose archive answers there waits longer.
                Committer("test", database, NODE_TITLE, answer_here_seconds=0.2),
                server,
            )
        finally:
            receiver.stop(server)
            hear_database(database)


def deliver(node: Node) -> None:
    """Let every delivery's waiting time be over, and work."""
    with node.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET not_before = created_at")
    node.work()
