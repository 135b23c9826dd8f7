"""Seven ways that stop a receiver on pynetdicom, each with C-ECHO throughout."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator

import pytest

from dicom_node import sender, tls
from dicom_node.config import TlsSection
from dicom_node.listening.limits import Limits
from tests.dicom_node.listening.conftest import SOON_CLOSING, Start
from tests.dicom_node.listening.raw_peer import (
    ABORTED,
    DATA,
    ECHO_CONTEXT,
    STORE_CONTEXT,
    SUCCESS,
    RawPeer,
    connections,
    echo,
    fragment,
    heartbeat,
    pdu,
    request,
    store_request,
)
from tests.waiting import comes_true


def test_silent_clients_of_tls_keep_nobody_out(
    start: Start, section: TlsSection, client: ssl.SSLContext
) -> None:
    node = start(secured=tls.inbound(section))

    with heartbeat(node.peer, client) as beat, connections(node.peer, 3):
        assert beat.answers()


def test_silent_clients_of_tls_are_closed(start: Start, section: TlsSection) -> None:
    node = start(SOON_CLOSING, secured=tls.inbound(section))

    with connections(node.peer, 3) as silent:
        assert all(peer.is_closed() for peer in silent)


def test_clients_that_dribble_their_request_hold_no_place(start: Start) -> None:
    node = start()

    with heartbeat(node.peer) as beat, connections(node.peer, 3) as dribbling:
        for peer in dribbling:
            peer.send(request(node.peer.ae_title)[:10])
        assert beat.answers()


def test_clients_that_dribble_their_request_are_closed(start: Start) -> None:
    node = start(SOON_CLOSING)
    whole = request(node.peer.ae_title)

    with connections(node.peer, 3) as dribbling:
        for peer in dribbling:
            peer.send(whole[:10])
        # A byte now and then does not push the deadline out.
        assert all(cannot_finish(peer, whole[10:]) for peer in dribbling)


def cannot_finish(peer: RawPeer, rest: bytes) -> bool:
    peer.socket.settimeout(0.05)
    for byte in rest:
        try:
            peer.send(bytes([byte]))
            if not peer.socket.recv(1):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize("pdu_type", [0x01, 0x04, 0x05], ids=hex)
def test_a_pdu_that_claims_4_gib_is_not_read(start: Start, pdu_type: int) -> None:
    node = start()

    with heartbeat(node.peer) as beat:
        taken = sent_until_closed(RawPeer(node.peer), pdu(pdu_type, b"", 0xFFFFFFFF))
        assert beat.answers()

    # What the kernel's buffers hold, and no more.
    assert taken < 16_777_216


def sent_until_closed(peer: RawPeer, header: bytes) -> int:
    """Send a header and then anything; return how many bytes were taken."""
    taken, megabyte = 0, bytes(1_048_576)
    try:
        peer.send(header)
        while taken < 268_435_456:
            taken += peer.socket.send(megabyte)
    except OSError:
        pass
    finally:
        peer.close()
    return taken


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """More than select(2) can count, so that every new one is beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    null = os.open(os.devnull, os.O_RDONLY)
    taken = [null]
    while taken[-1] < 1100:
        taken.append(os.dup(null))
    yield
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_more_than_1024_open_descriptors_disturb_neither_receiving_nor_sending(
    start: Start,
) -> None:
    node = start()

    with heartbeat(node.peer) as beat:
        assert beat.answers()
    sender.echo("SCANNER", node.peer)


def test_idle_associations_cost_nothing(start: Start) -> None:
    node = start(Limits(max_associations=30))

    with connections(node.peer, 20) as idle:
        for peer in idle:
            peer.associate()
        # Whatever else this process does, it pauses; polling does not.
        costs_nothing = any(spent_in_half_a_second() < 0.05 for _ in range(6))
        assert node.server.places.associations == 20
        echo(node.peer)

    assert costs_nothing


def spent_in_half_a_second() -> float:
    """Return the seconds of processor time; polling takes all there is."""
    before = time.process_time()
    time.sleep(0.5)
    return time.process_time() - before


def test_silent_connections_take_no_association_from_others(start: Start) -> None:
    node = start(Limits(max_associations=1))

    with heartbeat(node.peer) as beat, connections(node.peer, 10):
        assert beat.answers()


def test_silent_connections_are_closed(start: Start) -> None:
    node = start(SOON_CLOSING)

    with connections(node.peer, 10) as silent:
        assert all(peer.is_closed() for peer in silent)


def test_a_deeply_nested_dataset_is_kept_and_the_association_goes_on(
    start: Start,
) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    with heartbeat(node.peer) as beat:
        peer.send(*store_request(nested(400)))
        pdu_type, body = peer.answer()
        peer.echo()
        assert beat.answers()

    assert pdu_type == DATA
    assert SUCCESS in body
    peer.release()


def test_a_deeply_nested_command_set_ends_its_own_association_only(
    start: Start,
) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    with heartbeat(node.peer) as beat:
        peer.send(fragment(ECHO_CONTEXT, 0x03, nested(2000, explicit=False)))
        assert peer.answer()[0] == ABORTED
        assert peer.is_closed()
        assert beat.answers()


def nested(depth: int, *, explicit: bool = True) -> bytes:
    """Return sequences of undefined length, one in the other (PS3.5 7.5)."""
    tag = struct.pack("<HH", 0x0008, 0x1115)
    begin = tag + (b"SQ\0\0" if explicit else b"") + b"\xff" * 4
    item = struct.pack("<HH", 0xFFFE, 0xE000) + b"\xff" * 4
    return (begin + item) * depth


def test_a_hundred_associations_at_once_all_work(start: Start) -> None:
    node = start(
        Limits(max_associations=100, max_connections_per_address=120, setup_seconds=60)
    )

    with connections(node.peer, 100) as peers:
        for peer in peers:
            peer.associate()
        for peer in peers:
            peer.send(*store_request(b"\x08\x00\x05\x00CS\x00\x00"))
        answers = [peer.answer() for peer in peers]
        assert node.server.places.associations == 100
        for peer in peers:
            peer.release()

    assert all(pdu_type == DATA and SUCCESS in body for pdu_type, body in answers)
    assert STORE_CONTEXT in {body[4] for _, body in answers}


def test_a_connection_that_is_reset_leaves_nothing_behind(start: Start) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    reset = struct.pack("ii", 1, 0)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    peer.close()

    echo(node.peer)
    assert comes_true(lambda: not node.server.places.connections)
