"""How fast a bundle's networks are, and whether speed costs grades, in one run.

Usage: ``python benchmarks/inference.py [--bundle FOLDER] [--device auto]
[--lessons FOLDER] [--slices N] [--rounds N]``; prints Markdown.

Each way to compute takes its turn in every round, so that other work on the machine
disturbs all alike. The yardstick is plain eager float32: torchvision's ResNet and one
layer per head, as torch makes them. Grades are compared on phantom slices, drawn here
or read from a folder that `lumbar-grading lessons` filled. Ends with 1 where an engine
changes more than it may.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pydicom
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dicom_node.demo import STUDY
from grading.bundle import Bundle, load_bundle, shipped_bundle_path
from grading.engines.engine import LARGEST_BATCH
from grading.engines.on_onnx import PACKAGES
from grading.engines.on_torch import TorchEngine, device_named, short_precision
from grading.grader import Grader
from grading.landmarks.locator import CPU_BATCH_LOOKS, HeatmapLocator
from grading.landmarks.network import AXIAL, SAGITTAL, LandmarkNetwork, as_input
from grading.network import MultiTaskResNet
from grading.phantom.slices import Split
from grading.study import StudyReader
from grading.training.lessons.keep import read_patients
from grading.training.samples import (
    LabelledSlice,
    PhantomSet,
    Regions,
    draw_labelled,
    from_lesson,
)

STUDY_SLICES = 20
"""A lumbar study has about so many axial slices."""
BATCHES = (1, 16, 64)
MOST_CHANGED = 0.005
"""Share of slices that may get another grade of any head."""
MOST_DIFFERENCE = 0.02
"""Between two probabilities of one grade."""
PAPER_MS = 11.0
"""One image on a GeForce RTX 2080 Ti, as Su et al. 2022 report it."""
LOOKS_PER_SLICE = 3
LOOKS = STUDY_SLICES * LOOKS_PER_SLICE
SAGITTAL_IMAGES = 5
MATRIX = 4096

Probabilities = torch.Tensor
"""(slices, heads, grades) float64."""


@dataclass(frozen=True, slots=True)
class Side:
    """A way to grade slices, and its name in the tables."""

    words: str
    probabilities: Callable[[torch.Tensor], Probabilities]


def main() -> int:
    """Measure, print, and tell whether every engine keeps the grades."""
    arguments = _arguments()
    bundle = load_bundle(arguments.bundle or shipped_bundle_path())
    device = device_named(arguments.device)
    graders = our_graders(bundle, device)
    plain, sides = plain_side(bundle, device), [our_side(one) for one in graders]
    slices = phantom_slices(bundle, arguments.lessons, arguments.slices)
    kept = True
    for table, passed in (
        gate_table(plain, sides, slices),
        (rate_table(plain, sides, slices, arguments.rounds), True),
        (roofline(bundle, device), True),
        (landmark_table(device, arguments.rounds), True),
        (study_table(bundle, graders, device, arguments.rounds), True),
    ):
        print(table, flush=True)
        kept = kept and passed
    print(machine())
    return 0 if kept else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="the shipped one where missing")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--lessons", type=Path, help="phantom slices to read")
    parser.add_argument("--slices", type=int, default=40, metavar="N")
    parser.add_argument("--rounds", type=int, default=11, metavar="N")
    return parser.parse_args()


def phantom_slices(bundle: Bundle, lessons: Path | None, count: int) -> torch.Tensor:
    """Return (slices, 1, grid, grid) of so many phantom slices."""
    found: list[LabelledSlice] = []
    if lessons is None:
        phantoms = PhantomSet(seed=18, split=Split.TEST, slices=count)
        found = [draw_labelled(phantoms, index) for index in range(count)]
    else:
        for patient in read_patients(lessons):
            found += filter(None, map(from_lesson, patient.axial))
            if len(found) >= count:
                break
    regions = Regions(found[:count], bundle.card.preprocessing)
    return torch.stack([regions[index][0] for index in range(len(regions))])


def plain_side(bundle: Bundle, device: torch.device) -> Side:
    """Return the yardstick."""
    network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
    network.load_state_dict(bundle.state_dict)
    network.eval().to(device)

    @torch.inference_mode()
    def probabilities(slices: torch.Tensor) -> Probabilities:
        logits = network(slices.to(device))
        rows = [
            torch.softmax(values.double() / bundle.card.calibration.get(name, 1), dim=1)
            for name, values in logits.items()
        ]
        return torch.stack(rows, dim=1).cpu()

    return Side(f"plain eager float32 on {device}", probabilities)


def our_graders(bundle: Bundle, device: torch.device) -> list[Grader]:
    """Return the node's grader with every engine that is installed."""
    graders = [Grader(bundle, str(device))]
    if all(find_spec(name) for name in PACKAGES):
        graders.append(Grader(bundle, engine="onnx"))
    return graders


