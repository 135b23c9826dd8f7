"""Measure what the objects of one study cost: `python benchmarks/reports.py`.

The public-domain study of the repository with five graded levels; processor time of
this process, so that a busy machine counts less, and the memory that it came to need
on top of what the imports took.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

from dicom_node.report.objects import ObjectKind, Wanted, build_objects, part10
from scripts import report_pictures

LIMIT_SECONDS = 0.5
LIMIT_MEBIBYTES = 150.0
OPTIONS = {
    "default objects": Wanted(),
    "default objects and 3D SR": Wanted(comprehensive_3d=True),
    "every object": Wanted(frozenset(ObjectKind), comprehensive_3d=True),
}


def main() -> None:
    """Print seconds and memory, and how much of each limit they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    evidence, grades = report_pictures.study()
    context = report_pictures.context()
    before = _mebibytes()

    def make(wanted: Wanted) -> int:
        objects = build_objects(evidence, grades, context, wanted)
        return sum(len(part10(made.dataset)) for made in objects)

    for name, wanted in OPTIONS.items():
        size = make(wanted)
        seconds = [_processor_seconds(make, wanted) for _ in range(repeats)]
        middle = statistics.median(seconds)
        print(
            f"{name}: {middle:.3f} s (median of {repeats}, {min(seconds):.3f} to "
            f"{max(seconds):.3f}), {size / 2**20:.1f} MiB written, "
            f"{middle / LIMIT_SECONDS:.0%} of {LIMIT_SECONDS} s"
        )
    grown = _mebibytes() - before
    print(
        f"memory: {grown:.0f} MiB above the {before:.0f} MiB of imports and images, "
        f"{grown / LIMIT_MEBIBYTES:.0%} of {LIMIT_MEBIBYTES:.0f} MiB"
    )


def _processor_seconds(make: Callable[[Wanted], int], wanted: Wanted) -> float:
    begun = time.process_time()
    make(wanted)
    return time.process_time() - begun


def _mebibytes() -> float:
    """Return the most memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
