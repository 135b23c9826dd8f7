"""The command sets of a plain C-STORE: the request read, the response written.

Nearly every message to this node is a C-STORE-RQ of always the same few elements.
pynetdicom understands every message there is, at the price of a dataset object for each
request and each response, which costs more time than keeping the image. What is not
plain is left to it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

ELEMENT = struct.Struct("<HHI")
"""Group, element and length in Implicit VR Little Endian (PS3.5 7.1.3, PS3.7 6.3.1)."""
UNSIGNED_SHORT = struct.Struct("<H")
UNSIGNED_LONG = struct.Struct("<I")

GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
PRIORITY = 0x0700
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
AFFECTED_SOP_INSTANCE_UID = 0x1000
MOVE_ORIGINATOR_AE_TITLE = 0x1030
MOVE_ORIGINATOR_MESSAGE_ID = 0x1031

C_STORE_RQ, C_STORE_RSP = b"\x01\x00", b"\x01\x80"
NO_DATASET = b"\x01\x01"
"""Of Command Data Set Type; every other value says that one follows."""

NEEDED = {
    GROUP_LENGTH,
    AFFECTED_SOP_CLASS_UID,
    COMMAND_FIELD,
    MESSAGE_ID,
    PRIORITY,
    COMMAND_DATA_SET_TYPE,
    AFFECTED_SOP_INSTANCE_UID,
}
ALLOWED = NEEDED | {MOVE_ORIGINATOR_AE_TITLE, MOVE_ORIGINATOR_MESSAGE_ID}
"""PS3.7 table 9.3-1."""
NUMBERS = (COMMAND_FIELD, MESSAGE_ID, PRIORITY, COMMAND_DATA_SET_TYPE)
PRIORITIES = range(3)
PLAIN_UID = re.compile(rb"([0-9][0-9.]{0,63})\0?")


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """What a plain C-STORE-RQ says about the dataset that follows it."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_store(command_set: bytes) -> StoreCommand | None:
    """Return what a C-STORE-RQ says, None where it is none or not plain.

    Plain is: every element that is needed, once, in order and of its length, none that
    is not allowed, UIDs of digits and dots, and a dataset that follows.
    """
    found = _elements(command_set)
    if found is None or not NEEDED <= found.keys() <= ALLOWED:
        return None
    if found[COMMAND_FIELD] != C_STORE_RQ or not _numbers_fit(found):
        return None
    sop_class = PLAIN_UID.fullmatch(found[AFFECTED_SOP_CLASS_UID])
    sop_instance = PLAIN_UID.fullmatch(found[AFFECTED_SOP_INSTANCE_UID])
    if sop_class is None or sop_instance is None:
        return None
    (message_id,) = UNSIGNED_SHORT.unpack(found[MESSAGE_ID])
    return StoreCommand(message_id, sop_class[1].decode(), sop_instance[1].decode())


def store_response(request: StoreCommand, status: int) -> bytes:
    """Encode the command set of a C-STORE-RSP (PS3.7 table 9.3-2)."""
    elements = b"".join(
        (
            _uid(AFFECTED_SOP_CLASS_UID, request.sop_class_uid),
            _element(COMMAND_FIELD, C_STORE_RSP),
            _number(MESSAGE_ID_BEING_RESPONDED_TO, request.message_id),
            _element(COMMAND_DATA_SET_TYPE, NO_DATASET),
            _number(STATUS, status),
            _uid(AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid),
        )
    )
    return _element(GROUP_LENGTH, UNSIGNED_LONG.pack(len(elements))) + elements


def _elements(command_set: bytes) -> dict[int, bytes] | None:
    """Return the values by element number, None where they are not in order."""
    found: dict[int, bytes] = {}
    at, before = 0, -1
    while at < len(command_set):
        if len(command_set) - at < ELEMENT.size:
            return None
        group, number, length = ELEMENT.unpack_from(command_set, at)
        start = at + ELEMENT.size
        at = start + length
        if group != 0 or number <= before or at > len(command_set):
            return None
        found[number] = command_set[start:at]
        before = number
    return found


def _numbers_fit(found: dict[int, bytes]) -> bool:
    if any(len(found[number]) != UNSIGNED_SHORT.size for number in NUMBERS):
        return False
    (priority,) = UNSIGNED_SHORT.unpack(found[PRIORITY])
    return priority in PRIORITIES and found[COMMAND_DATA_SET_TYPE] != NO_DATASET


def _element(number: int, value: bytes) -> bytes:
    return ELEMENT.pack(0x0000, number, len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _element(number, UNSIGNED_SHORT.pack(value))


def _uid(number: int, uid: str) -> bytes:
    value = uid.encode()
    return _element(number, value + b"\0" * (len(value) % 2))
