"""However a C-STORE is cut up and whatever is odd about it: kept byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from dicom_node.sender import Peer
from storage.intake import Intake
from tests.dicom_node.listening.conftest import Start
from tests.dicom_node.listening.raw_peer import (
    DATA,
    STORE_CONTEXT,
    SUCCESS,
    RawPeer,
    fragment,
    request,
    store_request,
)
from tests.end_to_end.node import Node

DATASET = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" * 20
"""Nobody looks into it."""
LENGTH = struct.Struct(">I")
MAX_LENGTH_ITEM = b"\x51\x00\x00\x04"
"""Item type and length of the Maximum Length Sub-Item (PS3.8 D.1)."""


def kept(node: Node) -> list[bytes]:
    return [it.read_bytes() for it in node.files.data_directory.rglob("*.dcm")]


def answers_success(peer: RawPeer) -> bool:
    pdu_type, body = peer.answer()
    return pdu_type == DATA and SUCCESS in body


def in_one_pdu(parts: Sequence[bytes]) -> bytes:
    """Return one P-DATA-TF with the fragments of several."""
    bodies = b"".join(part[6:] for part in parts)
    return bytes([DATA, 0]) + LENGTH.pack(len(bodies)) + bodies


def byte_by_byte(dataset: bytes) -> list[bytes]:
    """Return a dataset in as many P-DATA-TFs as it has bytes."""
    *others, last = (dataset[at : at + 1] for at in range(len(dataset)))
    parts = [fragment(STORE_CONTEXT, 0x00, other) for other in others]
    return [*parts, fragment(STORE_CONTEXT, 0x02, last)]


COMMAND, *WHOLE = store_request(DATASET)


@pytest.mark.parametrize(
    "parts",
    [
        [COMMAND, *WHOLE],
        store_request(DATASET, pdu_bytes=64),
        [in_one_pdu(store_request(DATASET, pdu_bytes=64))],
        [COMMAND, *byte_by_byte(DATASET)],
        [COMMAND, fragment(STORE_CONTEXT, 0x00, b""), *WHOLE],
    ],
    ids=["whole", "small pieces", "in one PDU", "byte by byte", "an empty piece first"],
)
def test_an_image_is_kept_however_it_is_cut_up(
    start: Start, parts: Sequence[bytes]
) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    peer.send(*parts)

    assert answers_success(peer)
    (file,) = kept(node)
    assert file.endswith(DATASET)


def test_images_that_come_without_waiting_are_each_answered(start: Start) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    peer.send(in_one_pdu([*store_request(b"first"), *store_request(b"second")]))

    assert answers_success(peer)
    assert answers_success(peer)
    # The calling AE title is the last element of the file meta information.
    contents = {file.rpartition(b"SCANNER ")[2] for file in kept(node)}
    assert contents == {b"first", b"second"}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_request_that_is_not_plain_is_kept_as_well(start: Start) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()
    command, *dataset = store_request(DATASET)

    peer.send(command.replace(b"2.25.1", b"2.25.x"), *dataset)

    assert answers_success(peer)
    (file,) = kept(node)
    assert b"2.25.x" in file
    assert file.endswith(DATASET)


def test_a_peer_that_takes_little_at_once_gets_its_answer_in_pieces(
    start: Start,
) -> None:
    node = start()
    peer = RawPeer(node.peer)
    peer.send(asking_for_at_most(40, node.peer))
    peer.answer()

    peer.send(*store_request(DATASET))

    pieces = [peer.answer()[1] for _ in range(3)]
    assert [len(piece) <= 40 for piece in pieces] == [True, True, True]
    # PS3.8 E.2: a command, the last piece of it.
    assert [piece[5] for piece in pieces] == [0x01, 0x01, 0x03]
    assert SUCCESS in b"".join(piece[6:] for piece in pieces)


def asking_for_at_most(max_bytes: int, node: Peer) -> bytes:
    asked = request(node.ae_title)
    usual = MAX_LENGTH_ITEM + LENGTH.pack(16_382)
    assert usual in asked
    return asked.replace(usual, MAX_LENGTH_ITEM + LENGTH.pack(max_bytes))


def test_an_unforeseen_error_is_answered_logged_and_ends_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = start()
    peer = RawPeer(node.peer).associate()

    with monkeypatch.context() as broken:
        broken.setattr(Intake, "keep", _raise)
        peer.send(*store_request(DATASET))
        _, body = peer.answer()
    peer.send(*store_request(DATASET))

    assert struct.pack("<HHIH", 0, 0x0900, 2, 0xC211) in body
    assert "refused an image with status 0xC211: ZeroDivisionError at " in caplog.text
    assert answers_success(peer)


def _raise(*_: object) -> None:
    raise ZeroDivisionError
