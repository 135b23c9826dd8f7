"""What a disk may hold after a power cut, by the rules of POSIX and no kinder.

- Names last once their folder was synced. The later changes of a folder's names are
  kept up to a random one of them, since file systems keep their order.
- Content lasts once its file was synced. Each later write is kept, lost, or torn at
  512 bytes, in any order, whatever became of the name.
- A sync vouches for what was done before it began, and only once it has ended.
- Nothing else lasts: not the name of a file that was synced itself.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from tests.power_cut.recording import (
    ROOT,
    Link,
    Make,
    Operation,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
)

SECTOR_BYTES = 512


class Mood(StrEnum):
    """What becomes of things that no sync vouches for."""

    LOST = "lost"
    KEPT = "kept"
    MIXED = "mixed"


Vouches: TypeAlias = Callable[[Sync], bool]
"""Whether the disk means it: a test switches some syncs off."""
Entry: TypeAlias = tuple[tuple[str, int | None], ...]
"""Names that change together, and what each stands for from then on."""


@dataclass(slots=True)
class _Node:
    folder: bool
    content: list[tuple[int, Write | Truncate]] = field(default_factory=list)
    names: list[tuple[int, Entry]] = field(default_factory=list)
    covered: int = 0


def materialise(
    operations: Sequence[Operation],
    target: Path,
    chance: random.Random,
    vouches: Vouches = lambda _: True,
) -> None:
    """Write into an empty folder what a disk may hold after these operations."""
    nodes = _replay(operations, vouches)
    names, content = (chance.choice(_MOODS) for _ in range(2))
    _put_folder(nodes, nodes[ROOT], target, chance, (names, content))


_MOODS = (Mood.LOST, Mood.KEPT, Mood.MIXED, Mood.MIXED)


def _replay(operations: Sequence[Operation], vouches: Vouches) -> dict[int, _Node]:
    nodes = {ROOT: _Node(folder=True)}
    current: dict[int, dict[str, int | None]] = defaultdict(dict)

    def name(at: int, parent: int, *entry: tuple[str, int | None]) -> None:
        nodes[parent].names.append((at, entry))
        current[parent].update(entry)

    for at, done in enumerate(operations):
        match done:
            case Make(parent, called, number, folder):
                nodes[number] = _Node(folder)
                name(at, parent, (called, number))
            case Link(parent, called, number):
                name(at, parent, (called, number))
            case Unlink(parent, called):
                name(at, parent, (called, None))
            case Rename(parent, called, new_parent, new_name):
                moved = current[parent][called]
                if parent == new_parent:
                    name(at, parent, (called, None), (new_name, moved))
                else:
                    name(at, new_parent, (new_name, moved))
                    name(at, parent, (called, None))
            case Write(number) | Truncate(number):
                nodes[number].content.append((at, done))
            case Sync(number, _, covers) if vouches(done):
                nodes[number].covered = max(nodes[number].covered, covers)
    return nodes


def _put_folder(
    nodes: dict[int, _Node],
    folder: _Node,
    target: Path,
    chance: random.Random,
    moods: tuple[Mood, Mood],
) -> None:
    for name, number in _kept_names(folder, chance, moods[0]).items():
        node, path = nodes[number], target / name
        if node.folder:
            path.mkdir()
            _put_folder(nodes, node, path, chance, moods)
        else:
            path.write_bytes(_kept_content(node, chance, moods[1]))


def _kept_names(folder: _Node, chance: random.Random, mood: Mood) -> dict[str, int]:
    sure = sum(at < folder.covered for at, _ in folder.names)
    more = {Mood.LOST: sure, Mood.KEPT: len(folder.names)}.get(
        mood, chance.randint(sure, len(folder.names))
    )
    names: dict[str, int | None] = {}
    for _, entry in folder.names[:more]:
        names.update(entry)
    return {name: number for name, number in names.items() if number is not None}


def _kept_content(node: _Node, chance: random.Random, mood: Mood) -> bytes:
    content = bytearray()
    for at, done in node.content:
        sure = at < node.covered or mood is Mood.KEPT
        if not sure and (mood is Mood.LOST or chance.random() < 1 / 3):
            continue
        if isinstance(done, Truncate):
            _resize(content, done.size)
            continue
        torn = not sure and chance.random() < 1 / 2
        for offset, part in _sectors(done) if torn else [(done.offset, done.content)]:
            if torn and chance.random() < 1 / 2:
                continue
            if len(content) < offset + len(part):
                _resize(content, offset + len(part))
            content[offset : offset + len(part)] = part
    return bytes(content)


def _sectors(write: Write) -> Iterator[tuple[int, bytes]]:
    at, end = write.offset, write.offset + len(write.content)
    while at < end:
        after = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield at, write.content[at - write.offset : after - write.offset]
        at = after


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
