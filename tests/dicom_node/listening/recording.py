"""What real peers write to the node, PDU by PDU: the corpus that is mutated."""

from __future__ import annotations

import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dicom_node import sender
from dicom_node.sender import Peer
from tests.dicom_factories import as_received, mr_image
from tests.end_to_end.scanner import send
from tests.peers import _find

Conversation = tuple[bytes, ...]
"""The PDUs that a peer sends on one association, in order."""


def conversations(node: Peer) -> list[Conversation]:
    """Let every kind of peer that is installed talk to the node, and record it."""
    talks: list[Callable[[Peer], object]] = [
        lambda there: sender.echo("SCANNER", there),
        lambda there: send(there, [as_received(mr_image())]),
        lambda there: send(there, [as_received(mr_image()) for _ in range(3)]),
    ]
    storescu, echoscu = _find("storescu"), _find("echoscu")
    if storescu and echoscu:
        talks += [
            lambda there: _dcmtk_store(storescu, there),
            lambda there: _dcmtk(echoscu, there),
        ]
    return [record(node, talk) for talk in talks]


def _dcmtk_store(storescu: Path, there: Peer) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.dcm"
        as_received(mr_image()).save_as(image)
        _dcmtk(storescu, there, str(image))


def _dcmtk(program: Path, there: Peer, *files: str) -> None:
    words = [str(program), "-aec", there.ae_title, there.host, str(there.port), *files]
    subprocess.run(words, check=True)


def record(node: Peer, talk: Callable[[Peer], object]) -> Conversation:
    """Return what `talk` sends to the node, which answers as ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard = bytearray()
        relaying = threading.Thread(target=_relay, args=(listening, node, heard))
        relaying.start()
        talk(Peer(node.ae_title, "127.0.0.1", listening.getsockname()[1]))
        relaying.join()
    return tuple(split(bytes(heard)))


def _relay(listening: socket.socket, node: Peer, heard: bytearray) -> None:
    peer, _ = listening.accept()
    with peer, socket.create_connection((node.host, node.port)) as upstream:
        back = threading.Thread(target=_copy, args=(upstream, peer, bytearray()))
        back.start()
        _copy(peer, upstream, heard)
        back.join()


def _copy(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    try:
        while part := source.recv(65_536):
            heard += part
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has closed: the conversation is over


def split(stream: bytes) -> Iterator[bytes]:
    """Split a stream at its PDUs (PS3.8 9.3)."""
    while stream:
        (length,) = struct.unpack(">I", stream[2:6])
        yield stream[: 6 + length]
        stream = stream[6 + length :]


@dataclass(frozen=True)
class Traces:
    """What a process holds, and what lies in its folder."""

    threads: int
    descriptors: int
    files: frozenset[Path]

    @classmethod
    def of(cls, process: int, folder: Path) -> Traces:
        status = Path("/proc") / str(process)
        return cls(
            len(list((status / "task").iterdir())),
            len(list((status / "fd").iterdir())),
            frozenset(path for path in folder.rglob("*") if path.is_file()),
        )
