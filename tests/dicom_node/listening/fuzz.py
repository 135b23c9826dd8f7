"""Mutated associations against a running receiver, as many as wanted.

Usage::

    python -m tests.dicom_node.listening.fuzz [--cases 100000] [--seed 1] [--first 0]

A process ``lumbar-node receive`` of its own is fuzzed. Each case must be over within
5 s; it must then still run and answer C-ECHO, and at the end hold no thread, no
descriptor and no file outside its data folder that it did not hold before. What is
printed after each 1,000 cases resumes a run that was interrupted; a case that fails is
repeated with ``--first NUMBER --cases 1``.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dicom_node.sender import Peer
from storage.database import migrate
from tests.dicom_node.listening.mutating import mutated
from tests.dicom_node.listening.raw_peer import echo
from tests.dicom_node.listening.recording import (
    Conversation,
    Traces,
    conversations,
)
from tests.end_to_end.processes import node_processes

HANG_SECONDS = 5.0
ECHO_EVERY, REPORT_EVERY = 25, 1000


class Failed(AssertionError):
    """The receiver did what it must not; the message says in which case."""


def run_case(node: Peer, parts: Sequence[bytes]) -> None:
    """Say it all, hang up, and wait for the node to hang up too.

    Raises
    ------
    TimeoutError
        It did not.
    """
    deadline = time.monotonic() + HANG_SECONDS
    with socket.create_connection((node.host, node.port), HANG_SECONDS) as peer:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                peer.sendall(part)
            peer.shutdown(socket.SHUT_WR)
        while True:
            peer.settimeout(max(deadline - time.monotonic(), 0.001))
            with contextlib.suppress(ConnectionError):
                if peer.recv(65_536):
                    continue
            return


def run_cases(
    node: Peer, corpus: Sequence[Conversation], seed: int, cases: range
) -> None:
    """Run these cases, with a C-ECHO now and then.

    Raises
    ------
    Failed
        A case hung, or the node no longer answers.
    """
    for case in cases:
        try:
            run_case(node, mutated(corpus, seed, case))
            if case % ECHO_EVERY == 0 or case == cases[-1]:
                echo(node)
        except (OSError, AssertionError) as error:
            raise Failed(f"seed {seed}, case {case}: {error!r}") from error
        if (case + 1) % REPORT_EVERY == 0:
            say(f"seed {seed}: all well until --first {case + 1}")


def left_behind(before: Traces, process: int, folder: Path, data: Path) -> str:
    """Return what the node holds that it did not hold before, in words, or nothing."""
    deadline = time.monotonic() + HANG_SECONDS
    while True:
        after = Traces.of(process, folder)
        strays = {path for path in after.files - before.files if outside(path, data)}
        held = [
            f"{now - then} {what}"
            for what, then, now in (
                ("threads", before.threads, after.threads),
                ("descriptors", before.descriptors, after.descriptors),
            )
            if now > then
        ]
        if not (held or strays) or time.monotonic() > deadline:
            return ", ".join([*held, *map(str, sorted(strays))])
        time.sleep(0.05)


def outside(path: Path, data: Path) -> bool:
    """Whether a file is neither an image that was kept nor the database's own."""
    return not (
        path.is_relative_to(data / "received") or path.name.startswith("node.sqlite")
    )


def main(words: Sequence[str]) -> int:
    """Fuzz a receiver of our own; return 1 where it did what it must not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    wanted = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        url = f"sqlite:///{folder / 'node.sqlite'}"
        migrate(url)
        with node_processes(folder / "node", url) as node:
            process = node.start("receive")
            corpus = conversations(node.peer)
            echo(node.peer)
            before = Traces.of(process.pid, folder)
            cases = range(wanted.first, wanted.first + wanted.cases)
            try:
                run_cases(node.peer, corpus, wanted.seed, cases)
            except Failed as error:
                say(f"FAILED: {error}; the log: {keep(folder)}")
                return 1
            left = left_behind(before, process.pid, folder, folder / "node" / "data")
            alive = process.poll() is None
    ended = "runs" if alive else "HAS ENDED"
    say(f"seed {wanted.seed}, cases {cases.start} to {cases.stop - 1}")
    say(f"the process {ended}; left over: {left or 'none'}")
    return int(bool(left) or not alive)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def keep(folder: Path) -> Path:
    """Keep the receiver's log of a failure where it is not deleted."""
    kept = Path(tempfile.mkdtemp(prefix="fuzz-failed-")) / "receive.log"
    shutil.copy(folder / "node" / "receive.log", kept)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
