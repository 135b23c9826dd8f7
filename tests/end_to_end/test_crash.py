"""Processes die on any line; what was acknowledged is kept and graded once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom.association import Association

from dicom_node.calling import CallingAE
from dicom_node.config import Destination
from dicom_node.demo_pacs import small_pacs
from dicom_node.sender import Peer
from tests.end_to_end.kills.processes import Process, Starter, forking
from tests.end_to_end.processes import NodeProcesses, node_processes
from tests.end_to_end.scanner import read, send

FAST = "tests.end_to_end.kills.fast_node"


@pytest.fixture
def to_the_pacs(destination: Destination) -> str:
    """The section of the configuration that names the PACS."""
    return (
        f'[[destinations]]\nname = "pacs"\nae_title = "{destination.ae_title}"\n'
        f'host = "127.0.0.1"\nport = {destination.port}\n'
    )


@pytest.fixture
def processes(
    sqlite_database_url: str, tmp_path: Path, to_the_pacs: str
) -> Iterator[NodeProcesses]:
    """The node with the shipped bundle; the fast one is killed on PostgreSQL too."""
    with node_processes(
        tmp_path / "node", sqlite_database_url, destinations=to_the_pacs
    ) as running:
        yield running


@pytest.fixture
def forked(
    database_url: str, tmp_path: Path, to_the_pacs: str
) -> Iterator[tuple[NodeProcesses, Starter]]:
    """The node with a stand-in for the network, on each database."""
    with (
        node_processes(tmp_path / "node", database_url, destinations=to_the_pacs) as it,
        forking(it.folder) as starter,
    ):
        yield it, starter


def axial(files: list[Path]) -> list[pydicom.Dataset]:
    return read([path for path in files if path.parent.name == "t2_ax"])


@pytest.mark.model
def test_a_worker_killed_while_it_grades_loses_nothing_and_grades_once(
    processes: NodeProcesses, destination: Destination, hitachi_files: list[Path]
) -> None:
    with small_pacs(destination.ae_title, destination.port) as pacs:
        processes.start("receive")
        statuses = send(processes.peer, axial(hitachi_files))
        worker = processes.start("work")
        processes.wait_until(lambda seen: seen.jobs.running == 1)
        processes.kill(worker)
        killed = processes.overview()
        processes.start("work")
        done = processes.wait_until(
            lambda seen: any(to.delivered == 2 for to in seen.deliveries)
        )

    assert statuses == [0x0000] * 17
    assert (killed.jobs.running, killed.jobs.done) == (1, 0)
    assert (done.jobs.done, done.receipts.indexed) == (1, 17)
    assert len(pacs.kept) == 2


def test_a_receiver_killed_between_two_images_has_kept_what_it_acknowledged(
    forked: tuple[NodeProcesses, Starter],
    destination: Destination,
    hitachi_files: list[Path],
) -> None:
    node, starter = forked
    images = axial(hitachi_files)
    receiver = starter.start("receive")
    try:
        assoc = associated(node.peer, images[0], receiver)
        acknowledged = [int(assoc.send_c_store(ds).Status) for ds in images[:7]]
    finally:
        receiver.kill()
    assoc.abort()

    with small_pacs(destination.ae_title, destination.port) as pacs:
        running = [starter.start("receive"), starter.start("work")]
        try:
            associated(node.peer, images[0], running[0]).release()
            send(node.peer, images[7:])
            done = node.wait_until(
                lambda seen: any(to.delivered == 2 for to in seen.deliveries)
            )
        finally:
            for process in running:
                process.kill()

    assert acknowledged == [0x0000] * 7
    assert (done.receipts.indexed, done.jobs.done) == (17, 1)
    assert len(pacs.kept) == 2


def associated(node: Peer, ds: pydicom.Dataset, receiver: Process) -> Association:
    """Return an association as soon as the receiver takes one."""
    ae = CallingAE(ae_title="SCANNER")
    ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    while True:
        assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
        if assoc.is_established:
            return assoc
        assert receiver.lives
        time.sleep(0.05)


@pytest.mark.model
def test_a_worker_that_is_asked_to_stop_finishes_and_says_so(
    sqlite_database_url: str, tmp_path: Path, hitachi_files: list[Path]
) -> None:
    with node_processes(tmp_path / "node", sqlite_database_url) as processes:
        processes.start("receive")
        send(processes.peer, axial(hitachi_files))
        worker = processes.start("work")
        processes.wait_until(lambda seen: seen.jobs.running == 1)

        worker.send_signal(signal.SIGTERM)
        status = worker.wait(60)

        assert status == 0
        assert processes.overview().jobs.done == 1
        assert "[action=stopping]" in processes.logs()


def test_no_log_line_names_the_patient(
    sqlite_database_url: str, tmp_path: Path, hitachi_files: list[Path]
) -> None:
    with node_processes(tmp_path / "node", sqlite_database_url) as processes:
        processes.program = FAST  # two patients in one study: nothing is graded
        processes.start("receive")
        images = axial(hitachi_files)
        images[0].PatientName = "Other^Person"
        send(processes.peer, images)
        processes.start("work")
        processes.wait_until(lambda seen: seen.studies.held == 1)

        logs = processes.logs()

    ds = images[1]
    names = [part for part in str(ds.PatientName).split("=") if part]
    assert names
    for secret in (*names, str(ds.PatientID), "Other^Person"):
        assert secret not in logs
