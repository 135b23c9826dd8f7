"""A spine made ready to be painted many times: surfaces, and the cuboids they fill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from grading.phantom.image.gathered import gathered
from grading.phantom.spine.axis import Axis
from grading.phantom.spine.column import DiscBody
from grading.phantom.spine.parts import Part, Spine
from grading.phantom.spine.solids import Ellipsoid, Shrunk, Solid, Tube

SMOOTH = (Tube, Ellipsoid, DiscBody)


@dataclass(frozen=True, slots=True)
class Shell:
    """A part bounded by a surface, or by one parallel to it."""

    part: Part
    inward_mm: float


@dataclass(frozen=True, slots=True)
class Surface:
    """Parts that lie inside each other like a bone's cortex and its marrow.

    They share one distance, which is worked out once for all.
    """

    solid: Solid
    shells: tuple[Shell, ...]
    """In painter's order."""
    fine: bool

    @property
    def grown_mm(self) -> float:
        """How far its widest shell reaches past the solid."""
        return -min(0.0, *(shell.inward_mm for shell in self.shells))

    @property
    def smooth(self) -> bool:
        """Whether its distance bends gently, without the kinks where solids meet."""
        return isinstance(self.solid, SMOOTH)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A spine as surfaces in painter's order."""

    axis: Axis
    surfaces: tuple[Surface, ...]
    boxes: NDArray[np.float32]
    """(surfaces, 3, 2): x, y and s, from and to, in mm."""

    @classmethod
    def of(cls, spine: Spine) -> Scene:
        """Group a spine's parts; worth keeping for all slices of a study."""
        surfaces = tuple(_surfaces(spine.parts))
        boxes = [_widest(surface).solid.box() for surface in surfaces]
        sides = np.array([(box.x, box.y, box.s) for box in boxes], np.float32)
        return cls(spine.axis, surfaces, sides.reshape(-1, 3, 2))


def _surfaces(parts: Sequence[Part]) -> Iterator[Surface]:
    for _, group in groupby(parts, key=_alike):
        alike = tuple(group)
        shells = tuple(Shell(part, _bare(part.solid)[1]) for part in alike)
        solid = gathered(_bare(alike[0].solid)[0])
        yield Surface(solid, shells, alike[0].fine)


def _widest(surface: Surface) -> Part:
    return min(surface.shells, key=lambda shell: shell.inward_mm).part


def _alike(part: Part) -> tuple[int, bool]:
    return id(_bare(part.solid)[0]), part.fine


def _bare(solid: Solid) -> tuple[Solid, float]:
    """Return the solid that was shrunk, and how far in all."""
    inward_mm = 0.0
    while isinstance(solid, Shrunk):
        inward_mm += solid.by_mm
        solid = solid.solid
    return solid, inward_mm
