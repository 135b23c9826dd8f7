"""What idle associations cost: our receiver beside pynetdicom's own server.

Usage: ``python -m benchmarks.idle_associations [--count 20] [--seconds 5]``

Both listen in a process of their own, and so many associations are opened to each by
bare sockets and left alone. Printed are the shares of a core that each used, and the
ratio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.admission import AllowList
from dicom_node.listening.complaints import Complaints
from dicom_node.listening.limits import Limits
from dicom_node.listening.server import Server
from dicom_node.sender import Peer
from tests.dicom_node.listening.raw_peer import connections

TITLE = "BENCHMARK"
NOT_SUPPORTED = 0x0122
"""Refused: SOP Class not supported (PS3.7 annex C): nobody sends an image here."""


def ours(count: int) -> int:
    """Listen as the receiver does; return the port."""
    ae = AE(TITLE)
    ae.maximum_associations = count + 2
    ae.add_supported_context(Verification)
    server = Server(
        ae,
        ("127.0.0.1", 0),
        limits=Limits(
            max_associations=count + 1, max_connections_per_address=count + 1
        ),
        admits=lambda _calling, _called, _address: None,
        keeps=lambda _arrival: NOT_SUPPORTED,
        address_refusal=AllowList(frozenset(), ()).address_refusal,
        complaints=Complaints(),
        tls=None,
        unproven=lambda _address, _reason: None,
        handlers=[],
    )
    server.start()
    return int(server.server_address[1])


def theirs(count: int) -> int:
    """Listen as pynetdicom does as it comes; return the port."""
    ae = AE(TITLE)
    ae.maximum_associations = count + 1
    ae.add_supported_context(Verification)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    return int(server.server_address[1]) if server else 0


def _serve(kind: str, count: int, channel: Connection) -> None:
    channel.send({"ours": ours, "theirs": theirs}[kind](count))
    channel.recv()  # until the parent has measured


def _core_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def share_of_a_core(kind: str, count: int, seconds: float) -> float:
    """Open the associations, leave them alone, and return what they cost."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(kind, count, there))
    process.start()
    try:
        node = Peer(TITLE, "127.0.0.1", here.recv())
        with connections(node, count) as peers:
            for peer in peers:
                peer.associate()
            before = _core_seconds(process.pid or 0)
            time.sleep(seconds)
            spent = _core_seconds(process.pid or 0) - before
            for peer in peers:
                with closing(peer):
                    peer.echo()
        return spent / seconds
    finally:
        process.kill()
        process.join()


def main() -> None:
    """Measure both, and print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0)
    wanted = parser.parse_args()
    measure = partial(share_of_a_core, count=wanted.count, seconds=wanted.seconds)
    own, others = measure("ours"), measure("theirs")
    print(f"{wanted.count} idle associations for {wanted.seconds:g} s")
    print(f"  pynetdicom's server as it comes: {others:.1%} of a core")
    print(f"  dicom_node.listening:            {own:.1%} of a core")
    least = 1 / os.sysconf("SC_CLK_TCK") / wanted.seconds
    print(f"  ratio: {others / max(own, least):.0f}{' or more' if own < least else ''}")


if __name__ == "__main__":
    main()
