"""Images to learn from, with all that is true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grading.grades import AxialMarks, Grade, PixelPoint, Side

Pixels = NDArray[np.uint16]
"""(rows, columns), stored values."""


@dataclass(frozen=True, slots=True, eq=False)
class AxialLesson:
    """One axial T2-weighted slice."""

    pixels: Pixels
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    marks: AxialMarks
    """Between discs, the sac's centre alone."""
    grades: tuple[Grade, Grade, Grade] | None
    """LDH, LCCS, LNRC; None where the plane passes through no disc."""
    roots: Mapping[Side, Grade] = field(default_factory=dict)
    """LNRC of each side."""

    @property
    def through_disc(self) -> bool:
        """Whether the central plane passes through a disc."""
        return self.grades is not None


@dataclass(frozen=True, slots=True, eq=False)
class SagittalLesson:
    """One sagittal T2-weighted image near the canal."""

    pixels: Pixels
    spacing_mm: tuple[float, float]
    discs: tuple[PixelPoint, ...]
    """Centres, cranial to caudal; the last is the one on the sacrum."""
    sacrum: PixelPoint
    """The centre of S1's body."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientLesson:
    """Everything that one patient teaches."""

    number: int
    axial: tuple[AxialLesson, ...]
    sagittal: tuple[SagittalLesson, ...]
