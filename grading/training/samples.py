"""Labelled slices, and the regions of them that a network learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from grading.grades import AxialMarks, Finding, Grade, Region, Side
from grading.network import MISSING_GRADE, SIDE_HEADS
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.slices import Split, draw_slice
from grading.preprocess import Preprocessing, crop, default_region, surroundings
from grading.training.lessons.lesson import AxialLesson
from grading.training.workers import processes

TARGETS = (*(finding.value for finding in Finding), *SIDE_HEADS.values())
"""Heads in the order of a sample's grades."""
KEPT_MM = 92.0
"""Side of the square kept of each slice: the surroundings, shifted, and their rim."""
REGION_WORDS = "region midway between the disc's posterior margin and the sac's centre"
"""Where phantom slices are cut, for a card: where the service looks, had it found both
points."""
SLICES_PER_CALL = 16
"""Few enough for a lively progress bar, enough to hide the cost of a call."""


@dataclass(frozen=True, slots=True)
class LabelledSlice:
    """A slice with the grades of LDH, LCCS and LNRC."""

    pixels: NDArray[np.float32] | NDArray[np.uint16] | NDArray[np.int16]
    """(rows, columns)."""
    spacing_mm: tuple[float, float]
    grades: tuple[Grade | None, Grade | None, Grade | None]
    """None where nobody graded that finding."""
    centre: tuple[float, float] | None = None
    """Row and column of the region's centre; that of the pixels where None."""
    roots: tuple[Grade | None, Grade | None] = (None, None)
    """LNRC of the right and of the left root."""

    def around_region(self) -> LabelledSlice:
        """Return the slice without what lies too far out to reach the network.

        Whole images of a training set would not fit into memory.
        """
        rows, columns = self.pixels.shape
        row, column = self.centre or ((rows - 1) / 2, (columns - 1) / 2)
        kept_rows = _around(row, rows, self.spacing_mm[0])
        kept_columns = _around(column, columns, self.spacing_mm[1])
        return replace(
            self,
            pixels=self.pixels[kept_rows, kept_columns].copy(),
            centre=(row - kept_rows.start, column - kept_columns.start),
        )


@dataclass(frozen=True, slots=True)
class PhantomSet:
    """Which phantom slices: fixed by its fields, so a set can be drawn again."""

    seed: int
    split: Split
    slices: int
    domain: Domain = Domain.INTERNAL
    prevalence: Prevalence = Prevalence.BALANCED


def draw_phantoms(phantoms: PhantomSet, workers: int) -> Iterator[LabelledSlice]:
    """Draw a set's slices in order, on several processes."""
    draw = partial(draw_labelled, phantoms)
    if workers <= 1:
        yield from map(draw, range(phantoms.slices))
        return
    with processes(workers) as pool:
        yield from pool.map(draw, range(phantoms.slices), chunksize=SLICES_PER_CALL)


def draw_labelled(phantoms: PhantomSet, index: int) -> LabelledSlice:
    """Draw one slice of a set, and keep what the network may see of it."""
    phantom = draw_slice(
        (phantoms.seed, int(phantoms.split), index),
        domain=phantoms.domain,
        prevalence=phantoms.prevalence,
    )
    centre = _centre(phantom.marks)
    if centre is None:
        raise ValueError("a drawn slice passes through a disc")
    return LabelledSlice(
        # Stored values are whole numbers of 12 bits.
        pixels=phantom.pixels.astype(np.uint16),
        spacing_mm=phantom.spacing_mm,
        grades=phantom.truth.grades,
        centre=centre,
    ).around_region()


def from_lesson(lesson: AxialLesson) -> LabelledSlice | None:
    """Keep what the network may see of a lesson; None where it shows no disc."""
    centre = _centre(lesson.marks)
    if lesson.grades is None or centre is None:
        return None
    return LabelledSlice(
        pixels=lesson.pixels,
        spacing_mm=lesson.spacing_mm,
        grades=lesson.grades,
        centre=centre,
        roots=(lesson.roots.get(Side.RIGHT), lesson.roots.get(Side.LEFT)),
    ).around_region()


def _centre(marks: AxialMarks) -> tuple[float, float] | None:
    """Return row and column where landmarks put the region: see `REGION_WORDS`."""
    margin, sac = marks.disc_margin, marks.sac_centre
    if margin is None or sac is None:
        return None
    return (margin.row + sac.row) / 2, (margin.column + sac.column) / 2


def _around(place: float, length: int, spacing_mm: float) -> slice:
    """Return the pixels of one axis within half of `KEPT_MM` of a place."""
    reach = KEPT_MM / 2 / spacing_mm
    first = max(0, int(np.floor(place - reach)))
    return slice(first, min(length, int(np.ceil(place + reach)) + 1))


class Regions(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Network input and grades of each labelled slice, as the service cuts them."""

    def __init__(
        self,
        slices: Sequence[LabelledSlice],
        spec: Preprocessing,
    ) -> None:
        self._slices = slices
        self._spec = spec

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (1, grid, grid) float32 and (5,) int64, in the order of `TARGETS`.

        `MISSING_GRADE` stands for what nobody graded.
        """
        labelled = self._slices[index]
        return self._cut(labelled, self._region(labelled)), _grades(labelled)

    def _cut(self, labelled: LabelledSlice, region: Region) -> torch.Tensor:
        pixels = labelled.pixels.astype(np.float32)
        return crop(pixels, labelled.spacing_mm, region, self._spec)

    def _region(self, labelled: LabelledSlice) -> Region:
        rows, columns = labelled.pixels.shape
        region = default_region(rows, columns, self._spec)
        if labelled.centre is None:
            return region
        row, column = labelled.centre
        return replace(region, row=row, column=column)


class Surroundings(Regions):
    """What lies around each region, for `augment` to turn, and its grades.

    The region lies up to ``shift_mm`` from its place along each axis, anew each time,
    as slabs lie that people plan.
    """

    def __init__(
        self, slices: Sequence[LabelledSlice], spec: Preprocessing, shift_mm: float
    ) -> None:
        super().__init__(slices, spec)
        self._shift_mm = shift_mm

    def _cut(self, labelled: LabelledSlice, region: Region) -> torch.Tensor:
        pixels, spacing_mm = labelled.pixels.astype(np.float32), labelled.spacing_mm
        row_mm, column_mm = ((torch.rand(2) * 2 - 1) * self._shift_mm).tolist()
        shifted = replace(
            region,
            row=region.row + row_mm / spacing_mm[0],
            column=region.column + column_mm / spacing_mm[1],
        )
        return surroundings(pixels, spacing_mm, shifted, self._spec)


def _grades(labelled: LabelledSlice) -> torch.Tensor:
    every = (*labelled.grades, *labelled.roots)
    return torch.tensor([MISSING_GRADE if it is None else int(it) for it in every])
