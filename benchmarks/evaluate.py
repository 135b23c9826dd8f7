"""How long ``lumbar-grading evaluate`` takes, and the most memory that it holds.

Usage: ``python benchmarks/evaluate.py [--slices N] [--resamples N]``; writes a table of
made-up predictions, evaluates it in a process of its own and prints a Markdown table.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from grading.evaluation.case_file import COLUMNS, PREDICTOR_COLUMNS
from grading.evaluation.outcomes import GRADES
from grading.grades import Finding, Level

SLICES_PER_PATIENT = 15
SITES, SCANNERS = 2, 3
PREVALENCE = (0.6, 0.25, 0.1, 0.05)
SKILL = 2.0
"""By how much the logit of the right grade is larger."""
ROOT = "1.2.826.0.1.3680043.8.498"
"""UIDs are as long as real ones."""
BUNDLE = ("made up 1", "ab" * 32, "unevaluated")


def main() -> None:
    """Print the table, and the machine below it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=100_000, metavar="N")
    parser.add_argument("--resamples", type=int, default=2_000, metavar="N")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "predictions.csv"
        write_table(table, arguments.slices)
        seconds = evaluate(table, arguments.resamples)
        megabytes = table.stat().st_size / 1e6
    print("| slices | findings | table, MB | resamples | seconds | peak, MB |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {arguments.slices} | {len(Finding)} | {megabytes:.0f} | "
        f"{arguments.resamples} | {seconds:.1f} | {peak_megabytes():.0f} |"
    )
    print(
        f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {version('numpy')}"
    )


def evaluate(table: Path, resamples: int) -> float:
    """Return the seconds that the command takes."""
    command = [sys.executable, "-m", "grading", "evaluate", str(table)]
    command += ["--out", str(table.parent / "report"), "--resamples", str(resamples)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def write_table(path: Path, slices: int) -> None:
    """Write predictions that are right more often than not."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow((*COLUMNS, "site", "scanner", *PREDICTOR_COLUMNS))
        table.writerows(rows(slices))


def rows(slices: int) -> Iterator[tuple[object, ...]]:
    """Yield a row per slice and finding, in the order of ``COLUMNS``."""
    rng = np.random.default_rng(0)
    levels = list(Level)[1:]
    for number in range(slices):
        patient, place = divmod(number, SLICES_PER_PATIENT)
        study = f"{ROOT}.{patient:030d}"
        image = (f"p{patient:016x}", study, f"{study}.1", f"{study}.1.{place}", 1)
        group = f"site {patient % SITES}", f"Maker Model {patient % SCANNERS} 1.5 T"
        references = rng.choice(GRADES, p=PREVALENCE, size=len(Finding))
        noise = rng.normal(size=(len(Finding), GRADES))
        odds = np.exp(noise + SKILL * np.eye(GRADES)[references])
        for finding, reference, odd in zip(Finding, references, odds, strict=True):
            probabilities = (f"{p:.6f}" for p in odd / odd.sum())
            level = levels[place % len(levels)]
            yield (*image, level, finding, reference, *probabilities, *group, *BUNDLE)


def peak_megabytes() -> float:
    """Return the most memory that the command has held; Linux counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000.0


if __name__ == "__main__":
    main()
