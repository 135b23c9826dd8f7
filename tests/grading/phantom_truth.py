"""What a locator without an error finds on a phantom study: its truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset

from grading.grades import AxialMarks, PixelPoint, SliceKey
from grading.headers import ImageHeader, Vector
from grading.landmarks.found import AxialFound, FoundDisc, FoundPoint, SagittalFound
from grading.levels.geometry import pixel_of, plus, unit
from grading.series import Slice

SACRUM_MM = 20.0
"""From the middle of L5/S1 to that of S1."""
Point = Mapping[str, Any]


class PhantomStudy:
    """A written study: its datasets, and what is true of them."""

    def __init__(self, folder: Path) -> None:
        self._truth = json.loads((folder / "truth.json").read_text("utf-8"))
        self.datasets: list[Dataset] = [
            pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))
        ]
        self.images: Mapping[SliceKey, Point] = {
            SliceKey(
                one["series_instance_uid"], one["sop_instance_uid"], one["frame"]
            ): one
            for one in self._truth["images"]
        }

    def of(self, *roles: str) -> list[Dataset]:
        """Return the datasets of some series, by their role."""
        wanted = {
            one["series_instance_uid"]
            for one in self._truth["images"]
            if one["role"] in roles
        }
        return [ds for ds in self.datasets if ds.SeriesInstanceUID in wanted]

    @property
    def sacrum(self) -> Vector:
        lowest = self._truth["levels"][-1]
        x, y, z = lowest["disc_centre_lps_mm"]
        a, b, c = lowest["normal"]
        return plus((x, y, z), unit((a, b, c)), -SACRUM_MM)


class TruthLocator:
    """Finds everything where it is."""

    def __init__(self, study: PhantomStudy) -> None:
        self._study = study

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        return [self._axial(self._study.images[one.header.key]) for one in slices]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        return [self._sagittal(one.header) for one in slices]

    def _axial(self, image: Point) -> AxialFound:
        points = {
            mark["name"]: PixelPoint(mark["row"], mark["column"])
            for mark in image["landmarks"]
        }
        spread_mm = 1.0 if points else None
        return AxialFound(AxialMarks(**points), spread_mm, float(image["through_disc"]))

    def _sagittal(self, header: ImageHeader) -> SagittalFound:
        marks = self._study.images[header.key]["landmarks"]
        sacrum = FoundPoint(pixel_of(header, self._study.sacrum), 0.9)
        return SagittalFound(tuple(_discs(marks)), sacrum)


def _discs(marks: Sequence[Point]) -> Iterator[FoundDisc]:
    points = {(mark["level"], mark["name"]): mark for mark in marks}
    for level in dict.fromkeys(mark["level"] for mark in marks):
        middle, behind = points[level, "disc_centre"], points[level, "disc_margin"]
        yield FoundDisc(
            FoundPoint(PixelPoint(middle["row"], middle["column"]), 0.9),
            PixelPoint(behind["row"], behind["column"]),
        )
