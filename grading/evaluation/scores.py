"""Everything that a report says about one finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.agreement import Agreement
from grading.evaluation.metrics import Metric
from grading.evaluation.outcomes import Figure
from grading.grades import Finding, Grade


@dataclass(frozen=True, slots=True)
class GradeScores:
    """What one grade of one finding scores."""

    grade: Grade
    support: int
    """Cases of this grade in the reference."""
    predicted: int
    """Cases that were given this grade."""
    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class ConstantPredictor:
    """What always saying the most frequent reference grade scores."""

    grade: Grade | None
    """None where there is no case; the lower one on a tie."""
    figures: Mapping[Metric, Figure]
    """``OF_CONFUSION``."""
    advantage: Mapping[Metric, Figure]
    """The model's less the constant's; above zero the model is better."""


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Grade 2-3 against 0-1 by P(2) + P(3); all three (points,)."""

    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    threshold: NDArray[np.float64]
    """Called positive at this score and above; infinite at the first point."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The cases of similar confidence."""

    low: float
    """Excluded, but for 0."""
    high: float
    cases: int
    confidence: float | None
    """Mean; None where the bin is empty."""
    accuracy: Figure


@dataclass(frozen=True, slots=True)
class ReferralPoint:
    """What remains where each case below a confidence goes to a person."""

    threshold: float
    share_referred: float
    kept: int
    accuracy: Figure
    """Of the cases that are kept; the interval holds for this very threshold."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything about one finding; intervals are 95 %, by bootstrap over patients."""

    finding: Finding
    cases: int
    patients: int
    confusion: NDArray[np.int64]
    """(4, 4) cases, rows reference, columns predicted."""
    figures: Mapping[Metric, Figure]
    """Every metric."""
    grades: tuple[GradeScores, ...]
    """Grade 0 to 3."""
    constant: ConstantPredictor
    ac1_by_formula: Agreement
    """With Gwet's own interval, which takes the cases for independent."""
    ac2_by_formula: Agreement
    roc: RocCurve | None
    """None where the area is not defined; that figure says why."""
    reliability: tuple[ReliabilityBin, ...]
    """By rising confidence, the empty bins too."""
    referral: tuple[ReferralPoint, ...]
    """By rising share referred, from none; empty where there is no case."""
