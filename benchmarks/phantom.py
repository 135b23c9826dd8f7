"""How fast one core draws phantoms, and how much memory that takes.

Usage: ``python benchmarks/phantom.py [--patients N]``; prints a Markdown table.

Each patient is imaged as fifteen axial slices of 320 x 320 pixels, three to a disc and
4 mm thick, and one sagittal series. Rates count the scanner's faults in, and stand
once by the clock and once by the processor: they part where other work runs beside.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version

import numpy as np

from grading.phantom.image.render import render
from grading.phantom.image.scan import draw_scan
from grading.phantom.image.scene import Scene
from grading.phantom.image.signal import Kind
from grading.phantom.image.signal import Sequence as PulseSequence
from grading.phantom.image.tissues import draw_constitution, draw_tissues
from grading.phantom.prevalence import draw_wanted
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.spine.cut import Cut, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.spine import draw_spine
from grading.phantom.studies.protocol import LUMBAR

PIXELS = 320
AXIAL_PIXEL_MM = 0.5
SAGITTAL_PIXELS = 384
SAGITTAL_PIXEL_MM = 0.75
THICKNESS_MM = 4.0
OFFSETS_MM = (-4.4, 0.0, 4.4)
SAGITTAL_MM = (-20.0, -10.0, 0.0, 10.0, 20.0)
TURBO_T2 = PulseSequence(Kind.T2, 3600.0, 105.0, 1.5, 16)


@dataclass(frozen=True, slots=True)
class Instant:
    """By the clock, and by the processor."""

    clock: float
    processor: float

    @classmethod
    def now(cls) -> Instant:
        return cls(time.perf_counter(), time.process_time())

    def since(self, earlier: Instant) -> Instant:
        return Instant(self.clock - earlier.clock, self.processor - earlier.processor)


@dataclass(frozen=True, slots=True)
class Times:
    """What one patient took."""

    drawing: Instant
    axial: Instant
    sagittal: Instant


def main() -> None:
    """Print the table, the memory and the machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10, metavar="N")
    patients: int = parser.parse_args().patients
    measured = [one_patient(seed) for seed in range(patients + 1)][1:]
    print("| what | by | median | min | max |\n|---|---|---|---|---|")
    for field in fields(Instant):
        for what, values in rates(measured, field.name).items():
            found = (statistics.median(values), min(values), max(values))
            cells = " | ".join(f"{value:.1f}" for value in found)
            print(f"| {what} | {field.name} | {cells} |")
    print(f"\n{patients} patients; the process held {peak_megabytes():.0f} MB at most.")
    print(machine())


def one_patient(seed: int) -> Times:
    """Draw and image one patient."""
    rng = np.random.default_rng(seed)
    began = Instant.now()
    wanted = {level: draw_wanted(Prevalence.BALANCED, rng) for level in LUMBAR}
    spine = draw_spine(wanted, rng)
    constitution = draw_constitution(Domain.INTERNAL, rng)
    scene = Scene.of(spine)
    drawn = Instant.now()
    tissues = draw_tissues(constitution, TURBO_T2, Domain.INTERNAL, rng)
    for cut in axial_cuts(spine):
        scan = draw_scan(Domain.INTERNAL, TURBO_T2, AXIAL_PIXEL_MM, rng)
        render(scene, cut, THICKNESS_MM, tissues, scan, rng)
    axial = Instant.now()
    for cut in sagittal_cuts(spine):
        scan = draw_scan(Domain.INTERNAL, TURBO_T2, SAGITTAL_PIXEL_MM, rng)
        render(scene, cut, THICKNESS_MM, tissues, scan, rng)
    sagittal = Instant.now()
    return Times(drawn.since(began), axial.since(drawn), sagittal.since(axial))


def axial_cuts(spine: Spine) -> Iterator[Cut]:
    """Yield three cuts along each disc from L1/L2 down."""
    for space in spine.discs:
        if space.level in LUMBAR:
            yield from (disc_cut(spine, space, offset) for offset in OFFSETS_MM)


def disc_cut(spine: Spine, space: DiscSpace, offset_mm: float) -> Cut:
    """Return a square cut along a disc, so far above its middle."""
    along = spine.axis.direction(space.s_mm)
    row = spine.axis.leftwards(space.s_mm)
    row = row - along * (row @ along)
    row /= np.linalg.norm(row)
    return Cut.centred(
        vector(spine.axis.locate(0, 5, space.s_mm + offset_mm)),
        vector(row),
        vector(np.cross(along, row)),
        (AXIAL_PIXEL_MM, AXIAL_PIXEL_MM),
        (PIXELS, PIXELS),
    )


def sagittal_cuts(spine: Spine) -> Iterator[Cut]:
    """Yield cuts from right to left."""
    centre = spine.axis.locate(0, -15, 0)
    for left_mm in SAGITTAL_MM:
        yield Cut.centred(
            vector(centre + np.array([left_mm, 0, 0])),
            (0.0, 1.0, 0.0),
            (0.0, 0.0, -1.0),
            (SAGITTAL_PIXEL_MM, SAGITTAL_PIXEL_MM),
            (SAGITTAL_PIXELS, SAGITTAL_PIXELS),
        )


def rates(measured: Sequence[Times], by: str) -> dict[str, list[float]]:
    """Return how many of each came in a second, patient by patient."""
    slices, sagittal = len(LUMBAR) * len(OFFSETS_MM), len(SAGITTAL_MM)
    axial = f"axial slices of {PIXELS} x {PIXELS} per second"
    seconds = [
        (getattr(one.drawing, by), getattr(one.axial, by), getattr(one.sagittal, by))
        for one in measured
    ]
    return {
        "patients drawn per second": [1 / drawing for drawing, _, _ in seconds],
        axial: [slices / image for _, image, _ in seconds],
        f"{axial}, {slices} to a patient, who is drawn as well": [
            slices / (drawing + image) for drawing, image, _ in seconds
        ],
        f"sagittal slices of {SAGITTAL_PIXELS} x {SAGITTAL_PIXELS} per second": [
            sagittal / image for _, _, image in seconds
        ],
    }


def peak_megabytes() -> float:
    """Return the most memory that this process has held; Linux counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0


def machine() -> str:
    """Return what it was measured on."""
    return (
        f"One process on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}, numpy {version('numpy')}"
    )


if __name__ == "__main__":
    main()
