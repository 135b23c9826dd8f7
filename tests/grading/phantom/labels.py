"""Label maps of a plane through a spine, and what can be read off them.

Nothing here knows a distance function: every length comes from counting cells and
from the edges between cells that carry different labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from grading.phantom.spine.cut import Cut, Points, vector
from grading.phantom.spine.parts import Spine
from grading.phantom.spine.tissues import Tissue

CELL_MM = 0.1
"""Of the measuring label maps: fine enough for every cut of the three scales."""

Mask = NDArray[np.bool_]
"""(rows, columns)."""
Edges = NDArray[np.float64]
"""(points, 2): row and column, in cells, of the borders between two cells."""


@dataclass(frozen=True)
class LabelMap:
    """The part at every pixel of a cut."""

    spine: Spine
    cut: Cut
    parts: NDArray[np.int16]
    """(rows, columns), indices into the spine's parts; -1 in air."""

    @property
    def cell_mm(self) -> float:
        """The pitch, equal along rows and columns."""
        return self.cut.spacing_mm[0]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each part; the last one is that of air."""
        return (*(part.name for part in self.spine.parts), "air")

    @cached_property
    def tissues(self) -> NDArray[np.uint8]:
        """(rows, columns): the `Tissue` at every pixel."""
        tissues = [*(part.tissue for part in self.spine.parts), Tissue.AIR]
        found: NDArray[np.uint8] = np.array(tissues, np.uint8)[self.parts]
        return found

    def where(self, wanted: Callable[[str], bool]) -> Mask:
        """Return the cells of all parts with such a name."""
        table = np.array([wanted(name) for name in self.names])
        found: Mask = table[self.parts]
        return found

    def instances(self, wanted: Callable[[str], bool]) -> dict[str, Mask]:
        """Return the cells of each visible part with such a name, one by one."""
        return {
            self.names[index]: self.parts == index
            for index in np.unique(self.parts)
            if wanted(self.names[index])
        }


def rasterise(spine: Spine, cut: Cut) -> LabelMap:
    """Ask for the part at every pixel, each straightened exactly."""
    return LabelMap(spine, cut, spine.part_at(pixel_points(cut)))


def pixel_points(cut: Cut) -> Points:
    """Return (rows, columns, 3) LPS in mm: where each pixel lies."""
    rows, columns = np.mgrid[: cut.rows, : cut.columns].astype(np.float64)
    return cut.at(rows, columns)


def window(cut: Cut, centre_mm: Points, size_mm: float, cell_mm: float) -> Cut:
    """Return a square of the cut's plane, around the foot of a point."""
    foot = centre_mm - cut.depth_mm(centre_mm) * np.array(cut.normal)
    cells = round(size_mm / cell_mm)
    return Cut.centred(
        vector(foot),
        cut.along_row,
        cut.along_column,
        (cell_mm, cell_mm),
        (cells, cells),
    )


def edges(mask: Mask) -> Edges:
    """Return the middles of all borders between a cell inside and one outside."""
    padded = np.pad(mask, 1)
    across = np.argwhere(padded[1:] != padded[:-1]) - (0.5, 1.0)
    along = np.argwhere(padded[:, 1:] != padded[:, :-1]) - (1.0, 0.5)
    return np.concatenate([across, along])


def nearest(one: Edges, other: Edges) -> tuple[float, int, int]:
    """Return the least distance between two sets of points, and which two they are."""
    if not len(one) or not len(other):
        return float("inf"), -1, -1
    found = cKDTree(other).query(one)
    distances, partners = np.asarray(found[0]), np.asarray(found[1])
    index = int(distances.argmin())
    return float(distances[index]), index, int(partners[index])


def nearest_stretch(one: Edges, other: Edges, within: float = 1.0) -> Edges:
    """Return the middle of those points of ``one`` that are nearest to ``other``.

    A round end has many points within a cell of being the nearest; their middle is
    its tip, to far less than a cell.
    """
    distances = np.asarray(cKDTree(other).query(one)[0])
    middle: Edges = one[distances <= distances.min() + within].mean(axis=0)
    return middle


def area_mm2(mask: Mask, cell_mm: float) -> float:
    """Return the area of the cells."""
    return float(np.count_nonzero(mask)) * cell_mm**2


def centroid(mask: Mask) -> tuple[float, float]:
    """Return the mean row and column; NaN of nothing."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return float("nan"), float("nan")
    return float(rows.mean()), float(columns.mean())


def first_rows(mask: Mask) -> NDArray[np.float64]:
    """Return, per column, where the cells begin, from the front; NaN without any."""
    return np.where(mask.any(axis=0), mask.argmax(axis=0) - 0.5, np.nan)


def last_rows(mask: Mask) -> NDArray[np.float64]:
    """Return, per column, where the cells end at the back; NaN without any."""
    last = len(mask) - 1 - mask[::-1].argmax(axis=0)
    return np.where(mask.any(axis=0), last + 0.5, np.nan)
