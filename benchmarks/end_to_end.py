"""How long a report takes and how fast the network is, both measured in one run.

Usage: ``python -m benchmarks.end_to_end [--repeat N]``; prints a Markdown table.

A scanner sends the public-domain study, under fresh UIDs each time, to a node that
runs as two processes, and the report comes back into a PACS: Orthanc where it is
installed, else the small one of the demo. Beside it stands the network, against
plain torchvision code of the same backbone.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
import torchvision
from pydicom.uid import ComprehensiveSRStorage

from benchmarks import scanner
from dicom_node.demo import (
    NODE_TITLE,
    QUIET_SECONDS,
    STUDY,
    running_node,
    running_pacs,
)
from dicom_node.demo_pacs import OURS, Pacs, free_port
from dicom_node.errors import NodeError
from dicom_node.sender import Peer
from grading.bundle import Bundle, load_bundle, shipped_bundle_path
from grading.grader import Grader
from storage.database import open_database
from storage.overview import overview

PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 0.01
"""How often the PACS is asked: the error of each measured time."""
SLICES = 20
"""A lumbar study has about so many axial slices."""
ROUNDS = 21


@dataclass(frozen=True, slots=True)
class PathTimes:
    """What the way of a study through the node took."""

    pacs: str
    images: int
    seconds: tuple[float, ...]
    """One per study: last image acknowledged to SR in the PACS, less the quiet time."""


@dataclass(frozen=True, slots=True)
class NetworkRates:
    """Slices per second of both networks, one pair per round."""

    ours: tuple[float, ...]
    plain: tuple[float, ...]
    engine: str
    """What computes ours; the plain one computes float32 on the same device."""
    grid_pixels: int


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    repeat: int = parser.parse_args().repeat
    bundle = load_bundle(shipped_bundle_path())
    rates = network_rates(bundle)
    with tempfile.TemporaryDirectory() as folder:
        try:
            times = path_times(Path(folder), repeat)
        except Exception:
            log = Path(folder, "node.log")
            print(log.read_text(encoding="utf-8"), file=sys.stderr)
            raise
    print(table(times, rates, bundle))
    return 0


def path_times(folder: Path, repeat: int) -> PathTimes:
    """Send the study ``repeat`` times, and once before that does not count.

    The first one meets a worker that still loads torch. Each study gets a PACS of
    its own, so that whatever lies in it belongs to this study.
    """
    images = len(list(STUDY.rglob("*.dcm")))
    port, pacs_port = free_port(), free_port()
    node, seconds, name = Peer(NODE_TITLE, "127.0.0.1", port), [], ""
    with running_node(folder, port, pacs_port, folder / "node.log") as url:
        for number in range(repeat + 1):
            datasets = scanner.study_under_fresh_uids()
            with running_pacs(folder / f"pacs-{number}", pacs_port) as pacs:
                name = pacs.name
                acknowledged = scanner.send(datasets, node)
                seconds.append(report_seen(pacs) - acknowledged - QUIET_SECONDS)
                wait_until(partial(all_delivered, url, number + 1))
            print(f"study {number}: {seconds[-1]:.2f} s", file=sys.stderr)
    return PathTimes(name, images, tuple(seconds[1:]))


def report_seen(pacs: Pacs) -> float:
    """Return when the structured report was first seen in the PACS."""
    wait_until(
        lambda: any(ds.SOPClassUID == ComprehensiveSRStorage for ds in pacs.instances())
    )
    return time.monotonic()


def all_delivered(url: str, studies: int) -> bool:
    """Tell whether the node knows that everything of so many studies has arrived."""
    with closing(open_database(url)) as database, database.reading.begin() as session:
        delivered = sum(to.delivered for to in overview(session).deliveries)
    return delivered == studies * len(OURS)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds, or give up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise NodeError(f"nothing happened for {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def network_rates(bundle: Bundle) -> NetworkRates:
    """Time the grader and a plain ResNet-50 in turns on the same random slices."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    grid = bundle.card.preprocessing.grid_pixels
    slices = list(torch.rand(SLICES, 1, grid, grid))
    coloured = torch.stack(slices).expand(-1, 3, -1, -1).contiguous()
    grader = Grader(bundle, device)
    resnet = torchvision.models.resnet50(weights=None).eval().to(device)

    def ours() -> None:
        grader.probabilities(slices)

    @torch.inference_mode()
    def plain() -> None:
        resnet(coloured.to(device)).cpu()

    pairs = [(rate(ours), rate(plain)) for _ in range(ROUNDS + 1)][1:]
    first, second = zip(*pairs, strict=True)
    return NetworkRates(first, second, grader.engine_words, grid)


def rate(run: Callable[[], None]) -> float:
    """Return the slices per second of one run over all slices."""
    started = time.perf_counter()
    run()
    return SLICES / (time.perf_counter() - started)


def table(times: PathTimes, rates: NetworkRates, bundle: Bundle) -> str:
    """Return everything as Markdown."""
    studies = f"{len(times.seconds)} studies of {times.images} images, {times.pacs}"
    path = f"from the last image acknowledged to the SR in the PACS ({studies})"
    size = f"{SLICES} slices of {rates.grid_pixels} x {rates.grid_pixels}"
    ours = f"{bundle.card.backbone} with its heads, {rates.engine} ({size})"
    plain = "plain eager torchvision resnet50, float32, same input, in turns"
    ratios = [one / other for one, other in zip(rates.ours, rates.plain, strict=True)]
    rows = (
        (f"seconds {path}, less {QUIET_SECONDS:.0f} s quiet time", times.seconds),
        (f"slices per second, the node's {ours}", rates.ours),
        (f"slices per second, {plain}", rates.plain),
        ("ratio of the two", ratios),
    )
    lines = ["| what | median | min | max |", "|---|---|---|---|"]
    lines += [f"| {what} | {summary(values)} |" for what, values in rows]
    return "\n".join([*lines, "", machine()])


def summary(values: Sequence[float]) -> str:
    """Return median, least and greatest as three cells."""
    found = (statistics.median(values), min(values), max(values))
    return " | ".join(f"{value:.2f}" for value in found)


def machine() -> str:
    """Return what it was measured on, in a sentence."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return (
        f"Measured with lumbar-node {version('lumbar-node')} on {processor()}, {cores} "
        f"cores, accelerator {accelerator}, Python {platform.python_version()}, torch "
        f"{torch.__version__}, {torch.get_num_threads()} threads; load average at the "
        f"end {load:.1f}."
    )


def processor() -> str:
    """Return the processor's model as the kernel names it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
