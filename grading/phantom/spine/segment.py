"""One step of the spine: a disc, what was drawn at it, and how worn it is."""

from __future__ import annotations

from dataclasses import dataclass

from grading.grades import Level
from grading.phantom.section.anatomy import Anatomy


@dataclass(frozen=True, slots=True)
class Segment:
    """A disc with the joints and ligaments of its height."""

    name: str
    level: Level | None
    """None above the lumbar spine, where nothing is graded."""
    s_mm: float
    height_mm: float
    """Of the disc at its posterior margin."""
    section: Anatomy
    wear: float
    """0 a healthy disc, 1 a black one that has lost height."""

    @property
    def half_height_mm(self) -> float:
        """From the disc's middle to an endplate, at the posterior margin."""
        return self.height_mm / 2