def our_side(grader: Grader) -> Side:
    """Return the node's way to grade slices."""

    def probabilities(slices: torch.Tensor) -> Probabilities:
        rows = grader.probabilities(list(slices)).values()
        tables = [torch.tensor(one, dtype=torch.float64) for one in rows]
        return torch.stack(tables, dim=1)

    return Side(f"the node, {grader.engine_words}", probabilities)


def gate_table(
    plain: Side, sides: Sequence[Side], slices: torch.Tensor
) -> tuple[str, bool]:
    """Compare probabilities with the yardstick's, and judge."""
    lines = [
        f"Against plain eager float32 on {len(slices)} phantom slices:\n",
        "| what | slices with another grade | largest difference of a probability | |",
        "|---|---|---|---|",
    ]
    parts = torch.split(slices, STUDY_SLICES)
    expected = torch.cat([plain.probabilities(part) for part in parts])
    kept = True
    for side in sides:
        found = torch.cat([side.probabilities(part) for part in parts])
        changed = (found.argmax(2) != expected.argmax(2)).any(dim=1).double().mean()
        difference = float((found - expected).abs().max())
        passed = float(changed) <= MOST_CHANGED and difference <= MOST_DIFFERENCE
        verdict = "within bounds" if passed else "TOO MUCH"
        lines.append(
            f"| {side.words} | {float(changed):.2%} | {difference:.5f} | {verdict} |"
        )
        kept = kept and passed
    return "\n".join([*lines, ""]), kept


