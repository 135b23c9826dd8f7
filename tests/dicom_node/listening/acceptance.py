"""Attacks and loads on a running receiver, with a C-ECHO every second throughout.

Usage: ``python -m tests.dicom_node.listening.acceptance [--seconds 12]``

A process ``lumbar-node receive`` of its own, configured as by default but for 100
associations, 1,500 connections and 64 MiB for images that are coming in, is attacked
in each way for so long (12 s: longer than a connection may take to ask for an
association). Printed for each: how long a C-ECHO took at most, association and release
included; by how much the process's memory grew at its peak; how much of a core it used.
The exit status is 1 where a C-ECHO took more than 1 s or memory grew by 100 MB, or
where 20 idle associations cost 10 % of a core.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dicom_node import tls
from dicom_node.config import TlsSection
from dicom_node.sender import Peer
from storage.database import migrate
from tests.dicom_node.listening import certificates
from tests.dicom_node.listening.raw_peer import (
    DATA,
    OUT_OF_RESOURCES,
    SUCCESS,
    RawPeer,
    connections,
    echo,
    pdu,
    request,
    store_request,
)
from tests.dicom_node.listening.test_attacks import nested
from tests.end_to_end.processes import NodeProcesses, node_processes

ECHO_SECONDS, GROWTH_BYTES, IDLE_SHARE = 1.0, 100e6, 0.10
RECEIVER = """
[receiver]
quiet_seconds = 0.5
max_associations = 100
max_connections_per_address = 1500
max_connections = 1500
max_object_megabytes = 32
memory_megabytes = 64
"""
LARGE_IMAGES, LARGE_BYTES = 20, 16 << 20
"""Together five times as large as the memory for them."""
HELD_BACK_SECONDS = 120.0


@dataclass
class Seen:
    """What one attack did to others."""

    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    growth_bytes: float = 0.0
    share_of_a_core: float = 0.0

    @property
    def is_well(self) -> bool:
        worst = max(self.latencies, default=ECHO_SECONDS)
        return (
            not self.failures
            and worst < ECHO_SECONDS
            and self.growth_bytes < GROWTH_BYTES
        )


@dataclass(frozen=True)
class Attacked:
    """A receiver to be attacked."""

    node: NodeProcesses
    process: int
    context: ssl.SSLContext | None = None

    def memory_bytes(self) -> float:
        pages = Path(f"/proc/{self.process}/statm").read_text().split()[1]
        return int(pages) * float(os.sysconf("SC_PAGE_SIZE"))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process}/clear_refs").write_text("5")

    def peak_bytes(self) -> float:
        """Return the most memory that it has had since its peak was forgotten."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        (peak,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024.0

    def core_seconds(self) -> float:
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(") ")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / float(os.sysconf("SC_CLK_TCK"))


@contextmanager
def watching(target: Attacked, *, beats: bool = True) -> Iterator[Seen]:
    """Ask for a C-ECHO every second, and see what the process takes meanwhile."""
    seen, ending = Seen(), threading.Event()

    def beat() -> None:
        while not ending.wait(1.0):
            began = time.monotonic()
            try:
                echo(target.node.peer, target.context)
            except (OSError, AssertionError) as error:
                seen.failures.append(repr(error))
            seen.latencies.append(time.monotonic() - began)

    thread = threading.Thread(target=beat)
    target.forget_peak()
    memory, spent, began = target.memory_bytes(), target.core_seconds(), time.time()
    if beats:
        thread.start()
    try:
        yield seen
    finally:
        ending.set()
        if beats:
            thread.join()
        seen.growth_bytes = target.peak_bytes() - memory
        elapsed = time.time() - began
        seen.share_of_a_core = (target.core_seconds() - spent) / elapsed


def silent(node: Peer, seconds: float) -> None:
    with connections(node, 20):
        time.sleep(seconds)


def more_than_1024(node: Peer, seconds: float) -> None:
    """Hold so many that each new descriptor is beyond what select(2) can count."""
    with connections(node, 1100):
        time.sleep(seconds)


def dribbling(node: Peer, seconds: float) -> None:
    whole, ends = request(node.ae_title), time.monotonic() + seconds
    with connections(node, 20) as peers:
        for place in range(len(whole)):
            for peer in peers:
                try:
                    peer.send(whole[place : place + 1])
                except OSError:
                    continue  # it was closed, as it should be
            if time.monotonic() > ends:
                return
            time.sleep(0.1)


def four_gigabytes(node: Peer, seconds: float) -> None:
    ends, megabyte = time.monotonic() + seconds, bytes(1_048_576)
    while time.monotonic() < ends:
        with closing(RawPeer(node)) as peer:
            try:
                peer.send(pdu(0x04, b"", 0xFFFFFFFF), *[megabyte] * 800)
            except OSError:
                time.sleep(0.05)


