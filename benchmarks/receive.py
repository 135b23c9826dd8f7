"""How fast images are received and kept, beside others, side by side in one run.

Usage: ``python -m benchmarks.receive [--images N] [--repeat N] [--postgresql]``; prints
Markdown, and ends with 1 where a goal is missed.

Senders are DCMTK's storescu as they come, one and four at once. Receivers are ours,
which says Success when file, folder and row are on disk; Orthanc, whose file is; and
``storescp --fork``, which flushes nothing. In every round each of them starts with an
empty folder on the same disk. The bare limit writes, flushes, renames and flushes the
folder of the same bytes in a loop, without a network.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import peers
from benchmarks.peers import Running

SENDERS = (1, 4)
OURS = "lumbar-node"
ORTHANC, STORESCP = "Orthanc", "storescp --fork"
BARE = "bare limit: write, fdatasync, rename, fsync of the folder"
GOALS = ((1, ORTHANC, 4.0), (1, STORESCP, 4.0), (4, ORTHANC, 3.0), (4, STORESCP, 2.0))
"""Senders, whom to beat as it comes, and by which factor."""


@dataclass(frozen=True, slots=True)
class System:
    """A receiver, and how both ends treat small packets."""

    name: str
    run: Callable[[Path], AbstractContextManager[Running]]
    nodelay: bool = False
    """TCP_NODELAY at the sender and, where it is DCMTK's, at the receiver."""

    @property
    def label(self) -> str:
        return f"{self.name}, TCP_NODELAY" if self.nodelay else self.name


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one system."""

    images_per_second: float
    cpu_ms_per_image: float


Rounds = dict[tuple[str, int], list[Measured]]
"""By label and number of senders, one per round."""


def main() -> int:
    arguments = _arguments()
    network = peers.enter_network(loopback=arguments.loopback)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        images = [
            peers.write_images(folder / f"sender-{number}", arguments.images)
            for number in range(max(SENDERS))
        ]
        with postgresql_where(asked=arguments.postgresql) as url:
            systems = _systems(url)
            rounds = measure(systems, images, folder, arguments.repeat)
    print(table(rounds, arguments.images))
    lines, missed = goals(rounds)
    print("\n".join(["", *lines, "", *ratios(rounds), "", machine(network)]))
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200, help="of each sender (200)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (5)")
    parser.add_argument("--postgresql", action="store_true", help="ours on it, too")
    parser.add_argument("--loopback", action="store_true", help="no network of its own")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    return parser.parse_args()


@contextmanager
def postgresql_where(*, asked: bool) -> Iterator[str]:
    if not asked:
        yield ""
        return
    with peers.postgresql() as url:
        yield url


def _systems(postgresql_url: str) -> list[System]:
    systems = [
        System(OURS, peers.sqlite_receiver),
        System(ORTHANC, partial(peers.orthanc, nodelay=False)),
        System(STORESCP, partial(peers.storescp, nodelay=False)),
        System(OURS, peers.sqlite_receiver, nodelay=True),
        System(ORTHANC, partial(peers.orthanc, nodelay=True), nodelay=True),
        System(STORESCP, partial(peers.storescp, nodelay=True), nodelay=True),
    ]
    if postgresql_url:
        on_postgresql = partial(peers.our_receiver, url=postgresql_url)
        systems.append(System(f"{OURS}, PostgreSQL", on_postgresql))
    return systems


def measure(
    systems: Sequence[System],
    images: Sequence[Sequence[Path]],
    folder: Path,
    repeat: int,
) -> Rounds:
    """Measure every system in every round, in turns."""
    rounds: Rounds = defaultdict(list)
    for _ in range(repeat):
        for senders in SENDERS:
            sent = images[:senders]
            for system in systems:
                measured = measure_once(system, sent, folder)
                rounds[system.label, senders].append(measured)
                print(
                    f"{system.label}, {senders} senders: "
                    f"{measured.images_per_second:.1f} images/s",
                    file=sys.stderr,
                )
            rounds[BARE, senders].append(bare_limit(sent, folder))
    return rounds


def measure_once(
    system: System, images: Sequence[Sequence[Path]], folder: Path
) -> Measured:
    """Send to a fresh receiver with one sender per list of files."""
    count = sum(map(len, images))
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        system.run(Path(name)) as running,
    ):
        cpu_before = running.cpu_seconds()
        started = time.perf_counter()
        senders = [
            peers.start_sender(running.port, files, nodelay=system.nodelay)
            for files in images
        ]
        statuses = [sender.wait() for sender in senders]
        seconds = time.perf_counter() - started
        cpu_seconds = running.cpu_seconds() - cpu_before
    if any(statuses):
        raise SystemExit(f"{system.label}: storescu ended with {statuses}")
    return Measured(count / seconds, 1000 * cpu_seconds / count)


def bare_limit(images: Sequence[Sequence[Path]], folder: Path) -> Measured:
    """Do the same to the disk with one thread per list of files, and nothing else."""
    count = sum(map(len, images))
    content = images[0][0].read_bytes()
    with (
        tempfile.TemporaryDirectory(dir=folder) as name,
        ThreadPoolExecutor(len(images)) as pool,
    ):
        cpu_before, started = time.process_time(), time.perf_counter()
        list(pool.map(partial(_write_all, Path(name), content), images))
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - cpu_before
    return Measured(count / seconds, 1000 * cpu_seconds / count)


def _write_all(folder: Path, content: bytes, files: Sequence[Path]) -> None:
    for path in files:
        temporary = folder / f"{path.name}.part"
        with temporary.open("xb", buffering=0) as file:
            file.write(content)
            os.fdatasync(file.fileno())
        temporary.rename(folder / path.name)
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def table(rounds: Rounds, images: int) -> str:
    """Return what was measured as Markdown."""
    head = (
        f"Images of 0.5 MB per second, {images} from each sender, and what the "
        "receiver computes for one."
    )
    lines = [
        head,
        "",
        "| receiver | senders | median | min | max | ms of CPU per image |",
        "|---|---|---|---|---|---|",
    ]
    for (label, senders), measured in rounds.items():
        rates = summary([one.images_per_second for one in measured])
        cpu = statistics.median(one.cpu_ms_per_image for one in measured)
        lines.append(f"| {label} | {senders} | {rates} | {cpu:.1f} |")
    return "\n".join(lines)


def goals(rounds: Rounds) -> tuple[list[str], int]:
    """Return the ratios that matter beside their goals, and how many are missed."""
    lines = ["| ratio | senders | goal | median | min | max | |", "|" + "---|" * 7]
    missed = 0
    for senders, other, goal in GOALS:
        found = of_each_round(rounds, OURS, other, senders)
        met = statistics.median(found) >= goal
        missed += not met
        lines.append(
            f"| {OURS} / {other}, as they come | {senders} | {goal:.0f} "
            f"| {summary(found)} | {'met' if met else 'MISSED'} |"
        )
    return lines, missed


def ratios(rounds: Rounds) -> list[str]:
    """Return the ratios that are reported without a goal."""
    lines = ["| ratio | senders | median | min | max |", "|---|---|---|---|---|"]
    ours = list(dict.fromkeys(label for label, _ in rounds if label.startswith(OURS)))
    others = [f"{ORTHANC}, TCP_NODELAY", f"{STORESCP}, TCP_NODELAY", BARE]
    for senders in SENDERS:
        for label in ours:
            for other in others:
                found = summary(of_each_round(rounds, label, other, senders))
                lines.append(f"| {label} / {other} | {senders} | {found} |")
    return lines


def of_each_round(rounds: Rounds, ours: str, other: str, senders: int) -> list[float]:
    """Return the ratio of two rates in each round."""
    pairs = zip(rounds[ours, senders], rounds[other, senders], strict=True)
    return [one.images_per_second / its.images_per_second for one, its in pairs]


def summary(values: Sequence[float]) -> str:
    """Return median, least and greatest as three cells."""
    found = (statistics.median(values), min(values), max(values))
    return " | ".join(f"{value:.1f}" for value in found)


def machine(network: str) -> str:
    """Return what it was measured on, in a sentence."""
    return (
        f"Measured with lumbar-node {version('lumbar-node')}, Python "
        f"{platform.python_version()}, {len(os.sched_getaffinity(0))} cores, over "
        f"{network}; load average at the end {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