def rate_table(
    plain: Side, sides: Sequence[Side], slices: torch.Tensor, rounds: int
) -> str:
    """Return slices per second by batch size, and times the yardstick's."""
    every = [plain, *sides]
    lines = [
        "| slices per second (times plain) | "
        + " | ".join(f"batch {size}" for size in BATCHES)
        + f" | study of {STUDY_SLICES} |",
        "|---" * (len(BATCHES) + 2) + "|",
    ]
    cells: dict[str, list[str]] = {side.words: [] for side in every}
    for size in (*BATCHES, STUDY_SLICES):
        batch = slices.repeat(size // len(slices) + 1, 1, 1, 1)[:size]
        ways = {one.words: partial(one.probabilities, batch) for one in every}
        seconds = in_turns(ways, rounds)
        for words, taken in seconds.items():
            ratio = ratio_of(seconds[plain.words], taken)
            rate = size / statistics.median(taken)
            cells[words].append(f"{rate:.1f} ({ratio:.2f})")
    lines += [f"| {words} | {' | '.join(found)} |" for words, found in cells.items()]
    paper = (
        f"The paper: {PAPER_MS:.0f} ms an image, {1000 / PAPER_MS:.0f} per second.\n"
    )
    return "\n".join([*lines, "", paper])


def in_turns(
    ways: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
    """Time each way once a round; a round before the first does not count."""
    seconds: dict[str, list[float]] = {words: [] for words in ways}
    for number in range(rounds + 1):
        for words, way in ways.items():
            started = time.perf_counter()
            way()
            if number:
                seconds[words].append(time.perf_counter() - started)
    return seconds


def ratio_of(plain: Sequence[float], other: Sequence[float]) -> float:
    """Return the median of how many times faster than plain, round by round."""
    return statistics.median(a / b for a, b in zip(plain, other, strict=True))


def roofline(bundle: Bundle, device: torch.device) -> str:
    """Say how many slices a second the device's multiplications would allow."""
    grid = bundle.card.preprocessing.grid_pixels
    network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads).eval()
    with torch.inference_mode():
        slice_flops = flops(network, torch.zeros(1, 1, grid, grid))
    lines = [
        f"One slice takes {slice_flops / 1e9:.2f} GFLOP. In matrix products {device}"
    ]
    for precision in dict.fromkeys((torch.float32, short_precision(device))):
        rate = matrix_flops(device, precision)
        name = str(precision).removeprefix("torch.")
        lines.append(
            f"computes {rate / 1e9:.0f} GFLOP/s in {name}: at most "
            f"{rate / slice_flops:.0f} slices per second;"
        )
    return " ".join(lines).rstrip(";") + ".\n"


def flops(network: nn.Module, batch: torch.Tensor) -> float:
    """Return the floating-point operations of one pass."""
    with FlopCounterMode(display=False) as counter:
        network(batch)
    return float(counter.get_total_flops())


def matrix_flops(device: torch.device, precision: torch.dtype) -> float:
    """Return the best rate of a large matrix product."""
    size = MATRIX if device.type == "cuda" else MATRIX // 4
    one = torch.rand(size, size, device=device).to(precision)
    ways = {"": lambda: float((one @ one)[0, 0])}
    return 2 * size**3 / min(in_turns(ways, 7)[""])


def landmark_table(device: torch.device, rounds: int) -> str:
    """Time the landmark networks on the looks of a study; weights do not matter."""
    lines = [
        "| landmark networks, looks per second | plain | the node's | times plain |",
        "|---|---|---|---|",
    ]
    for name, spec, count in (
        (f"axial, {LOOKS_PER_SLICE} looks a slice", AXIAL, LOOKS),
        ("sagittal", SAGITTAL, SAGITTAL_IMAGES),
    ):
        looks = torch.rand(count, 1, spec.grid_pixels, spec.grid_pixels)
        batch = as_input(looks, spec.pitch_mm)
        plain = LandmarkNetwork(spec).eval().to(device)
        largest = CPU_BATCH_LOOKS if device.type == "cpu" else LARGEST_BATCH
        ours = TorchEngine(LandmarkNetwork(spec), device, largest=largest)
        ways = {"plain": partial(eager, plain, batch, device), "": partial(ours, batch)}
        seconds = in_turns(ways, rounds)
        first, second = (count / statistics.median(one) for one in seconds.values())
        ratio = ratio_of(seconds["plain"], seconds[""])
        lines.append(
            f"| {name}, {count} at once | {first:.1f} | {second:.1f} | {ratio:.2f} |"
        )
    return "\n".join([*lines, ""])


@torch.inference_mode()
def eager(network: nn.Module, batch: torch.Tensor, device: torch.device) -> Any:
    """Return what a network makes of a batch, on the CPU."""
    return [output.cpu() for output in network(batch.to(device))]


def study_table(
    bundle: Bundle, graders: Sequence[Grader], device: torch.device, rounds: int
) -> str:
    """Time a real study: all of it, and what finding its landmarks takes."""
    datasets = [pydicom.dcmread(path) for path in sorted(STUDY.rglob("*.dcm"))]
    ways: dict[str, Callable[[], Any]] = {
        f"datasets to grades, {one.engine_words}": partial(one.grade, datasets)
        for one in graders
    }
    if bundle.card.landmarks is None:
        slices = StudyReader(datasets).axial()
        made_up = [(spec, LandmarkNetwork(spec)) for spec in (AXIAL, SAGITTAL)]
        locator = HeatmapLocator(made_up[0], made_up[1], device)
        words = f"landmarks of {len(slices)} axial slices (a network nobody trained)"
        ways[words] = partial(locator.axial, slices)
    lines = [f"| a study of {len(datasets)} images | ms |", "|---|---|"]
    lines += [
        f"| {words} | {1000 * statistics.median(taken):.0f} |"
        for words, taken in in_turns(ways, rounds).items()
    ]
    return "\n".join([*lines, ""])


def machine() -> str:
    """Return what it was measured on, in a sentence."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return (
        f"Measured with lumbar-node {version('lumbar-node')} on {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} cores, torch's instructions "
        f"{torch.backends.cpu.get_cpu_capability()}, accelerator {accelerator}, Python "
        f"{platform.python_version()}, torch {torch.__version__} with "
        f"{torch.get_num_threads()} threads; load average at the end "
        f"{os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
