"""Axial and sagittal series around a spine in round numbers, without anatomy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydicom import Dataset

from grading.grades import SeriesVerdict, SliceKey, StudyGrades
from grading.headers import image_headers
from grading.landmarks.found import SagittalFound
from tests.dicom_factories import mr_image
from tests.grading.spines import GAP_MM, SAGITTAL, found

Grade = Callable[..., StudyGrades]
"""Datasets, a locator and boxes in, grades out."""
THROUGH_TWO_DISCS = [GAP_MM + 2 - 4 * number for number in range(11)]
"""Heights of slices from above L4/L5 to below L5/S1."""


def axial(heights_mm: Sequence[float], series: str = "2.25.5") -> list[Dataset]:
    """Return slices so high above L5/S1, 96 mm wide around the margins of the discs."""
    images = [mr_image(number, series) for number in range(1, len(heights_mm) + 1)]
    for ds, height_mm in zip(images, heights_mm, strict=True):
        ds.ImagePositionPatient = [-48, -48, height_mm]
    return images


def sagittal(count: int = 5, series: str = SAGITTAL) -> list[Dataset]:
    """Return images 4 mm apart around the midline, seen from the left."""
    images = [mr_image(number, series) for number in range(1, count + 1)]
    for number, ds in enumerate(images):
        ds.SeriesDescription = "T2 SAG"
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        ds.ImagePositionPatient = [4 * (number - (count - 1) / 2), -48, 60]
    return images


def keys(datasets: Sequence[Dataset]) -> list[SliceKey]:
    return [SliceKey(ds.SeriesInstanceUID, ds.SOPInstanceUID) for ds in datasets]


def seen_on(
    datasets: Sequence[Dataset],
    numbers: Sequence[int] = range(6),
    *,
    sacrum: bool = True,
) -> Mapping[SliceKey, SagittalFound]:
    """Return what a perfect look at sagittal images finds."""
    headers = (image_headers(ds)[0] for ds in datasets)
    return {one.key: found(one, numbers, sacrum=sacrum) for one in headers}


def verdict(grades: StudyGrades, series: str = SAGITTAL) -> SeriesVerdict:
    (one,) = (it for it in grades.series if it.series_instance_uid == series)
    return one
