"""A PACS that is down, hangs on any line, or answers with every status there is."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt

from dicom_node import sender, status
from dicom_node.config import Destination
from dicom_node.demo_pacs import small_pacs, wait_for_port
from dicom_node.errors import ContextRefused, PeerUnreachable, SendError, SendRefused
from dicom_node.schedule import Clock
from dicom_node.sender import OpenAssociation, Peer, association
from tests.dicom_factories import as_received, mr_series
from tests.end_to_end.node import Node, deliver, running_node
from tests.end_to_end.scanner import send
from tests.fakes import SameEverywhere
from tests.peers import require_peer
from tests.ports import free_port
from tests.storage.builders import pass_time
from tests.waiting import comes_true

DAY_SECONDS = 86_400.0
HOURS = 24
SILENCE_SECONDS = 0.3
"""How long a PACS may hang in these tests."""
LARGER_THAN_ANY_BUFFER_BYTES = 24 << 20
PATIENCE_SECONDS = 60.0

STORED, AGAIN, NEXT_CLASS, DEAD = "stored", PeerUnreachable, ContextRefused, SendRefused
MEANING = {
    0x0000: STORED,
    0xB000: STORED,  # coercion of data elements
    0xB006: STORED,  # elements discarded
    0xB007: STORED,  # dataset does not match the SOP class
    0xA700: AGAIN,  # out of resources
    0xA7FF: AGAIN,
    0x0110: AGAIN,  # processing failure
    0x0210: AGAIN,  # duplicate invocation
    0x0211: AGAIN,  # unrecognised operation
    0x0213: AGAIN,  # resource limitation
    0x0122: NEXT_CLASS,  # SOP class not supported
    0xA900: DEAD,  # dataset does not match the SOP class
    0xA9FF: DEAD,
    0xC000: DEAD,  # cannot understand
    0xCFFF: DEAD,
    0x0117: DEAD,  # invalid SOP instance
    0x0124: DEAD,  # not authorised
    0x0212: DEAD,  # mistyped argument
    0xFE00: DEAD,  # cancelled, which nobody did
    0x1234: DEAD,  # in no table
}


def picture(size_bytes: int = 2) -> bytes:
    """Return a secondary capture of about that size as a Part 10 file."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = "2.25.1"
    ds.add_new((0x7FE0, 0x0010), "OB", bytes(size_bytes))
    content = BytesIO()
    dcmwrite(content, ds, enforce_file_format=True)
    return content.getvalue()


