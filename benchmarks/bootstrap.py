"""How long intervals over patients take, and how much memory, for all three findings.

Usage: ``python benchmarks/bootstrap.py [--resamples N]``; prints a Markdown table.
The peak is that of the whole process since it began, libraries included.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from importlib.metadata import version

import numpy as np

from grading.evaluation.outcomes import GRADES, Outcomes
from grading.evaluation.scoring import DEFAULT_RESAMPLES, bootstrap
from grading.grades import Finding

SETS = ((2_300, 153), (100_000, 6_660))
"""Slices and patients: the paper's internal test set, and a large archive."""
PREVALENCE = (0.6, 0.25, 0.1, 0.05)
SKILL = 2.0
"""By how much the logit of the right grade is larger."""


def main() -> None:
    """Print the table, and the machine below it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=DEFAULT_RESAMPLES, metavar="N")
    resamples = parser.parse_args().resamples
    print("| slices | patients | findings | resamples | seconds | peak, MB |")
    print("|---|---|---|---|---|---|")
    for slices, patients in SETS:
        seconds = measure(slices, patients, resamples)
        print(
            f"| {slices} | {patients} | {len(Finding)} | {resamples} | "
            f"{seconds:.1f} | {peak_megabytes():.0f} |",
            flush=True,
        )
    print(
        f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {version('numpy')}"
    )


def measure(slices: int, patients: int, resamples: int) -> float:
    """Return the seconds that the scores of all findings take."""
    rng = np.random.default_rng(0)
    findings = [simulated(finding, slices, patients, rng) for finding in Finding]
    start = time.perf_counter()
    for outcomes in findings:
        bootstrap(outcomes, seed=0, resamples=resamples)
    return time.perf_counter() - start


def simulated(
    finding: Finding, slices: int, patients: int, rng: np.random.Generator
) -> Outcomes:
    """Return predictions that are right more often than not."""
    reference = rng.choice(GRADES, p=PREVALENCE, size=slices)
    odds = np.exp(rng.normal(size=(slices, GRADES)) + SKILL * np.eye(GRADES)[reference])
    return Outcomes(
        finding,
        rng.integers(patients, size=slices),
        reference.astype(np.int8),
        odds / odds.sum(axis=1, keepdims=True),
    )


def peak_megabytes() -> float:
    """Return the most memory that this process has held; Linux counts kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0


if __name__ == "__main__":
    main()
