"""How long a study waits for its grades: with a PACS that counts, and without.

Usage: ``python -m benchmarks.waiting [--repeat N] [--quiet-seconds S]``; prints a
Markdown table, and ends with 1 where a study that the PACS counts took over 20 s.

Two nodes run side by side, each as its two processes and with the same quiet time. A
scanner sends the public-domain study to both, under fresh UIDs each time. One of them
asks an Orthanc that holds the study, the other asks nobody. The clock runs from the
last image acknowledged until the study is graded.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import Dataset

from benchmarks import scanner
from dicom_node.demo_pacs import free_port, orthanc, wait_for_port
from dicom_node.errors import NodeError
from dicom_node.sender import Peer
from storage.database import migrate, open_database
from storage.overview import overview

WANTED_SECONDS = 20.0
PATIENCE_SECONDS = 600.0
LOOK_SECONDS = 0.05
CONFIG = """\
[node]
ae_title = "{title}"
port = {port}
data_directory = "{folder}/data"
[database]
url = "sqlite:///{folder}/node.sqlite"
[receiver]
quiet_seconds = {quiet_seconds}
[model]
accept_phantom_bundle = true
"""
ASKED = """\
[completeness]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A running node and its database."""

    peer: Peer
    url: str

    def jobs_done(self) -> int:
        """Return how many studies are graded."""
        with (
            closing(open_database(self.url)) as database,
            database.reading.begin() as session,
        ):
            return overview(session).jobs.done


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N")
    parser.add_argument("--quiet-seconds", type=float, default=60.0, metavar="S")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asking, alone = waits(Path(folder), parsed.repeat, parsed.quiet_seconds)
    ratio = statistics.median(alone) / statistics.median(asking)
    print("| node | seconds until graded: median | min | max |")
    print("|---|---|---|---|")
    print(f"| asks a PACS that counts (Orthanc) | {summary(asking)} |")
    print(
        f"| asks nobody, quiet_seconds = {parsed.quiet_seconds:g} | {summary(alone)} |"
    )
    print(f"\nratio of the medians {ratio:.1f}; load average {os.getloadavg()[0]:.1f}")
    return int(max(asking) > WANTED_SECONDS)


def waits(
    folder: Path, repeat: int, quiet_seconds: float
) -> tuple[list[float], list[float]]:
    """Return the seconds of each study, with a PACS and without.

    One study beforehand does not count: it meets workers that still load torch.
    """
    asked_port = free_port()
    seconds: list[tuple[float, float]] = []
    with (
        orthanc(folder / "archive", "ARCHIVE", asked_port) as archive,
        running(folder / "asking", quiet_seconds, asked_port) as asking,
        running(folder / "alone", quiet_seconds) as alone,
    ):
        for number in range(repeat + 1):
            datasets = scanner.study_under_fresh_uids()
            archive.fill(written(datasets, folder / f"study-{number}"))
            since = [scanner.send(datasets, node.peer) for node in (asking, alone)]
            ended = [when_done(node, number + 1) for node in (asking, alone)]
            asked, left_alone = (b - a for a, b in zip(since, ended, strict=True))
            seconds.append((asked, left_alone))
            print(f"study {number}: {asked:.1f} s, {left_alone:.1f} s", file=sys.stderr)
    first, second = zip(*seconds[1:], strict=True)
    return list(first), list(second)


@contextmanager
def running(folder: Path, quiet_seconds: float, asked: int = 0) -> Iterator[Node]:
    """Run a node in a folder of its own until the block ends."""
    (folder / "data").mkdir(parents=True, mode=0o700)
    port, url = free_port(), f"sqlite:///{folder}/node.sqlite"
    text = CONFIG.format(
        title="LUMBARNODE", port=port, folder=folder, quiet_seconds=quiet_seconds
    )
    (folder / "config.toml").write_text(
        text + (ASKED.format(port=asked) if asked else "")
    )
    migrate(url)
    words = ["-m", "dicom_node", "serve", "--config", str(folder / "config.toml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)
        try:
            wait_for_port(port, process)
            yield Node(Peer("LUMBARNODE", "127.0.0.1", port), url)
        finally:
            process.terminate()
            process.wait()


def written(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Write datasets as files, for a PACS that is filled from files."""
    folder.mkdir()
    paths = [folder / f"{number}.dcm" for number in range(len(datasets))]
    for ds, path in zip(datasets, paths, strict=True):
        buffer = BytesIO()
        ds.save_as(buffer)
        path.write_bytes(buffer.getvalue())
    return paths


def when_done(node: Node, studies: int) -> float:
    """Return when so many studies are graded; the asking node is awaited first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while node.jobs_done() < studies:
        if time.monotonic() > deadline:
            raise NodeError(f"nothing was graded for {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()


def summary(seconds: Sequence[float]) -> str:
    """Return median, least and greatest as three cells."""
    found = (statistics.median(seconds), min(seconds), max(seconds))
    return " | ".join(f"{value:.1f}" for value in found)


if __name__ == "__main__":
    sys.exit(main())
