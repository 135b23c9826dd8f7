"""Which way round an image lies, and how to lay it as networks have learned it.

A network that names the patient's sides knows them by the image's sides alone. Scanners
lay an axial image so that its columns run to the patient's left and its rows to the
back; a patient who lies prone, a console that turns images or a viewer that saves them
may not. Whatever is found on a turned image is carried back to the image as stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.boxes import Box
from grading.grades import AxialMarks, PixelPoint, Plane, Region
from grading.headers import ImageHeader, Vector

MAX_TURN_IN_PLANE_DEG = 45.0
"""Beyond it another side of the image is the nearest to the patient's left."""
_LEFT, _BACK, _UP = range(3)
_TOWARDS = {
    Plane.AXIAL: ((_LEFT, 1.0), (_BACK, 1.0)),
    Plane.SAGITTAL: ((_BACK, 1.0), (_UP, -1.0)),
}
"""Where columns run to, and rows, by the axis of LPS (PS3.3 C.7.6.2.1.1)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How an image is laid upright; carries both ways, being its own inverse."""

    rows: int = 0
    columns: int = 0
    """Of the image; they matter only where it is turned."""
    upside_down: bool = False
    """The first row becomes the last one."""
    mirrored: bool = False
    """The first column becomes the last one."""

    @property
    def nothing(self) -> bool:
        """True where the image lies upright as it is."""
        return not (self.upside_down or self.mirrored)

    def pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn ``(rows, columns)``."""
        if self.nothing:
            return pixels
        rows = slice(None, None, -1 if self.upside_down else 1)
        columns = slice(None, None, -1 if self.mirrored else 1)
        return np.ascontiguousarray(pixels[rows, columns])

    def point(self, point: PixelPoint) -> PixelPoint:
        """Carry a point over."""
        if self.nothing:
            return point
        return PixelPoint(self._row(point.row), self._column(point.column))

    def region(self, region: Region) -> Region:
        """Carry a region over; it keeps its size and origin."""
        centre = self.point(PixelPoint(region.row, region.column))
        return replace(region, row=centre.row, column=centre.column)

    def marks(self, marks: AxialMarks) -> AxialMarks:
        """Carry marks over; what was the patient's left stays the patient's left."""
        return AxialMarks(
            **{
                name: self.point(point)
                for name in AxialMarks.__slots__
                if (point := getattr(marks, name)) is not None
            }
        )

    def box(self, box: Box) -> Box:
        """Carry a box over, its first edges before its last ones."""
        rows = sorted((self._row(box.first_row), self._row(box.last_row)))
        columns = sorted(
            (self._column(box.first_column), self._column(box.last_column))
        )
        return Box(rows[0], columns[0], rows[1], columns[1])

    def header(self, image: ImageHeader) -> ImageHeader:
        """Return the header of the turned image: every pixel keeps its place."""
        if self.nothing:
            return image
        along, down = image.row_direction, image.column_direction
        position, spacing_mm = image.position_lps_mm, image.spacing_mm
        if not (along and down and position and spacing_mm):
            raise ValueError("an image without geometry lies no way round")
        if self.mirrored:
            position = _moved(position, along, (self.columns - 1) * spacing_mm[1])
            along = _opposite(along)
        if self.upside_down:
            position = _moved(position, down, (self.rows - 1) * spacing_mm[0])
            down = _opposite(down)
        return replace(
            image,
            position_lps_mm=position,
            row_direction=along,
            column_direction=down,
        )

    def _row(self, row: float) -> float:
        return self.rows - 1 - row if self.upside_down else row

    def _column(self, column: float) -> float:
        return self.columns - 1 - column if self.mirrored else column


AS_STORED = Turn()


def turn_of(image: ImageHeader, plane: Plane) -> Turn:
    """Return how to lay an image so that networks see it as they have learned.

    Axial: columns run to the patient's left and rows to the back. Sagittal: columns
    run to the back and rows to the feet. Other planes no network looks at, and what
    has no geometry is left as it is.
    """
    if not (
        image.row_direction
        and image.column_direction
        and image.position_lps_mm
        and image.spacing_mm
        and plane in _TOWARDS
    ):
        return AS_STORED
    (across, sign), (down, sign_down) = _TOWARDS[plane]
    return Turn(
        image.rows,
        image.columns,
        upside_down=image.column_direction[down] * sign_down < 0,
        mirrored=image.row_direction[across] * sign < 0,
    )


def turn_in_plane_deg(image: ImageHeader) -> float:
    """Return the angle between an axial image's columns and the patient's left-right.

    From 0 to 90: 0 also where the columns run to the right. NaN without orientation.
    """
    normal, along = image.normal, image.row_direction
    if normal is None or along is None:
        return math.nan
    shown = math.sqrt(max(0.0, 1 - normal[_LEFT] ** 2))
    if not shown:
        return 90.0
    return math.degrees(math.acos(min(1.0, abs(along[_LEFT]) / shown)))


def _moved(place: Vector, way: Vector, by_mm: float) -> Vector:
    x, y, z = (p + by_mm * w for p, w in zip(place, way, strict=True))
    return (x, y, z)


def _opposite(way: Vector) -> Vector:
    return (-way[0], -way[1], -way[2])
