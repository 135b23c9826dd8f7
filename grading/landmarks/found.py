"""What is found on slices: the boundary between networks and geometry.

Whoever finds landmarks is a `Locator`; where regions and levels come of them, nobody
asks how. Every point is in pixels of the slice that it lies on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from grading.grades import AxialMarks, PixelPoint
from grading.series import Slice


@dataclass(frozen=True, slots=True)
class AxialFound:
    """What was found on one axial slice."""

    marks: AxialMarks
    spread_mm: float | None
    """How far several looks at the slice disagreed about the points that make the
    region; None where none of them was found."""
    through_disc: float
    """The probability, from 0 to 1, that the slice passes through a disc."""


@dataclass(frozen=True, slots=True)
class FoundPoint:
    """A place on one sagittal image."""

    point: PixelPoint
    confidence: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class FoundDisc:
    """A disc on one sagittal image."""

    centre: FoundPoint
    margin: PixelPoint | None = None
    """Midpoint of the posterior margin; None where only the centre was found."""


@dataclass(frozen=True, slots=True)
class SagittalFound:
    """What was found on one sagittal image."""

    discs: tuple[FoundDisc, ...]
    """Every disc seen, T11 or sacrum: cranial to caudal."""
    sacrum: FoundPoint | None
    """The body of S1; the disc next above it is L5/S1. None where it is not seen."""


class Locator(Protocol):
    """Finds landmarks; looks at each slice by itself and gives one answer for each."""

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        """Look at axial slices, in any order and of any series."""

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        """Look at sagittal slices, in any order and of any series."""
