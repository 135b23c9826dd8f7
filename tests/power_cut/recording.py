"""What was done to a file system, in order: the record of a run."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

MARKS = "/acknowledged"
"""A line written into this file says what was acknowledged; the file is no file."""

ROOT = 0
"""The node number of the topmost folder."""


class Make(msgspec.Struct, tag=True, frozen=True):
    """A file or a folder got its first name."""

    parent: int
    name: str
    node: int
    folder: bool


class Link(msgspec.Struct, tag=True, frozen=True):
    """A file got another name."""

    parent: int
    name: str
    node: int


class Unlink(msgspec.Struct, tag=True, frozen=True):
    """A name went away."""

    parent: int
    name: str


class Rename(msgspec.Struct, tag=True, frozen=True):
    """A name became another one, whose file it replaced."""

    parent: int
    name: str
    new_parent: int
    new_name: str


class Write(msgspec.Struct, tag=True, frozen=True):
    """Bytes were written into a file."""

    node: int
    offset: int
    content: bytes


class Truncate(msgspec.Struct, tag=True, frozen=True):
    """A file got another size."""

    node: int
    size: int


class Sync(msgspec.Struct, tag=True, frozen=True):
    """`fsync` or `fdatasync` of a file or a folder came to its end."""

    node: int
    path: str
    covers: int
    """How many operations had been recorded when it began: all that it vouches for."""


class Acknowledged(msgspec.Struct, tag=True, frozen=True):
    """A sender had read Success for this SOP Instance UID."""

    sop_instance_uid: str


Operation = Make | Link | Unlink | Rename | Write | Truncate | Sync | Acknowledged

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Operation] = msgspec.msgpack.Decoder(Operation)


def append(file: BinaryIO, operation: Operation) -> None:
    content = _encoder.encode(operation)
    file.write(struct.pack("<I", len(content)) + content)


def read(path: Path) -> list[Operation]:
    return list(_operations(path.read_bytes()))


def _operations(record: bytes) -> Iterator[Operation]:
    at = 0
    while at < len(record):
        (size,) = struct.unpack_from("<I", record, at)
        yield _decoder.decode(record[at + 4 : at + 4 + size])
        at += 4 + size
