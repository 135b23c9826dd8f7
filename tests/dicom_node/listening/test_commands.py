"""A plain C-STORE is read and answered as pynetdicom does; the rest is left to it."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from dicom_node.listening.commands import StoreCommand, read_store, store_response
from dicom_node.listening.fragments import in_pdus

MR = "1.2.840.10008.5.1.4.1.1.4"
HEADER_BYTES = 8
"""Tag and length of an element."""

uids = st.from_regex(r"[1-9][0-9]{0,3}(\.(0|[1-9][0-9]{0,9})){1,5}", fullmatch=True)
shorts = st.integers(0, 0xFFFF)


def request(
    message_id: int = 1,
    sop_class: str = MR,
    sop_instance: str = "2.25.1",
    priority: int = 2,
    originator: tuple[str, int] | None = None,
) -> bytes:
    """Return the command set of a C-STORE-RQ as pynetdicom encodes it."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = message_id, priority
    primitive.AffectedSOPClassUID = UID(sop_class)
    primitive.AffectedSOPInstanceUID = UID(sop_instance)
    primitive.DataSet = BytesIO(b"anything")
    if originator is not None:
        primitive.MoveOriginatorApplicationEntityTitle = originator[0]
        primitive.MoveOriginatorMessageID = originator[1]
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    command, _ = message.encode_msg(1, 0)
    return bytes(command.presentation_data_value_list[0][1][1:])


def response(said: StoreCommand, status: int, context_id: int, max_bytes: int) -> bytes:
    """Return the P-DATA-TFs of a C-STORE-RSP as pynetdicom encodes them."""
    primitive = C_STORE()
    primitive.MessageIDBeingRespondedTo = said.message_id
    primitive.AffectedSOPClassUID = UID(said.sop_class_uid)
    primitive.AffectedSOPInstanceUID = UID(said.sop_instance_uid)
    primitive.Status = status
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    return b"".join(
        bytes(P_DATA_TF(part).encode())
        for part in message.encode_msg(context_id, max_bytes)
    )


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def with_length(elements: bytes) -> bytes:
    return element(0x0000, struct.pack("<I", len(elements))) + elements


@given(
    shorts,
    uids,
    uids,
    st.sampled_from([0, 1, 2]),
    st.none() | st.tuples(st.just("SCANNER"), shorts),
)
def test_what_pynetdicom_asks_is_understood(
    message_id: int,
    sop_class: str,
    sop_instance: str,
    priority: int,
    originator: tuple[str, int] | None,
) -> None:
    asked = request(message_id, sop_class, sop_instance, priority, originator)

    assert read_store(asked) == StoreCommand(message_id, sop_class, sop_instance)


@given(shorts, uids, uids, shorts, st.sampled_from([0, 7, 8, 50, 200, 16_382]))
def test_the_answer_is_pynetdicoms_byte_for_byte(
    message_id: int, sop_class: str, sop_instance: str, status: int, max_bytes: int
) -> None:
    said = StoreCommand(message_id, sop_class, sop_instance)

    answer = in_pdus(3, store_response(said, status), max_bytes)

    assert answer == response(said, status, 3, max_bytes)


PLAIN = request()
SOP_CLASS = element(0x0002, MR.encode() + b"\0")
NO_PRIORITY = PLAIN.replace(element(0x0700, b"\x02\x00"), b"")


@pytest.mark.parametrize(
    "command_set",
    [
        b"",
        PLAIN[:-1],
        PLAIN[: HEADER_BYTES // 2],
        NO_PRIORITY,
        PLAIN + element(0x1030, b"SCANNER ") + element(0x5110, b"\0\0"),
        PLAIN + element(0x1000, b"2.25.1"),
        PLAIN + element(0x0010, b"x", group=8),
        with_length(PLAIN[12 + len(SOP_CLASS) :] + SOP_CLASS),
        PLAIN.replace(element(0x0110, b"\x01\x00"), element(0x0110, b"\x01\x00\0\0")),
        PLAIN.replace(element(0x0100, b"\x01\x00"), element(0x0100, b"\x01\x80")),
        PLAIN.replace(element(0x0700, b"\x02\x00"), element(0x0700, b"\x03\x00")),
        PLAIN.replace(element(0x0800, b"\x01\x00"), element(0x0800, b"\x01\x01")),
        PLAIN.replace(b"2.25.1", b"2.25.x"),
        PLAIN.replace(b"2.25.1", b"2.25\\1"),
        PLAIN.replace(element(0x1000, b"2.25.1"), element(0x1000, b"")),
    ],
    ids=[
        "nothing",
        "cut off",
        "half an element",
        "no priority",
        "an element that is no C-STORE's",
        "an element twice",
        "an element of another group",
        "not in order",
        "a message ID of four bytes",
        "a response",
        "an unknown priority",
        "no dataset",
        "a UID with a letter",
        "two UIDs",
        "no UID",
    ],
)
def test_what_is_not_plain_is_left_to_pynetdicom(command_set: bytes) -> None:
    assert command_set != PLAIN
    assert read_store(command_set) is None


@given(st.binary(max_size=300), st.integers(0, len(PLAIN)))
def test_no_bytes_are_too_odd_to_be_looked_at(noise: bytes, at: int) -> None:
    read_store(noise)
    read_store(PLAIN[:at] + noise + PLAIN[at:])
