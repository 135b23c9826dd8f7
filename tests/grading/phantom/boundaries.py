"""Slices just on either side of each cut, as both measurers grade them.

Drawn anatomies keep away from the cuts at a disc's middle. Planes beside the middle
do not; and where even those are too few, something is moved until a grade changes.
Each time the parameter is halved in until both slices are near the cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grading.grades import Grade
from grading.phantom.measure import measure
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Spine
from tests.grading.phantom.alterations import Family, families
from tests.grading.phantom.comparing import Compared, Verdict, compare
from tests.grading.phantom.planes import draw_patient
from tests.grading.phantom.ruler import (
    DISPLACED_MM,
    FAT_MM,
    HALF_THICK,
    LCCS_FLUID_MM,
    LCCS_SHARES,
    LDH_CUTS,
    VISIBLE_ROOT_SHARE,
    Reading,
    RootReading,
    SliceReading,
)

NEAR_CELLS = 2.0
"""How near to a cut a slice has to be, in cells; in rootlets for shares of them."""
STEPS = 7
HALVINGS = 2
"""Of a step; more would put every slice within a cell, where all is excused."""
ENOUGH = 8
"""Crossings kept of each finding and pair of grades."""

Crossing = tuple[int, Grade, Grade]
"""Index of the finding, and the two grades, the lower one first."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """How a slice lies beside a cut."""

    cut: str
    cells: float
    """Above the cut; negative below."""


def near_cuts(reading: SliceReading) -> Iterator[Nearness]:
    """Yield the cuts that decide a grade of the slice and are near."""
    for one in _all_cuts(reading):
        if abs(one.cells) <= NEAR_CELLS:
            yield one


def _all_cuts(reading: SliceReading) -> Iterator[Nearness]:
    for cut in LDH_CUTS:
        yield Nearness(f"r {cut:g}", _cells(reading.share, cut))
    if reading.together.value < LCCS_SHARES[0]:
        fluid = _cells(reading.fluid_mm, LCCS_FLUID_MM)
        yield Nearness(f"a {LCCS_FLUID_MM:g} mm", fluid)
    for cut in LCCS_SHARES:
        rootlets = (reading.together.value - cut) * max(reading.nerves, 1)
        yield Nearness(f"q {cut:g}", rootlets)
    for root in reading.roots:
        yield from _cuts_of_root(root)


def _cuts_of_root(root: RootReading) -> Iterator[Nearness]:
    lost = root.thickness.value == 0
    yield Nearness("root seen 0.25", _cells(root.seen, VISIBLE_ROOT_SHARE))
    if not lost:
        yield Nearness("gap 0.6 mm", _cells(root.gap_mm, FAT_MM))
    if lost or root.gap_mm.value >= FAT_MM:
        return
    thin = root.thickness.value <= HALF_THICK
    pressed = root.wall_gap_mm.value < FAT_MM
    if pressed:
        yield Nearness("thickness 0.5", _cells(root.thickness, HALF_THICK))
    if thin:
        yield Nearness("wall gap 0.6 mm", _cells(root.wall_gap_mm, FAT_MM))
    if not (thin and pressed):
        yield Nearness("shift 0.95 mm", _cells(root.shift_mm, DISPLACED_MM))


def _cells(value: Reading, cut: float) -> float:
    return (value.value - cut) / max((value.high - value.low) / 2, 1e-6)


def boundary_slices(
    seed: int, study: int, kept: Counter[Crossing]
) -> Iterator[Compared]:
    """Yield pairs of slices of one patient with a change of grade between them.

    Parameters
    ----------
    kept
        How many pairs there are of each kind; no more than `ENOUGH` are yielded.
    """
    spine, _ = draw_patient(seed, study)
    for space in spine.discs:
        for words, family in families(spine, space):
            name = f"boundary study {study}, {space.level}, {words}"
            yield from _crossings(name, family, kept)


def _crossings(
    name: str, family: Family, kept: Counter[Crossing]
) -> Iterator[Compared]:
    shares = np.linspace(0.0, 1.0, STEPS)
    grades = [_grades(*family(share)) for share in shares]
    for low, high, before, after in zip(
        shares, shares[1:], grades, grades[1:], strict=False
    ):
        if before is None or after is None or before == after:
            continue
        crossing = _crossing(before, after)
        if kept[crossing] >= ENOUGH:
            continue
        kept[crossing] += 1
        for share in _halved(family, float(low), float(high)):
            found = compare(*family(share), f"{name} {share:.4f}")
            if found is not None:
                yield found


def _crossing(before: tuple[Grade, ...], after: tuple[Grade, ...]) -> Crossing:
    finding = next(
        i
        for i, pair in enumerate(zip(before, after, strict=True))
        if pair[0] != pair[1]
    )
    lower, upper = sorted((before[finding], after[finding]))
    return finding, lower, upper


def _halved(family: Family, low: float, high: float) -> tuple[float, float]:
    before = _grades(*family(low))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _grades(*family(middle)) == before else (low, middle)
        )
    return low, high


def _grades(spine: Spine, cut: Cut) -> tuple[Grade, Grade, Grade] | None:
    truth = measure(spine, cut)
    return truth.grades if truth else None


def tally(
    slices: list[Compared],
) -> dict[str, tuple[Counter[Verdict], Counter[Verdict]]]:
    """Count the verdicts of slices just below and just above each cut.

    A slice near two cuts counts for both. The verdict is that of the finding that
    the cut belongs to.
    """
    table: dict[str, tuple[Counter[Verdict], Counter[Verdict]]] = {}
    for one in slices:
        if one.reading is None or one.truth is None:
            continue
        verdicts = one.verdicts()
        for near in near_cuts(one.reading):
            sides = table.setdefault(near.cut, (Counter(), Counter()))
            sides[near.cells > 0][verdicts[_finding(near.cut)]] += 1
    return table


def _finding(cut: str) -> int:
    return {"r": 0, "a": 1, "q": 1}.get(cut.split()[0], 2)
