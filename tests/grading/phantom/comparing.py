"""Where two measurers of one slice agree, and where they may differ.

A difference is excused only within one cell of a cut: where moving every edge by a
tenth of a millimetre gives the other measurer's grade, or moving the plane by as much
leaves the disc.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from grading.grades import Finding, Grade
from grading.phantom.measure import SliceTruth, measure
from grading.phantom.spine.cut import Cut, Points, Vector
from grading.phantom.spine.parts import Spine
from tests.grading.phantom.planes import Plane, draw_patient, planes_near
from tests.grading.phantom.ruler import SliceReading, certain_level, read


class Verdict(StrEnum):
    """What a grade of the truth is beside the ruler's."""

    SAME = "same"
    WITHIN_A_CELL = "within a cell"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Compared:
    """One slice, measured twice."""

    name: str
    """Study and plane: enough to draw it again."""
    grades: tuple[Grade, ...]
    """What the truth says; empty where it sees no disc."""
    truth: SliceTruth | None
    reading: SliceReading | None
    certain_level: bool
    """Planes a cell to either side show the same disc."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return one for each finding; one for all where a measurer sees no disc."""
        if self.reading is None or self.truth is None:
            return (Verdict.WRONG if self.certain_level else Verdict.WITHIN_A_CELL,)
        if self.truth.level is not self.reading.level:
            return (Verdict.WRONG,)
        rows = zip(self.grades, self.reading.grades, self.reading.possible, strict=True)
        return tuple(_verdict(*row, self.certain_level) for row in rows)

    @property
    def wrong(self) -> bool:
        """Whether any grade differs by more than a cell explains."""
        return Verdict.WRONG in self.verdicts()

    @property
    def clear(self) -> bool:
        """Whether all grades agree and none is within a cell of a cut."""
        return (
            self.reading is not None
            and set(self.verdicts()) == {Verdict.SAME}
            and self.certain_level
            and all(len(grades) == 1 for grades in self.reading.possible)
        )


def _verdict(
    grade: Grade, seen: int, possible: frozenset[int], certain: bool
) -> Verdict:
    if grade == seen:
        return Verdict.SAME
    excused = int(grade) in possible or not certain
    return Verdict.WITHIN_A_CELL if excused else Verdict.WRONG


def compare(spine: Spine, cut: Cut, name: str) -> Compared | None:
    """Measure a plane twice; None where both say that it shows no disc."""
    truth, reading = measure(spine, cut), read(spine, cut)
    if truth is None and reading is None:
        return None
    return Compared(
        name=name,
        grades=truth.grades if truth else (),
        truth=truth,
        reading=reading,
        certain_level=certain_level(spine, cut),
    )


def compare_study(seed: int, study: int) -> list[Compared]:
    """Compare all planes of one patient that show a disc."""
    spine, rng = draw_patient(seed, study)
    planes = [
        plane for space in spine.discs for plane in planes_near(spine, space, rng)
    ]
    found = (_compare_plane(spine, plane, study) for plane in planes)
    return [one for one in found if one is not None]


def _compare_plane(spine: Spine, plane: Plane, study: int) -> Compared | None:
    return compare(spine, plane.cut, f"study {study}, {plane.words}")


def plant_errors(
    slices: Sequence[Compared], count: int, rng: np.random.Generator
) -> tuple[list[Compared], set[int]]:
    """Give some slices one wrong grade each; return all, and which were changed."""
    clear = [index for index, one in enumerate(slices) if one.clear]
    chosen = rng.choice(clear, count, replace=False)
    changed = list(slices)
    for index in chosen:
        one = changed[index]
        finding = int(rng.integers(len(Finding)))
        others = [grade for grade in Grade if grade != one.grades[finding]]
        wrong = others[int(rng.integers(len(others)))]
        grades = (*one.grades[:finding], wrong, *one.grades[finding + 1 :])
        changed[index] = replace(one, grades=grades)
    return changed, {int(index) for index in chosen}


def differences(one: Compared) -> Iterator[tuple[str, float]]:
    """Yield the name of each measured value, and the truth's less the ruler's."""
    truth, reading = one.truth, one.reading
    if truth is None or reading is None:
        return
    yield "r", truth.herniation_share - reading.share.value
    if truth.herniation_mm and reading.height_mm:
        yield "h mm", truth.herniation_mm - reading.height_mm
        yield "D mm", truth.facet_line_mm - reading.line_mm
    yield "a mm", truth.anterior_fluid_mm - reading.fluid_mm.value
    yield "q", truth.aggregation - reading.together.value
    yield "sac mm2", truth.sac_area_mm2 - reading.sac_mm2
    yield "fluid share", truth.fluid_share - reading.sac_fluid_share
    for side, seen in zip((truth.right, truth.left), reading.roots, strict=True):
        if side.thickness_share and seen.thickness.value:
            yield "root gap mm", side.gap_mm - seen.gap_mm.value
            yield "root shift mm", side.shift_mm - seen.shift_mm.value
            yield "wall gap mm", side.wall_gap_mm - seen.wall_gap_mm.value
            yield "thickness share", side.thickness_share - seen.thickness.value
    marks = truth.landmarks
    pairs: list[tuple[str, Vector, Points]] = [
        ("facet right mm", marks.facet_right_mm, reading.facet_edges_mm[0]),
        ("facet left mm", marks.facet_left_mm, reading.facet_edges_mm[1]),
        ("disc margin mm", marks.disc_margin_mm, reading.margin_mm),
        ("sac centre mm", marks.sac_centre_mm, reading.sac_centre_mm),
    ]
    for name, point, seen_point in pairs:
        yield name, float(np.linalg.norm(np.subtract(point, seen_point)))