@contextmanager
def pacs_answering(statuses: list[int]) -> Iterator[Peer]:
    """Run a PACS that answers with each of these in turn."""
    left = iter(statuses)
    ae = AE(ae_title="PACS")
    ae.add_supported_context(SecondaryCaptureImageStorage)
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, lambda _: next(left))],
    )
    assert server is not None
    try:
        yield Peer("PACS", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def test_every_status_of_storage_means_what_the_table_says() -> None:
    content = picture()
    with (
        pacs_answering(list(MEANING)) as peer,
        association("NODE", peer, [SecondaryCaptureImageStorage]) as opened,
    ):
        met = [met_with(opened, content) for _ in MEANING]

    assert dict(met) == MEANING


def met_with(
    opened: OpenAssociation, content: bytes
) -> tuple[int | None, str | type[SendError]]:
    """Send, and return the status that came with what it means."""
    try:
        return opened.send(content), STORED
    except SendError as error:
        return error.status, type(error)


@contextmanager
def listening_silently() -> Iterator[socket.socket]:
    """Listen on a port, take connections, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_pacs_that_takes_a_connection_and_says_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "CONNECT_SECONDS", SILENCE_SECONDS)
    with listening_silently() as silent:
        peer = Peer("PACS", "127.0.0.1", silent.getsockname()[1])

        with (
            pytest.raises(PeerUnreachable),
            association("NODE", peer, [SecondaryCaptureImageStorage]),
        ):
            pytest.fail("nobody accepted an association")


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Peer]]:
    (program,) = require_peer("dcmtk", "storescp")
    port = free_port()
    with subprocess.Popen(
        [program, "--ignore", "-aet", "PACS", str(port)], cwd=tmp_path
    ) as process:
        wait_for_port(port, process)
        yield process, Peer("PACS", "127.0.0.1", port)
        process.kill()


def stop(process: subprocess.Popen[bytes], opened: OpenAssociation) -> None:
    """Let a PACS hang, and the limits of an association be short from now on."""
    process.send_signal(signal.SIGSTOP)
    opened.assoc.dimse_timeout = SILENCE_SECONDS
    opened.assoc.acse_timeout = SILENCE_SECONDS
    transport = opened.assoc.dul.socket
    assert transport is not None
    assert transport.socket is not None
    assert transport.socket.gettimeout() == sender.ANSWER_SECONDS
    transport.socket.settimeout(SILENCE_SECONDS)


@pytest.mark.parametrize(
    "size_bytes", [2, LARGER_THAN_ANY_BUFFER_BYTES], ids=["answering", "reading"]
)
def test_a_pacs_that_stops_in_the_middle_of_an_association_is_left(
    storescp: tuple[subprocess.Popen[bytes], Peer], size_bytes: int
) -> None:
    process, peer = storescp
    before = set(threading.enumerate())

    with association("NODE", peer, [SecondaryCaptureImageStorage]) as opened:
        stop(process, opened)
        with pytest.raises(PeerUnreachable):
            opened.send(picture(size_bytes))
        with pytest.raises(PeerUnreachable, match="closed the association"):
            opened.send(picture())
    opened.assoc.join(PATIENCE_SECONDS)
    opened.assoc.dul.join(PATIENCE_SECONDS)

    assert comes_true(lambda: set(threading.enumerate()) <= before)


def test_a_pacs_that_stops_before_the_release_is_left(
    storescp: tuple[subprocess.Popen[bytes], Peer],
) -> None:
    process, peer = storescp

    with association("NODE", peer, [SecondaryCaptureImageStorage]) as opened:
        stored = opened.send(picture())
        stop(process, opened)

    assert stored == 0x0000
    assert not opened.assoc.is_established


def test_a_pacs_that_hangs_delays_no_other(
    sqlite_database_url: str,
    tmp_path: Path,
    pacs_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "CONNECT_SECONDS", PATIENCE_SECONDS)
    clock, arrived = Clock(), threading.Event()
    with listening_silently() as silent:
        hangs = Destination("hangs", "HANGS", "127.0.0.1", silent.getsockname()[1])
        works = Destination("works", "PACS", "127.0.0.1", pacs_port)
        both = (hangs, works)
        with (
            running_node(
                sqlite_database_url, tmp_path / "node", SameEverywhere(), both
            ) as node,
            small_pacs("PACS", pacs_port) as pacs,
        ):
            send(node.peer, [as_received(ds) for ds in mr_series(4)])
            node.indexer.index_waiting()
            node.settler.settle_quiet()
            node.worker.grade_one()
            for destination in both:
                tick = partial(node.deliverer.send_due, destination)
                clock.every(0.01, destination.name, tick)

            def look() -> None:
                if len(pacs.kept) == 2:
                    arrived.set()

            clock.every(0.01, "look", look)

            clock.start()
            came = arrived.wait(PATIENCE_SECONDS)

            hanging = "hangs" in clock._busy_since
            clock._scheduler.remove_all_jobs()
            silent.close()
            clock.stop()

    assert came
    assert hanging


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    """On SQLite alone: what waits how long is tested on both in `tests.storage`."""
    return sqlite_database_url


def test_a_pacs_that_was_down_for_a_day_gets_everything_once(
    node: Node, destination: Destination
) -> None:
    send(node.peer, [as_received(ds) for ds in mr_series(4)])
    node.work()
    first_retry = node.overview().deliveries[0]
    for _ in range(HOURS):
        with node.database.sessions.begin() as session:
            pass_time(session, DAY_SECONDS / HOURS)
        node.work()
    down = node.overview()

    with small_pacs(destination.ae_title, destination.port) as pacs:
        deliver(node)
        deliver(node)

    up = node.overview()
    assert first_retry.waiting == 2
    assert (down.deliveries[0].waiting, down.deliveries[0].dead) == (2, 0)
    assert down.alarms == ()
    [complaint] = status.complaints(down)
    assert "sent to pacs since 24.0 hours" in complaint
    assert len(pacs.kept) == 2
    assert (up.deliveries[0].delivered, up.jobs.done) == (2, 1)
    assert status.complaints(up) == []
