"""What one association may do, and how it ends when it does more."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from dicom_node import receiver
from dicom_node.listening.arrivals import Arrival
from dicom_node.listening.limits import (
    MAX_ASSOCIATE_BYTES,
    MAX_COMMAND_BYTES,
    MAX_PDU_BYTES,
    Limits,
)
from tests.dicom_node.listening.conftest import QUICK, Start
from tests.dicom_node.listening.raw_peer import (
    ABORTED,
    DATA,
    ECHO_CONTEXT,
    REJECTED,
    STORE_CONTEXT,
    RawPeer,
    connections,
    echo,
    echo_request,
    fragment,
    pdu,
    request,
    store_request,
)
from tests.waiting import comes_true


def aborted(peer: RawPeer) -> bool:
    """Whether the node aborts, and then closes the connection."""
    return peer.answer()[0] == ABORTED and peer.is_closed()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (pdu(0x01, b"", MAX_ASSOCIATE_BYTES + 1), "the limit is 1048576"),
        (pdu(0x05, bytes(5)), "the limit is 4"),
        (pdu(0x07, bytes(5)), "the limit is 4"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "it speaks TLS, and we do not"),
        (b"GET / HTTP/1.1\r\n\r\n", "it does not speak DICOM (PDU type 0x47)"),
        (pdu(0x01, bytes(20)), "cannot be decoded"),
    ],
)
def test_what_is_no_request_is_answered_with_an_abort_and_one_line(
    start: Start, caplog: pytest.LogCaptureFixture, sent: bytes, said: str
) -> None:
    node = start()
    peer = RawPeer(node.peer)

    peer.send(sent)

    assert aborted(peer)
    assert said in caplog.text
    echo(node.peer)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (pdu(DATA, b"", MAX_PDU_BYTES + 1), f"the limit is {MAX_PDU_BYTES}"),
        (pdu(DATA, bytes(7)), "cannot be decoded"),
        (fragment(5, 0x03, b"x"), "context 5 was not accepted"),
        (fragment(ECHO_CONTEXT, 0x03, b"nonsense"), "cannot be understood"),
        (fragment(ECHO_CONTEXT, 0x02, b"no command"), "cannot be understood"),
        (pdu(0x05, bytes(9)), "a PDU of type 5 with 9 bytes; the limit is 4"),
    ],
)
def test_what_is_no_message_ends_the_association_and_no_other(
    start: Start, caplog: pytest.LogCaptureFixture, sent: bytes, said: str
) -> None:
    node = start()
    other = RawPeer(node.peer).associate()
    peer = RawPeer(node.peer).associate()

    peer.send(sent)

    assert aborted(peer)
    assert "aborted the association with 'SCANNER' at 127.0.0.1" in caplog.text
    assert said in caplog.text
    other.echo()
    other.release()


def test_a_command_set_without_an_end_is_not_collected(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    peer = RawPeer(start().peer).associate()

    for _ in range(2):
        peer.send(fragment(ECHO_CONTEXT, 0x01, bytes(MAX_COMMAND_BYTES // 2 + 1)))

    assert aborted(peer)
    assert f"its command set is over {MAX_COMMAND_BYTES} bytes" in caplog.text


def test_an_image_that_is_too_large_is_not_collected_and_the_log_names_the_key(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(replace(QUICK, max_object_bytes=1_048_576))
    peer = RawPeer(node.peer).associate()

    for part in store_request(bytes(1_100_000)):
        peer.send(part)

    assert aborted(peer)
    assert "its dataset is over 1 MiB; raise receiver.max_object_megabytes" in (
        caplog.text
    )
    assert not list(node.files.data_directory.rglob("*.dcm"))


def test_an_association_on_which_nothing_comes_is_aborted(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(replace(QUICK, idle_seconds=0.3))
    peer = RawPeer(node.peer).associate()
    peer.echo()

    assert aborted(peer)
    assert "nothing came for 0.3 s" in caplog.text


def test_half_a_pdu_does_not_count_as_something(start: Start) -> None:
    peer = RawPeer(start(replace(QUICK, idle_seconds=0.3)).peer).associate()

    peer.send(echo_request()[:-1])

    assert aborted(peer)


def test_a_message_that_never_ends_is_aborted_though_something_comes(
    start: Start,
) -> None:
    node = start(replace(QUICK, message_seconds=0.3))
    peer = RawPeer(node.peer).associate()
    command, *_ = store_request(bytes(100))
    peer.send(command)
    peer.socket.settimeout(0.05)

    ended = False
    for _ in range(400):  # some 20 s
        try:
            peer.send(fragment(STORE_CONTEXT, 0x00, b"more"))
            ended = peer.answer()[0] == ABORTED
            break
        except TimeoutError:
            continue
        except ConnectionError:
            ended = True
            break

    assert ended


def test_a_peer_that_does_not_close_after_its_release_is_closed(start: Start) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    peer.send(pdu(0x05, bytes(4)))

    assert peer.is_closed()


def test_more_associations_than_allowed_are_rejected_for_the_moment(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(replace(QUICK, max_associations=1, setup_seconds=60))
    first = RawPeer(node.peer).associate()
    second = RawPeer(node.peer)

    second.send(request(node.peer.ae_title))
    pdu_type, body = second.answer()

    # Rejected-transient, by the presentation part, local limit exceeded.
    assert (pdu_type, body[1:]) == (REJECTED, bytes([2, 3, 2]))
    assert "more than 1 at once; raise receiver.max_associations" in caplog.text
    second.close()
    first.release()


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        (Limits(max_connections_per_address=2), "max_connections_per_address"),
        (Limits(max_connections=2), "max_connections"),
    ],
    ids=["of one address", "in all"],
)
def test_more_connections_than_allowed_are_closed_unread(
    start: Start, caplog: pytest.LogCaptureFixture, limits: Limits, key: str
) -> None:
    node = start(limits)

    with connections(node.peer, 2):
        late = RawPeer(node.peer)
        assert late.is_closed()

    assert f"2 connections {'from there ' if 'per' in key else ''}are open" in (
        caplog.text
    )
    assert f"raise receiver.{key} " in caplog.text


def test_stopping_aborts_what_is_open_and_leaves_no_thread(start: Start) -> None:
    before = set(threading.enumerate())
    node = start(replace(QUICK, setup_seconds=60))
    silent, midway = RawPeer(node.peer), RawPeer(node.peer)
    midway.send(request(node.peer.ae_title)[:30])
    idle, half = (RawPeer(node.peer).associate() for _ in range(2))
    half.send(echo_request()[:-1])

    receiver.stop(node.server)

    assert aborted(idle)
    assert aborted(half)
    assert silent.is_closed()
    assert midway.is_closed()
    assert comes_true(lambda: set(threading.enumerate()) <= before)


def test_an_image_that_is_being_kept_when_the_node_stops_is_acknowledged(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    being_kept, may_go_on = threading.Event(), threading.Event()
    keep = receiver.Receiver.keep

    def slowly(of: receiver.Receiver, arrival: Arrival) -> int:
        being_kept.set()
        assert may_go_on.wait(20)
        return keep(of, arrival)

    monkeypatch.setattr(receiver.Receiver, "keep", slowly)
    node = start()
    peer = RawPeer(node.peer).associate()
    peer.send(*store_request(b"\x08\x00\x05\x00CS\x00\x00"))
    assert being_kept.wait(20)

    stopping = threading.Thread(target=receiver.stop, args=(node.server,))
    stopping.start()
    may_go_on.set()

    assert peer.answer()[0] == DATA
    assert aborted(peer)
    stopping.join()
