"""How often a 95 % interval of AC1 holds the agreement that was built in.

Usage: ``python -m tests.grading.evaluation.coverage [--repetitions N]``; prints a
Markdown table. Two readers of known error grade simulated slices, some of which
repeat what their patient's other slices show and how they were read.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.agreement import COVERAGE, gwet
from grading.evaluation.metrics import Metric, over_grades
from grading.evaluation.outcomes import GRADES, Figure
from grading.evaluation.raters import reader_agreement
from grading.grades import Finding

PREVALENCE = np.array([0.80, 0.15, 0.03, 0.02])
"""Of the true grades, much like LCCS in the paper."""
ERRORS = (0.08, 0.12)
"""How often each reader errs, by one grade."""
SLICES = (10, 20)
"""Of a patient, least and most: 15 in the mean, as in the paper."""
REPEATED = 0.5
"""Share of the slices that repeat their patient's where slices are correlated."""
METHODS = ("bootstrap over patients", "linearised, patients", "Gwet's formula")
DEVIATIONS = 2.9
"""Chance takes an honest interval this far: from 930 to 970 of 1,000."""


@dataclass(frozen=True, slots=True)
class Setting:
    patients: int
    repeated: float
    resamples: int


def joint() -> NDArray[np.float64]:
    """Return (4, 4) how often the first reader says the row, the second the column."""
    first, second = (reading(error) for error in ERRORS)
    return np.asarray(np.einsum("t,ti,tj->ij", PREVALENCE, first, second))


def reading(error: float) -> NDArray[np.float64]:
    """Return (true grade, grade read); an end grade errs one way only."""
    grade = np.arange(GRADES)
    beside = np.asarray(np.abs(grade[:, None] - grade) == 1, dtype=np.float64)
    wrong = beside / beside.sum(axis=1, keepdims=True)
    return np.asarray(np.eye(GRADES) * (1.0 - error) + wrong * error)


def built_in() -> float:
    """Return the AC1 of infinitely many slices."""
    return float(over_grades(joint())[Metric.AC1])


def simulate(
    setting: Setting, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    """Return (slices, 2) grades of the two readers and (slices,) patients.

    What a patient repeats has the same distribution as what is new, so the
    agreement built in does not depend on how much is repeated.
    """
    slices = rng.integers(*SLICES, endpoint=True, size=setting.patients)
    patients = np.repeat(np.arange(setting.patients), slices)
    cells = GRADES * GRADES
    own = rng.choice(cells, p=joint().ravel(), size=setting.patients)
    new = rng.choice(cells, p=joint().ravel(), size=len(patients))
    repeats = rng.random(len(patients)) < setting.repeated
    cell = np.where(repeats, own[patients], new)
    return np.stack(np.divmod(cell, GRADES), axis=1).astype(np.int8), patients


def covered(setting: Setting, seed: int) -> NDArray[np.bool_]:
    """Return (methods,) whether each interval of one repetition holds the truth."""
    rng = np.random.default_rng([seed, setting.patients, round(100 * setting.repeated)])
    ratings, patients = simulate(setting, rng)
    readers = reader_agreement(
        Finding.LCCS,
        ratings[:, 0],
        ratings[:, 1],
        patients,
        seed=seed,
        resamples=setting.resamples,
    )
    figures = (
        readers.ac1,
        gwet(ratings, patients=patients).coefficient,
        gwet(ratings).coefficient,
    )
    return np.array([holds(figure, built_in()) for figure in figures])


def holds(figure: Figure, truth: float) -> bool:
    assert figure.low is not None, figure.undefined
    assert figure.high is not None, figure.undefined
    return figure.low <= truth <= figure.high


def allowed(repetitions: int) -> tuple[int, int]:
    """Return the fewest and the most repetitions that an honest interval covers."""
    spread = DEVIATIONS * math.sqrt(repetitions * COVERAGE * (1.0 - COVERAGE))
    return (
        math.floor(repetitions * COVERAGE - spread),
        math.ceil(repetitions * COVERAGE + spread),
    )


def table(settings: list[Setting], repetitions: int, processes: int) -> Iterator[str]:
    low, high = allowed(repetitions)
    yield f"AC1 built in: {built_in():.4f}. Honest: {low} to {high} of {repetitions}.\n"
    yield f"| patients | slices repeated | {' | '.join(METHODS)} |"
    yield "|---|---|---|---|---|"
    with ProcessPoolExecutor(processes) as pool:
        for setting in settings:
            one = partial(covered, setting)
            hits = np.sum([*pool.map(one, range(repetitions), chunksize=10)], axis=0)
            cells = (f"{n}{'' if low <= n <= high else ' (fails)'}" for n in hits)
            share = f"{setting.repeated:.0%}"
            yield f"| {setting.patients} | {share} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000, metavar="N")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N")
    parser.add_argument("--patients", type=int, nargs="+", default=[153, 40])
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    settings = [
        Setting(patients, repeated, options.resamples)
        for patients in options.patients
        for repeated in (0.0, REPEATED)
    ]
    for line in table(settings, options.repetitions, options.processes):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
