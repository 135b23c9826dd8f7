"""Many senders for many minutes, on an empty database and on one of years.

Usage: ``python -m benchmarks.load [--minutes M] [--rows N] [--senders S] [--database
sqlite|postgresql]``; prints Markdown, and ends with 1 where a goal is missed.

For each database the same load runs twice: on an empty one, and on one with so many
instances already. The receiver is ``lumbar-node receive``; beside it a worker without a
network indexes, settles and claims. Senders are DCMTK's storescu with studies of
several sizes, every image new.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks import peers
from benchmarks.filling import fill
from benchmarks.small_worker import READY
from storage.database import migrate, open_database
from storage.states import ReceiptState
from storage.tables import ReceiptRow

SIDES = (128, 256, 320, 512)
"""Pixels of the images that senders take turns with."""
IMAGES_OF_A_SERIES, SERIES_OF_A_STUDY = (8, 20, 35), (1, 3, 6)
ENDLESS = "1000000"
FIRST_MINUTE_SECONDS = 60.0
RATE_GOAL, GROWTH_GOAL, LATENCY_GOAL_MS = 0.8, 0.10, 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked for."""

    senders: int
    seconds: float
    folder: Path | None
    """Where to put what is received: tens of gigabytes, removed after each run."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of the load gave."""

    images_per_second: float
    unindexed: int
    """Receipts that waited for the worker at the end."""
    memory_mib: dict[str, list[float]]
    """Of each process with its children, once a second."""
    times_ms: dict[str, list[float]]

    def growth(self, process: str) -> float:
        """Return the growth after the first minute, or quarter of a shorter run."""
        samples = self.memory_mib[process]
        settled = samples[min(int(FIRST_MINUTE_SECONDS), len(samples) // 4) :]
        tenth = max(len(settled) // 10, 1)
        before = statistics.median(settled[:tenth])
        return statistics.median(settled[-tenth:]) / before - 1

    def latency_ms(self, name: str) -> float:
        """Return the 99th percentile of one kind of transaction, NaN where none was."""
        times = self.times_ms.get(name, ())
        if len(times) < 2:
            return math.nan
        return statistics.quantiles(times, n=100, method="inclusive")[98]


def main() -> int:
    arguments = _arguments()
    missed = 0
    for kind in arguments.database or ("sqlite", "postgresql"):
        load = Load(arguments.senders, 60 * arguments.minutes, arguments.folder)
        empty = on(kind, load, rows=0)
        full = on(kind, load, rows=arguments.rows)
        lines, missed_here = report(kind, empty, full, arguments)
        print("\n".join(lines), flush=True)
        missed += missed_here
    print(
        f"{len(os.sched_getaffinity(0))} cores; load average at the end "
        f"{os.getloadavg()[0]:.1f}."
    )
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of each run (10)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="(1,000,000)")
    parser.add_argument("--senders", type=int, default=20, help="at once (20)")
    parser.add_argument(
        "--database", action="append", choices=["sqlite", "postgresql"], help="(both)"
    )
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    return parser.parse_args()


def on(kind: str, load: Load, rows: int) -> Measured:
    """Run the load on a database that has so many instances already."""
    with (
        tempfile.TemporaryDirectory(dir=load.folder) as name,
        database(kind, folder := Path(name)) as url,
    ):
        print(f"{kind}: filling with {rows} instances", file=sys.stderr)
        fill(url, rows)
        print(f"{kind}: {load.seconds:.0f} s of load", file=sys.stderr)
        return run(url, folder, load)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a new, migrated database."""
    if kind == "postgresql":
        with peers.postgresql() as url:
            yield url
        return
    url = f"sqlite:///{folder}/node.sqlite"
    migrate(url)
    yield url


def run(url: str, folder: Path, load: Load) -> Measured:
    """Send, index, settle and claim for so long, and measure."""
    times = folder / "times.json"
    before = _receipts(url)
    with (
        peers.our_receiver(folder / "node", url) as receiver,
        small_worker(url, folder / "node" / "data", times) as worker,
        senders(receiver.port, folder, load.senders) as sending,
    ):
        watched = {"receiver": receiver.process.pid, "worker": worker.pid}
        started = time.monotonic()
        memory = _watch(watched, sending, load.seconds)
        seconds = time.monotonic() - started
        received = _receipts(url) - before
    return Measured(
        images_per_second=received / seconds,
        unindexed=_receipts(url, ReceiptState.RECEIVED),
        memory_mib=memory,
        times_ms=json.loads(times.read_text()),
    )


@contextmanager
def small_worker(url: str, data: Path, times: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the worker without a network, once it has begun to work."""
    command = [sys.executable, "-m", "benchmarks.small_worker"]
    command += [url, str(data), str(times)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if not process.stdout or process.stdout.readline().strip() != READY:
            raise SystemExit("the worker ended by itself")
        yield process
    finally:
        process.terminate()
        process.wait(peers.STOP_SECONDS)


@contextmanager
def senders(
    port: int, folder: Path, count: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many senders, each with studies of its own size, until the block ends."""
    images = [
        str(path)
        for side in SIDES
        for path in peers.write_images(folder / f"{side}", 1, side)
    ]
    command = [peers.program("storescu"), "-aec", peers.AE_TITLE, "--repeat", ENDLESS]
    processes = []
    try:
        for number in range(count):
            series = str(IMAGES_OF_A_SERIES[number % len(IMAGES_OF_A_SERIES)])
            study = str(SERIES_OF_A_STUDY[number % len(SERIES_OF_A_STUDY)])
            sizes = ["--invent-series", series, "--invent-study", study]
            to = ["127.0.0.1", str(port), *images]
            processes.append(subprocess.Popen([*command, *sizes, *to]))
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _watch(
    watched: dict[str, int],
    sending: Sequence[subprocess.Popen[bytes]],
    seconds: float,
) -> dict[str, list[float]]:
    """Return each process's memory, once a second, for so long."""
    memory: dict[str, list[float]] = {name: [] for name in watched}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(1)
        for name, pid in watched.items():
            tree = peers.process_tree(pid)
            memory[name].append(sum(map(peers.resident_mib, tree)))
        if ended := [one.returncode for one in sending if one.poll() is not None]:
            raise SystemExit(f"senders ended by themselves, with {ended}")
    return memory


def _receipts(url: str, state: ReceiptState | None = None) -> int:
    query = sa.select(sa.func.count()).select_from(ReceiptRow)
    if state is not None:
        query = query.where(ReceiptRow.state == state)
    with closing(open_database(url)) as opened, opened.reading.begin() as session:
        return session.scalar(query) or 0


def report(
    kind: str, empty: Measured, full: Measured, arguments: argparse.Namespace
) -> tuple[list[str], int]:
    """Return a table, and how many goals are missed."""
    ratio = full.images_per_second / empty.images_per_second
    rows = [
        ("images per second, empty", "", f"{empty.images_per_second:.1f}", True),
        ("images per second, full", "", f"{full.images_per_second:.1f}", True),
        ("ratio", f">= {RATE_GOAL}", f"{ratio:.2f}", ratio >= RATE_GOAL),
        ("receipts not indexed at the end", "", f"{full.unindexed}", True),
    ]
    for process, samples in full.memory_mib.items():
        growth = full.growth(process)
        what = f"memory of the {process}, at the end {samples[-1]:.0f} MiB, growth"
        met = growth < GROWTH_GOAL
        rows.append((what, f"< {GROWTH_GOAL:.0%}", f"{growth:+.1%}", met))
    for name in ("settling", "claiming", "looking for work"):
        latency, count = full.latency_ms(name), len(full.times_ms.get(name, ()))
        before = f"{empty.latency_ms(name):.1f} ms"
        rows.append((f"{name}, 99th percentile, empty", "", before, True))
        what = f"{name}, 99th percentile of {count}, full"
        met = latency < LATENCY_GOAL_MS
        rows.append((what, f"< {LATENCY_GOAL_MS:.0f} ms", f"{latency:.1f} ms", met))
    head = (
        f"{kind}: {arguments.senders} senders, {arguments.minutes:g} minutes, "
        f"{arguments.rows:,} instances before."
    )
    lines = ["", head, "", "| what | goal | measured | |", "|---|---|---|---|"]
    for what, goal, found, met in rows:
        verdict = "" if not goal else "met" if met else "MISSED"
        lines.append(f"| {what} | {goal} | {found} | {verdict} |")
    return lines, sum(not met for *_, met in rows)


if __name__ == "__main__":
    sys.exit(main())
