"""A structure of the body, and a spine as the structures laid over each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.section.anatomy import Anatomy
from grading.phantom.spine.axis import Axis
from grading.phantom.spine.cut import Points
from grading.phantom.spine.place import Box
from grading.phantom.spine.solids import Solid
from grading.phantom.spine.tissues import Tissue

NOTHING = -1
"""The part at a point where there is only air."""


@dataclass(frozen=True, slots=True)
class Part:
    """One structure; what is painted later lies on top."""

    name: str
    tissue: Tissue
    solid: Solid
    fine: bool = False
    """It decides a grade or is small: no renderer may simplify it."""
    shade: float | None = None
    """Where in its tissue's range of signal it lies, 0 dark to 1 bright; None leaves
    it to the renderer. Discs that degenerate grow dark."""


@dataclass(frozen=True, slots=True)
class DiscSpace:
    """One disc and the canal behind it."""

    level: Level
    """Counted up from the sacrum."""
    s_mm: float
    height_mm: float
    """Of the disc at its posterior margin."""
    section: Anatomy
    """The cross-section at ``s_mm`` that the canal was drawn through."""
    disc: Solid
    herniation: Solid | None
    joints: tuple[Solid, Solid]
    """The spaces of the facet joints: right, left."""
    walls: Solid
    """What a root can be pressed against: flavum, processes, osteophytes."""
    roots: tuple[Solid, Solid]
    """The traversing roots, right, left, where they can be told from disc material."""
    resting_roots: tuple[Solid, Solid]
    """Where they would lie, and how thick, if nothing touched them."""
    bundle: Solid | None
    """The rootlets of a grade 3, which fill the sac."""


@dataclass(frozen=True, slots=True)
class Spine:
    """One patient."""

    axis: Axis
    discs: tuple[DiscSpace, ...]
    """Cranial to caudal, the lumbar ones and T12/L1 where it has a section."""
    parts: tuple[Part, ...]
    """In painter's order: what comes later lies on top."""
    sac: Solid
    rootlets: tuple[Solid, ...]
    lumbar_vertebrae: int
    conus_s_mm: float
    sacrum_s_mm: float
    """Of the upper end of the sacrum."""
    _tissues: NDArray[np.uint8] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = np.array([part.tissue for part in self.parts] + [Tissue.AIR], np.uint8)
        object.__setattr__(self, "_tissues", table)

    def part_at(self, points: Points) -> NDArray[np.int16]:
        """Return the index of the part at each point, `NOTHING` in air.

        Parameters
        ----------
        points
            (..., 3) LPS in mm.
        """
        at = self.axis.straighten(points)
        found = np.full(at.shape, NOTHING, np.int16)
        if not found.size:
            return found
        held = Box.around(at)
        for index, part in enumerate(self.parts):
            box = part.solid.box()
            if not box.meets(held, 0.0):
                continue
            near = box.holds(at)
            if near.any():
                inside = part.solid.distance(at[near]) < 0
                found[near] = np.where(inside, index, found[near])
        return found

    def tissue_at(self, points: Points) -> NDArray[np.uint8]:
        """Return the `Tissue` at each point; ``points`` is (..., 3), LPS in mm."""
        tissues: NDArray[np.uint8] = self._tissues[self.part_at(points)]
        return tissues
