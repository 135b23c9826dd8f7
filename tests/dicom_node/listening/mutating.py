"""Conversations as no peer should hold them. The same number gives the same one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.dicom_node.listening.recording import Conversation

ODD_LENGTHS = (0, 1, 2, 3, 5, 0x7F, 0xFF, 0xFFFF, 0x20001, 0x7FFFFFFF, 0xFFFFFFFF)
ODD_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)

Parts = list[bytes]
Mutation = Callable[[Random, Parts, Sequence[Conversation]], Parts]


def mutated(corpus: Sequence[Conversation], seed: int, case: int) -> Parts:
    """Return one conversation of the corpus with one to four things wrong."""
    random = Random(f"{seed}:{case}")
    parts = list(random.choice(corpus))
    for _ in range(random.randint(1, 4)):
        parts = random.choice(MUTATIONS)(random, parts, corpus)
    return parts


def _at(random: Random, parts: Parts, change: Callable[[bytearray], None]) -> Parts:
    """Change one PDU; the request, where most of the parsing is, more often."""
    if not parts:
        return parts
    place = 0 if random.random() < 0.3 else random.randrange(len(parts))
    altered = bytearray(parts[place])
    if altered:
        change(altered)
    return [*parts[:place], bytes(altered), *parts[place + 1 :]]


def flip_bits(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    def change(altered: bytearray) -> None:
        for _ in range(random.randint(1, 8)):
            altered[_near_the_front(random, altered)] ^= 1 << random.randrange(8)

    return _at(random, parts, change)


def odd_bytes(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    def change(altered: bytearray) -> None:
        for _ in range(random.randint(1, 4)):
            altered[_near_the_front(random, altered)] = random.choice(ODD_BYTES)

    return _at(random, parts, change)


def _near_the_front(random: Random, altered: bytearray) -> int:
    """Return a place; structure stands before pixels."""
    reach = min(len(altered), 400) if random.random() < 0.8 else len(altered)
    return random.randrange(reach)


def lie_about_a_length(
    random: Random, parts: Parts, _: Sequence[Conversation]
) -> Parts:
    """Of the PDU, of a PDV, or of an item of the request."""

    def change(altered: bytearray) -> None:
        length = random.choice(ODD_LENGTHS)
        form, place = random.choice(
            ((">I", 2), (">I", 6), ("<I", 16), (">H", 76), (">H", 80 + 4 * 7))
        )
        if len(altered) >= place + struct.calcsize(form):
            size = struct.calcsize(form)
            altered[place : place + size] = struct.pack(">I", length)[-size:]

    return _at(random, parts, change)


def other_kind(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    def change(altered: bytearray) -> None:
        altered[0] = random.choice((1, 2, 3, 4, 5, 6, 7, 0, 8, 0x16, 0xFF))

    return _at(random, parts, change)


def other_fragment(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    """Another presentation context, or another message control header."""

    def change(altered: bytearray) -> None:
        if altered[0] == 0x04 and len(altered) > 12:
            altered[random.choice((10, 11))] = random.randrange(256)

    return _at(random, parts, change)


def cut(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    def change(altered: bytearray) -> None:
        del altered[random.randrange(len(altered)) :]

    return _at(random, parts, change)


def stretch(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    """Double a stretch of bytes, or put noise in; the length may keep up or not."""

    def change(altered: bytearray) -> None:
        begin = random.randrange(len(altered))
        piece = bytes(altered[begin : begin + random.randint(1, 64)])
        noise = random.randbytes(random.randint(1, 64))
        altered[begin:begin] = random.choice((piece * random.randint(1, 50), noise))
        if random.random() < 0.7 and len(altered) >= 6:
            altered[2:6] = struct.pack(">I", len(altered) - 6)

    return _at(random, parts, change)


def reorder(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    return random.sample(parts, len(parts))


def leave_out(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    return [part for part in parts if random.random() < 0.7]


def repeat(random: Random, parts: Parts, _: Sequence[Conversation]) -> Parts:
    if not parts:
        return parts
    place = random.randrange(len(parts))
    return parts[:place] + [parts[place]] * random.randint(2, 20) + parts[place + 1 :]


def splice(random: Random, parts: Parts, corpus: Sequence[Conversation]) -> Parts:
    """Put a PDU of another conversation in."""
    place = random.randint(0, len(parts))
    return [*parts[:place], random.choice(random.choice(corpus)), *parts[place:]]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    odd_bytes,
    lie_about_a_length,
    other_kind,
    other_fragment,
    cut,
    stretch,
    reorder,
    leave_out,
    repeat,
    splice,
)
