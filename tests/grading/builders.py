"""Image headers by hand, for tests of judgement and geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom import Dataset

from grading.grades import SliceKey
from grading.headers import Acquisition, ImageHeader, Vector
from grading.series import SeriesHeaders

HITACHI = Path(__file__).parent.parent / "data" / "hitachi"
SERIES = "2.25.5"
T2 = Acquisition(echo_time_ms=95, repetition_time_ms=4455)


def hitachi(*folders: str) -> list[Dataset]:
    """Return the datasets of the named series of the public-domain study."""
    return [
        pydicom.dcmread(path)
        for folder in folders
        for path in sorted((HITACHI / folder).glob("*.dcm"))
    ]


def image(
    number: int = 1,
    *,
    height_mm: float | None = None,
    tilt_deg: float = 0.0,
    acquisition: Acquisition = T2,
    description: str = "",
    modality: str = "MR",
    body_part: str = "LSPINE",
    series: str = SERIES,
) -> ImageHeader:
    """Return a 3 x 3 image of 1 mm pixels; a tilt turns it about the left-right axis.

    ``height_mm`` is that of the image's centre, above the origin of the patient.
    """
    height = -4.0 * number if height_mm is None else height_mm
    down = _column_direction(tilt_deg)
    return ImageHeader(
        key=SliceKey(series, f"{series}.{number}"),
        modality=modality,
        rows=3,
        columns=3,
        samples_per_pixel=1,
        position_lps_mm=(-1.0, -down[1], height - down[2]),
        row_direction=(1.0, 0.0, 0.0),
        column_direction=down,
        spacing_mm=(1.0, 1.0),
        acquisition=acquisition,
        description=description,
        body_part=body_part,
    )


def series_of(images: Sequence[ImageHeader]) -> SeriesHeaders:
    """Return the images as one series."""
    return SeriesHeaders(images[0].key.series_instance_uid, tuple(images))


def stack(
    count: int = 5,
    *,
    tilt_deg: float = 0.0,
    acquisition: Acquisition = T2,
    description: str = "",
    modality: str = "MR",
    body_part: str = "LSPINE",
) -> SeriesHeaders:
    """Return a series of parallel images that are all alike."""
    return series_of(
        [
            image(
                number,
                tilt_deg=tilt_deg,
                acquisition=acquisition,
                description=description,
                modality=modality,
                body_part=body_part,
            )
            for number in range(1, count + 1)
        ]
    )


def _column_direction(tilt_deg: float) -> Vector:
    tilt = math.radians(tilt_deg)
    return (0.0, math.cos(tilt), math.sin(tilt))
