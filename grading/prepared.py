"""Slices made ready for the network: in their slab, with their region cut out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from grading.boxes import Box
from grading.grades import PixelPoint, Region, SliceKey
from grading.headers import ImageHeader, Vector
from grading.landmarks.found import AxialFound
from grading.levels.geometry import at
from grading.levels.slabs import Slab, slabs
from grading.preprocess import Preprocessing, crop
from grading.regions import RegionFinder, Seen
from grading.series import Slice
from grading.upright import Turn


@dataclass(frozen=True, slots=True)
class Prepared:
    """A slice with its place and region, ready for the network."""

    header: ImageHeader
    """Of the slice upright, as region and marks are."""
    turn: Turn
    """Between that and the image as stored."""
    slab: int
    position_mm: float
    region: Region
    found: AxialFound | None
    """None where nobody looked, and where the looks were not believed."""
    tensor: torch.Tensor
    """``(1, grid, grid) float32``."""

    @property
    def key(self) -> SliceKey:
        """Which slice."""
        return self.header.key

    @property
    def canal(self) -> Vector:
        """The region's centre in the patient, LPS in mm."""
        return at(self.header, PixelPoint(self.region.row, self.region.column))


def prepare(
    slices: Sequence[Slice],
    finder: RegionFinder,
    found: Sequence[AxialFound] | None = None,
    drawn: Mapping[SliceKey, Box] | None = None,
) -> tuple[list[Prepared], list[Slab]]:
    """Place every slice in its slab and cut its region out, cranial to caudal.

    ``found`` lies on the slices as they lie here, ``drawn`` on the images as stored.
    """
    looked: Sequence[AxialFound | None] = found or [None] * len(slices)
    looks = [finder.believed(one) for one in looked]
    boxes = drawn or {}
    seen = [
        Seen(slice_.header, look, _box_on(slice_, boxes))
        for slice_, look in zip(slices, looks, strict=True)
    ]
    found_slabs = slabs([slice_.header for slice_ in slices])
    regions = finder.regions(seen, found_slabs)
    prepared = [
        Prepared(
            header=slices[index].header,
            turn=slices[index].turn,
            slab=number,
            position_mm=position_mm,
            region=regions[index],
            found=looks[index],
            tensor=_tensor(slices[index], regions[index], finder.spec),
        )
        for number, slab in enumerate(found_slabs, start=1)
        for index, position_mm in zip(slab.members, slab.positions_mm, strict=True)
    ]
    return prepared, found_slabs


def _box_on(slice_: Slice, drawn: Mapping[SliceKey, Box]) -> Box | None:
    box = drawn.get(slice_.header.key)
    return slice_.turn.box(box) if box else None


def _tensor(slice_: Slice, region: Region, spec: Preprocessing) -> torch.Tensor:
    if slice_.header.spacing_mm is None:
        raise ValueError("a judged series has a pixel spacing on every image")
    return crop(slice_.pixels, slice_.header.spacing_mm, region, spec)