def idle(node: Peer, seconds: float) -> None:
    with connections(node, 20) as peers:
        for peer in peers:
            peer.associate()
        time.sleep(seconds)


def deeply_nested(node: Peer, seconds: float) -> None:
    ends, parts = time.monotonic() + seconds, store_request(nested(400))
    with closing(RawPeer(node).associate()) as peer:
        while time.monotonic() < ends:
            peer.send(*parts)
            pdu_type, body = peer.answer()
            if pdu_type != DATA or SUCCESS not in body:
                raise AssertionError("a deeply nested dataset was not kept")
            time.sleep(0.1)


def a_hundred(node: Peer, seconds: float) -> None:
    ends, parts = time.monotonic() + seconds, store_request(b"\x08\0\x05\0CS\0\0")
    with connections(node, 99) as peers:  # one is left to the C-ECHO
        for peer in peers:
            peer.associate()
        while time.monotonic() < ends:
            for peer in peers:
                peer.send(*parts)
            for peer in peers:
                if SUCCESS not in peer.answer()[1]:
                    raise AssertionError("one of a hundred was not served")


def large_at_once(node: Peer, _seconds: float) -> None:
    """Send more at once than there is memory for, each image once."""
    parts = store_request(bytes(LARGE_BYTES), 131_072)

    def send(_: int) -> bytes:
        with closing(RawPeer(node)) as peer:
            peer.socket.settimeout(HELD_BACK_SECONDS)
            peer.associate().send(*parts)
            return peer.answer()[1]

    with ThreadPoolExecutor(LARGE_IMAGES) as senders:
        answers = list(senders.map(send, range(LARGE_IMAGES)))
    if not all(SUCCESS in answer or OUT_OF_RESOURCES in answer for answer in answers):
        raise AssertionError("a large image was neither kept nor refused")


ATTACKS: Sequence[tuple[str, Callable[[Peer, float], None]]] = (
    ("b. requests that dribble", dribbling),
    ("c. a PDU that claims 4 GiB", four_gigabytes),
    ("d. more than 1,024 descriptors", more_than_1024),
    ("e. idle associations", idle),
    ("f. silent connections", silent),
    ("g. deeply nested datasets", deeply_nested),
    ("h. a hundred associations that send", a_hundred),
    ("i. 20 images of 16 MiB at once", large_at_once),
)


@contextmanager
def receiver(folder: Path, section: TlsSection | None = None) -> Iterator[Attacked]:
    """Run a receiver, with TLS where there are certificates."""
    url = f"sqlite:///{folder / 'node.sqlite'}"
    migrate(url)
    with node_processes(folder / "node", url) as node:
        text = node.config.read_text().replace(
            "[receiver]\nquiet_seconds = 0.5\n", RECEIVER
        )
        if section is not None:
            text += (
                f'[tls]\ncertificate = "{section.certificate}"\n'
                f'key = "{section.key}"\npeer_ca = "{section.peer_ca}"\n'
            )
        node.config.write_text(text)
        process = node.start("receive")
        context = None if section is None else tls.outbound(section)
        echo(node.peer, context)
        yield Attacked(node, process.pid, context)


def report(name: str, seen: Seen) -> bool:
    worst = max(seen.latencies, default=float("nan"))
    sys.stdout.write(
        f"{name:38} C-ECHO x{len(seen.latencies):<3} at most {worst:5.2f} s   "
        f"memory {seen.growth_bytes / 1e6:+6.1f} MB   "
        f"{seen.share_of_a_core:6.1%} of a core   "
        f"{'well' if seen.is_well else f'NOT WELL {seen.failures[:1]}'}\n"
    )
    sys.stdout.flush()
    return seen.is_well


def main(words: Sequence[str]) -> int:
    """Attack, print, and return 1 where the receiver suffered."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=12.0)
    seconds = parser.parse_args(words).seconds
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "1048576")  # as the unit does
    well = []
    with tempfile.TemporaryDirectory(prefix="attacks-") as temporary:
        folder = Path(temporary)
        for name in ("tls", "secured", "plain"):
            (folder / name).mkdir()
        section = certificates.make(folder / "tls")
        with receiver(folder / "secured", section) as target:
            with watching(target) as seen:
                silent(target.node.peer, seconds)
            well.append(report("a. silent clients of TLS", seen))
        with receiver(folder / "plain") as target:
            for name, attack in ATTACKS:
                with watching(target) as seen:
                    attack(target.node.peer, seconds)
                well.append(report(name, seen))
            with watching(target, beats=False) as seen:
                idle(target.node.peer, seconds)
            share = seen.share_of_a_core
            sys.stdout.write(f"20 idle associations alone: {share:.2%} of a core\n")
            well.append(share < IDLE_SHARE)
    return int(not all(well))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
