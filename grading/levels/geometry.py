"""Between pixels and the patient: points, planes and distances of single images.

Patient coordinates are LPS in mm (PS3.3 C.7.6.2.1.1). Every function needs an image
whose position, orientation and spacing are known and raises ValueError for others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from grading.grades import PixelPoint
from grading.headers import ImageHeader, Vector


def at(image: ImageHeader, point: PixelPoint) -> Vector:
    """Return where a point of an image lies in the patient."""
    position, along_row, along_column, spacing_mm = _placed(image)
    across, down = point.column * spacing_mm[1], point.row * spacing_mm[0]
    x, y, z = (
        start + across * row + down * column
        for start, row, column in zip(position, along_row, along_column, strict=True)
    )
    return (x, y, z)


def pixel_of(image: ImageHeader, where: Vector) -> PixelPoint:
    """Return the point of an image that lies squarely in front of a place."""
    position, along_row, along_column, spacing_mm = _placed(image)
    offset = minus(where, position)
    across, down = dot(offset, along_row), dot(offset, along_column)
    return PixelPoint(down / spacing_mm[0], across / spacing_mm[1])


def shows(image: ImageHeader, where: Vector) -> bool:
    """Tell whether a place lies in front of the image's field, at whatever distance."""
    point = pixel_of(image, where)
    return (
        -0.5 <= point.row <= image.rows - 0.5
        and -0.5 <= point.column <= image.columns - 0.5
    )


def above_mm(image: ImageHeader, where: Vector) -> float:
    """Return how far the image's plane lies above a place, towards the head."""
    return dot(minus(centre_lps_mm(image), where), normal_of(image))


def centre_lps_mm(image: ImageHeader) -> Vector:
    """Return the image's centre in the patient."""
    return at(image, PixelPoint((image.rows - 1) / 2, (image.columns - 1) / 2))


def normal_of(image: ImageHeader) -> Vector:
    """Return the unit normal, which points to the head."""
    if image.normal is None:
        raise ValueError("an image without orientation has no normal")
    return image.normal


def minus(a: Vector, b: Vector) -> Vector:
    """Return the way from ``b`` to ``a``."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def plus(a: Vector, b: Vector, times: float = 1.0) -> Vector:
    """Return the place that lies ``times`` the way ``b`` from ``a``."""
    return (a[0] + times * b[0], a[1] + times * b[1], a[2] + times * b[2])


def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def length_mm(way: Vector) -> float:
    """Return how long a way is."""
    return math.sqrt(dot(way, way))


def unit(way: Vector) -> Vector:
    """Return the way shortened to one mm; it must have a length."""
    return plus((0.0, 0.0, 0.0), way, 1 / length_mm(way))


def tilt_deg(a: Vector, b: Vector) -> float:
    """Return the angle between two unit normals, whichever way they point."""
    return math.degrees(math.acos(min(1.0, abs(dot(a, b)))))


def mean(places: Sequence[Vector]) -> Vector:
    """Return the middle of at least one place."""
    x, y, z = (math.fsum(them) / len(places) for them in zip(*places, strict=True))
    return (x, y, z)


def _placed(
    image: ImageHeader,
) -> tuple[Vector, Vector, Vector, tuple[float, float]]:
    if not (
        image.position_lps_mm
        and image.row_direction
        and image.column_direction
        and image.spacing_mm
    ):
        raise ValueError(
            "an image without geometry lies nowhere; leave it out beforehand"
        )
    return (
        image.position_lps_mm,
        image.row_direction,
        image.column_direction,
        image.spacing_mm,
    )
