"""A spine in round numbers: its discs one above the other, seen from the side.

Discs lie 34 mm apart, L5/S1 at height 0, centres 20 mm in front of y = 0 and margins
on it. Sagittal images are 300 x 300 pixels of 1 mm around the spine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grading.grades import AxialMarks, PixelPoint, SliceKey
from grading.headers import Acquisition, ImageHeader, Vector
from grading.landmarks.found import AxialFound, FoundDisc, FoundPoint, SagittalFound
from grading.levels.discs import DiscChain, chain
from grading.levels.geometry import pixel_of
from grading.levels.sightings import Place
from grading.series import Slice

GAP_MM = 34.0
HALF_DEPTH_MM = 20.0
SACRUM: Vector = (0.0, -12.0, -18.0)
T2_SAGITTAL = Acquisition(echo_time_ms=110, repetition_time_ms=3200)
SAGITTAL = "2.25.8"


def centre(number: int, x_mm: float = 0.0) -> Vector:
    """Return a disc's middle; number 0 is the one on the sacrum."""
    return (x_mm, -HALF_DEPTH_MM, GAP_MM * number)


def margin(number: int, x_mm: float = 0.0) -> Vector:
    return (x_mm, 0.0, GAP_MM * number)


def place(number: int) -> Place:
    return Place(centre(number), margin(number), weight=3)


def spine(discs: int = 6) -> DiscChain:
    """Return so many discs, counted up from the sacrum."""
    return chain([place(number) for number in range(discs)], SACRUM)


def sagittal(x_mm: float = 0.0, number: int = 1, series: str = SAGITTAL) -> ImageHeader:
    """Return an image seen from the left, top at height 250, front at y = -200."""
    return ImageHeader(
        key=SliceKey(series, f"{series}.{number}"),
        modality="MR",
        rows=300,
        columns=300,
        samples_per_pixel=1,
        position_lps_mm=(x_mm, -200.0, 250.0),
        row_direction=(0.0, 1.0, 0.0),
        column_direction=(0.0, 0.0, -1.0),
        spacing_mm=(1.0, 1.0),
        acquisition=T2_SAGITTAL,
        description="T2 SAG",
        body_part="LSPINE",
        thickness_mm=4.0,
    )


def found_disc(
    image: ImageHeader, where: Vector, behind: Vector | None = None, sure: float = 0.9
) -> FoundDisc:
    point = FoundPoint(pixel_of(image, where), sure)
    return FoundDisc(point, pixel_of(image, behind) if behind else None)


def found(
    image: ImageHeader, numbers: Sequence[int] = range(6), *, sacrum: bool = True
) -> SagittalFound:
    """Return what a perfect look at an image finds."""
    discs = [found_disc(image, centre(n), margin(n)) for n in reversed(numbers)]
    body = FoundPoint(pixel_of(image, SACRUM), 0.9) if sacrum else None
    return SagittalFound(tuple(discs), body)


NOTHING_AXIAL = AxialFound(AxialMarks(), None, 0.0)
NOTHING_SAGITTAL = SagittalFound((), None)


@dataclass(frozen=True, slots=True)
class KnowingLocator:
    """Finds what it was told to find, by the slice's key."""

    on_axial: Mapping[SliceKey, AxialFound] = field(default_factory=dict)
    on_sagittal: Mapping[SliceKey, SagittalFound] = field(default_factory=dict)

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        return [self.on_axial.get(one.header.key, NOTHING_AXIAL) for one in slices]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        return [
            self.on_sagittal.get(one.header.key, NOTHING_SAGITTAL) for one in slices
        ]


def marks(row: float, column: float, *, margin_rows: float = 8.0) -> AxialMarks:
    """Return a sac so many rows behind the disc's margin."""
    return AxialMarks(
        disc_margin=PixelPoint(row - margin_rows, column),
        sac_centre=PixelPoint(row, column),
    )
