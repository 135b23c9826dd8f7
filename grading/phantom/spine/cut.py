"""A pixel grid laid through the patient, as the Image Plane Module describes it.

PS3.3 C.7.6.2: position and orientation in the patient's coordinates, LPS in mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
"""In the patient's coordinates: left, posterior, superior."""
Points = NDArray[np.float64]
"""(..., 3), LPS in mm."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A plane of pixels; pixel (0, 0) is centred on ``position_mm``."""

    position_mm: Vector
    along_row: Vector
    """Unit vector towards the next column: the first half of the orientation."""
    along_column: Vector
    """Unit vector towards the next row."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    rows: int
    columns: int

    @classmethod
    def centred(
        cls,
        centre_mm: Vector,
        along_row: Vector,
        along_column: Vector,
        spacing_mm: tuple[float, float],
        shape: tuple[int, int],
    ) -> Cut:
        """Return the cut whose middle lies on ``centre_mm``."""
        across = (shape[1] - 1) / 2 * spacing_mm[1] * np.array(along_row)
        down = (shape[0] - 1) / 2 * spacing_mm[0] * np.array(along_column)
        position = np.array(centre_mm) - across - down
        return cls(
            vector(position),
            vector(along_row),
            vector(along_column),
            spacing_mm,
            shape[0],
            shape[1],
        )

    @property
    def normal(self) -> Vector:
        """Unit vector, along_row x along_column."""
        return vector(np.cross(self.along_row, self.along_column))

    @property
    def centre_mm(self) -> Vector:
        """Where the middle of the image lies."""
        return vector(self.at((self.rows - 1) / 2, (self.columns - 1) / 2))

    def at(
        self, row: float | NDArray[np.floating], column: float | NDArray[np.floating]
    ) -> Points:
        """Return where pixels lie; fractions of a pixel are allowed.

        Returns
        -------
        NDArray
            (..., 3) LPS in mm, for rows and columns of any equal shape.
        """
        down = np.asarray(row, np.float64)[..., np.newaxis] * self.spacing_mm[0]
        across = np.asarray(column, np.float64)[..., np.newaxis] * self.spacing_mm[1]
        points: Points = (
            np.array(self.position_mm)
            + across * np.array(self.along_row)
            + down * np.array(self.along_column)
        )
        return points

    def pixel(self, point_mm: Points) -> tuple[Points, Points]:
        """Return row and column of the points projected onto the plane."""
        offset = np.asarray(point_mm, np.float64) - np.array(self.position_mm)
        rows = offset @ np.array(self.along_column) / self.spacing_mm[0]
        columns = offset @ np.array(self.along_row) / self.spacing_mm[1]
        return rows, columns

    def depth_mm(self, point_mm: Points) -> Points:
        """Return the signed distance of points from the plane, along its normal."""
        offset = np.asarray(point_mm, np.float64) - np.array(self.position_mm)
        depth: Points = offset @ np.array(self.normal)
        return depth

    def shifted(self, along_normal_mm: float) -> Cut:
        """Return the parallel cut so far along the normal."""
        moved = np.array(self.position_mm) + along_normal_mm * np.array(self.normal)
        return replace(self, position_mm=vector(moved))


def vector(values: NDArray[np.floating] | Vector) -> Vector:
    """Return three numbers as a vector."""
    x, y, z = (float(value) for value in values)
    return x, y, z
