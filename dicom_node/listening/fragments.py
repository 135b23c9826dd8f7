"""What a P-DATA-TF carries: fragments of messages (PS3.8 9.3.5 and annex E)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

P_DATA_TF = 0x04
PDU = struct.Struct(">BxI")
"""PDU type, a reserved byte, PDU length (PS3.8 9.3)."""
ITEM = struct.Struct(">IBB")
"""Length of what follows it, presentation context ID, message control header."""
LENGTH_BYTES = 4
LEAST_LENGTH = 2
"""A fragment may be empty, its context and its header may not."""
IS_COMMAND, IS_LAST = 0x01, 0x02
"""Bits of the message control header (PS3.8 E.2)."""


class Fragment(NamedTuple):
    """A part of a command set or of a dataset; a view into the PDU that it came in."""

    context_id: int
    header: int
    """Message control header."""
    content: memoryview

    @property
    def is_command(self) -> bool:
        return bool(self.header & IS_COMMAND)

    @property
    def is_last(self) -> bool:
        """Whether the command set, or the dataset, is whole with it."""
        return bool(self.header & IS_LAST)


class Malformed(Exception):
    """The lengths in a P-DATA-TF contradict one another."""


def fragments(body: bytearray) -> Iterator[Fragment]:
    """Yield what a P-DATA-TF carries, given without type and length.

    Raises
    ------
    Malformed
        Something is longer than what is left, or has no room for its header.
    """
    view, at = memoryview(body), 0
    while at < len(view):
        if len(view) - at < ITEM.size:
            raise Malformed(f"{len(view) - at} bytes are no fragment")
        length, context_id, header = ITEM.unpack_from(view, at)
        end = at + LENGTH_BYTES + length
        if length < LEAST_LENGTH or end > len(view):
            raise Malformed(f"a fragment of {length} bytes with {len(view) - at} left")
        yield Fragment(context_id, header, view[at + ITEM.size : end])
        at = end


def in_pdus(context_id: int, command_set: bytes, max_bytes: int) -> bytes:
    """Encode a whole command set as P-DATA-TFs.

    ``max_bytes`` is what the peer takes in one of them, without type and length; 0 is
    without a limit (PS3.8 D.1).
    """
    room = max(max_bytes - ITEM.size, 1) if max_bytes else len(command_set)
    encoded = bytearray()
    for at in range(0, len(command_set), room):
        part = command_set[at : at + room]
        last = IS_LAST if at + room >= len(command_set) else 0
        encoded += PDU.pack(P_DATA_TF, len(part) + ITEM.size)
        encoded += ITEM.pack(len(part) + LEAST_LENGTH, context_id, IS_COMMAND | last)
        encoded += part
    return bytes(encoded)
