"""Accept the phantom's truth: an independent measurer, and errors planted on purpose.

``python -m tests.grading.phantom.acceptance --slices 1000 --seed 11 --workers 2``

Draws patients with balanced grades, lays tilted slabs and untilted blocks through
their discs, and measures every slice twice: by `grading.phantom.measure` on distances
and by `tests.grading.phantom.ruler` on label maps. Ends with 1 where a grade differs
that is more than one cell away from a cut, or a planted error is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count, islice

import numpy as np

from grading.grades import Finding
from tests.grading.phantom.boundaries import (
    Crossing,
    boundary_slices,
    tally,
)
from tests.grading.phantom.comparing import (
    Compared,
    Verdict,
    compare_study,
    differences,
    plant_errors,
)
from tests.grading.phantom.properties import faults_of_patient

PLANTED = 10
WANTED_PER_SIDE = 20
BOUNDARY_SEED = 1
"""Added to the seed: boundary sets come from other patients."""
BOUNDARY_CHUNKS = 4
"""Of patients, each with its own quota: the same on any number of workers."""


def main(arguments: list[str] | None = None) -> int:
    """Run the acceptance; return 1 where it fails."""
    parsed = _parse(arguments)
    with ProcessPoolExecutor(parsed.workers) as pool:
        slices = _draw_slices(pool, parsed.seed, parsed.slices)
        wrong = _report_agreement(slices)
        _report_differences(slices)
        missed = _report_planted(slices, parsed.seed)
        near = _boundary_sets(
            pool, parsed.seed + BOUNDARY_SEED, parsed.boundary_studies
        )
        wrong += _report_boundaries([*slices, *near], len(near))
        broken = _report_properties(pool, parsed.seed, parsed.properties)
    return int(bool(wrong or missed or broken))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="measure the phantom's truth twice")
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--boundary-studies", type=int, default=24, help="patients for boundary sets"
    )
    parser.add_argument(
        "--properties", type=int, default=0, help="patients whose tissues are checked"
    )
    return parser.parse_args(arguments)


def _draw_slices(pool: ProcessPoolExecutor, seed: int, wanted: int) -> list[Compared]:
    """Return so many slices that both measured, and those that one did not."""
    found: list[Compared] = []
    both = 0
    for one in _slices(pool, seed):
        found.append(one)
        both += one.truth is not None and one.reading is not None
        if both == wanted:
            return found
    raise AssertionError("unreachable: patients never end")


def _slices(pool: ProcessPoolExecutor, seed: int) -> Iterator[Compared]:
    """Yield slices, patient after patient, in the same order with any workers."""
    studies = count()
    while True:
        batch = list(islice(studies, 16))
        for found in pool.map(partial(compare_study, seed), batch):
            yield from found


def _boundary_sets(
    pool: ProcessPoolExecutor, seed: int, studies: int
) -> list[Compared]:
    chunks = pool.map(partial(_boundary_chunk, seed, studies), range(BOUNDARY_CHUNKS))
    return [one for chunk in chunks for one in chunk]


def _boundary_chunk(seed: int, studies: int, chunk: int) -> list[Compared]:
    kept: Counter[Crossing] = Counter()
    return [
        one
        for study in range(chunk, studies, BOUNDARY_CHUNKS)
        for one in boundary_slices(seed, study, kept)
    ]


def _report_agreement(slices: Sequence[Compared]) -> int:
    """Return how many slices have a grade that is wrong."""
    both = [one for one in slices if one.truth and one.reading]
    _say(f"{len(both)} slices through discs")
    _say(f"  and {len(slices) - len(both)} planes on which only one sees a disc")
    for index, finding in enumerate(Finding):
        counts = Counter(one.grades[index] for one in both)
        shares = ", ".join(f"grade {grade} {counts[grade]}" for grade in sorted(counts))
        _say(f"  {finding}: {shares}")
    verdicts = Counter(verdict for one in slices for verdict in one.verdicts())
    for verdict in Verdict:
        _say(f"  grades {verdict}: {verdicts[verdict]}")
    return _say_wrong(slices)


def _say_wrong(slices: Sequence[Compared]) -> int:
    wrong = [one for one in slices if one.wrong]
    for one in wrong:
        _say(f"WRONG {one.name}\n  truth {one.truth}\n  ruler {one.reading}")
    return len(wrong)


def _report_differences(slices: Iterable[Compared]) -> None:
    found: dict[str, list[float]] = defaultdict(list)
    for one in slices:
        for name, difference in differences(one):
            found[name].append(difference)
    _say("truth less ruler: values, median, 95 % within, worst")
    for name, values in found.items():
        away = np.abs(values)
        _say(
            f"  {name:16s} {len(values):5d} {np.median(values):+8.3f}"
            f" {np.percentile(away, 95):8.3f} {away.max():8.3f}"
        )


def _report_boundaries(slices: list[Compared], drawn: int) -> int:
    """Return how many of the slices drawn near cuts, the last ones, are wrong."""
    _say(f"within two cells of a cut, {drawn} slices drawn for it:")
    _say("  same/excused/wrong below, same/excused/wrong above")
    for name, sides in sorted(tally(slices).items()):
        shown = [
            "/".join(f"{side[verdict]:4d}" for verdict in Verdict) for side in sides
        ]
        few = min(side.total() for side in sides) < WANTED_PER_SIDE
        _say(f"  {name:16s} {shown[0]}   {shown[1]}{'   few' if few else ''}")
    return _say_wrong(slices[len(slices) - drawn :])


def _report_planted(slices: Sequence[Compared], seed: int) -> int:
    """Return how many planted errors were missed, or found where none is."""
    honest = {index for index, one in enumerate(slices) if one.wrong}
    planted, where = plant_errors(slices, PLANTED, np.random.default_rng(seed))
    found = {index for index, one in enumerate(planted) if one.wrong} - honest
    _say(f"planted {len(where)} wrong grades; found {len(found & where)}")
    _say(f"found besides: {len(found - where)}")
    return len(found ^ where)


def _report_properties(pool: ProcessPoolExecutor, seed: int, patients: int) -> int:
    """Return how many faults were found in the tissues of so many patients."""
    found = pool.map(partial(faults_of_patient, seed), range(patients))
    faults = [fault for some in found for fault in some]
    _say(f"tissues of {patients} patients checked: {len(faults)} faults")
    for fault in faults:
        _say(f"  {fault}")
    return len(faults)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
