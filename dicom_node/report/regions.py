r"""The square that was graded, in the image coordinates of DICOM.

In PS3.3 C.18.6 the top left corner of the top left pixel is 0\0 and the bottom right
corner of the last pixel Columns\Rows, so a pixel's centre lies at half a pixel.
``Region`` counts from the centre of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

from grading.grades import Region
from grading.headers import ImageHeader

PIXEL_CENTRE = 0.5


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Columns and rows in image coordinates, the origin at the image's corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def clipped(self, columns: int, rows: int) -> Rectangle:
        """Return the part inside the image, the whole image where there is none."""
        inside = Rectangle(
            min(max(self.left, 0.0), columns),
            min(max(self.top, 0.0), rows),
            min(max(self.right, 0.0), columns),
            min(max(self.bottom, 0.0), rows),
        )
        if inside.width > 0 and inside.height > 0:
            return inside
        return Rectangle(0.0, 0.0, float(columns), float(rows))


def square(region: Region, spacing_mm: tuple[float, float], scale: float) -> Rectangle:
    """Return the region, ``scale`` times as wide, not clipped to the image.

    ``spacing_mm`` is the distance between rows, then between columns.
    """
    half_height = scale * region.size_mm / spacing_mm[0] / 2
    half_width = scale * region.size_mm / spacing_mm[1] / 2
    row, column = region.row + PIXEL_CENTRE, region.column + PIXEL_CENTRE
    return Rectangle(
        column - half_width, row - half_height, column + half_width, row + half_height
    )


def graded_rectangle(region: Region, header: ImageHeader) -> Rectangle:
    """Return the part of the image that was graded.

    Without pixel spacing its size is unknown; the whole image surely holds it.
    """
    whole = Rectangle(0.0, 0.0, float(header.columns), float(header.rows))
    if header.spacing_mm is None:
        return whole
    return square(region, header.spacing_mm, 1.0).clipped(header.columns, header.rows)
