"""One whole study in memory: between drawing it and writing it as DICOM.

What holds pixels is compared by identity: arrays have no equality of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.image.signal import Sequence
from grading.phantom.measure import SliceTruth
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Spine
from grading.phantom.studies.habits import Role, Syntax
from grading.phantom.studies.vendors import Manner


@dataclass(frozen=True, slots=True)
class StudyKey:
    """Everything that a study follows from, but the generator's version."""

    seed: int
    number: int
    """Within the set, from 1."""
    domain: Domain = Domain.INTERNAL
    prevalence: Prevalence = Prevalence.BALANCED


@dataclass(frozen=True, slots=True, eq=False)
class DrawnImage:
    """One image and what was measured on its plane."""

    cut: Cut
    stack: int
    """Which stack of the series, from 0."""
    place: int
    """In the stack, from 0: cranial to caudal, right to left or front to back."""
    pixels: NDArray[np.float32]
    """(rows, columns), whole numbers from 0."""
    truth: SliceTruth | None
    """None unless the image is axial and shows a disc."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnSeries:
    """One series; its images are in order, stack by stack."""

    role: Role
    thickness_mm: float
    spacing_mm: float
    sequence: Sequence
    phase_along_rows: bool
    """Phase is encoded from one column to the next (PS3.3 C.8.3.1: ROW)."""
    images: tuple[DrawnImage, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """How a study's scanner writes."""

    manner: Manner
    enhanced: bool
    """One Enhanced MR object per series instead of one object per image."""
    syntax: Syntax


@dataclass(frozen=True, slots=True, eq=False)
class DrawnStudy:
    """One patient, imaged and measured."""

    key: StudyKey
    writing: Writing
    spine: Spine
    wanted: Mapping[Level, WantedGrades]
    measured: Mapping[Level, SliceTruth]
    """On the plane through the middle of each disc."""
    series: tuple[DrawnSeries, ...]
    """In the order in which they were scanned."""
