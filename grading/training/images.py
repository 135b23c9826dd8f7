"""The images of a manifest: for learning, and as the service would see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from grading.errors import NotGradable
from grading.evaluation.delimited import CasesError
from grading.grades import Finding
from grading.headers import ImageHeader, image_headers
from grading.landmarks.found import Locator
from grading.preprocess import AROUND, Preprocessing
from grading.regions import RegionFinder, Seen
from grading.series import Slice, decode, upright
from grading.training.manifest import LabelledImage, Manifest
from grading.training.samples import LabelledSlice

RIM_PIXELS = 2
"""Of the grid, kept around the region: resampling looks one and a half beyond it."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A labelled image with its pixels, upright as the service would see it."""

    labelled: LabelledImage
    """Its box lies on the upright image."""
    slice_: Slice

    @property
    def header(self) -> ImageHeader:
        """Of the upright image."""
        return self.slice_.header

    @property
    def pixels(self) -> NDArray[np.float32]:
        """(rows, columns), stored units."""
        return self.slice_.pixels

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Between rows, between columns."""
        if self.header.spacing_mm is None:
            raise ValueError("an image that was read has a pixel spacing")
        return self.header.spacing_mm


@dataclass(frozen=True, slots=True)
class RegionPlacer:
    """What finds landmarks, and how far it is believed."""

    locator: Locator
    finder: RegionFinder


def read_images(
    manifest: Manifest, images: Sequence[LabelledImage]
) -> Iterator[ReadImage]:
    """Read the pixels of some of a manifest's images, a file at a time.

    Raises
    ------
    CasesError
        A file is missing, or no longer holds the image that was imported.
    """
    by_file = sorted(images, key=lambda image: (image.file, image.frame))
    for file, members in groupby(by_file, key=lambda image: image.file):
        path = manifest.data_root / file
        try:
            ds = pydicom.dcmread(path)
            headers = {header.key.frame: header for header in image_headers(ds)}
            for image in members:
                header = headers[image.frame]
                pixels = decode(ds, image.frame)
                _check(image, header)
                yield _upright(image, header, pixels)
        except (OSError, InvalidDicomError, NotGradable, LookupError) as error:
            raise CasesError(
                path,
                None,
                f"not the image that was imported ({error}); import the archive "
                "anew, or say with --data-root where it lies now",
            ) from error


def training_slices(
    manifest: Manifest,
    images: Sequence[LabelledImage],
    spec: Preprocessing,
    shift_mm: float,
    placing: RegionPlacer | None = None,
) -> Iterator[LabelledSlice]:
    """Yield images for learning, cut down to what the network may ever see of them.

    The region lies around the middle of the image's box where somebody drew one, else
    where landmarks put it, else around the image centre.

    Parameters
    ----------
    shift_mm
        How far the region may be shifted along each axis.
    placing
        What finds landmarks; None where nothing does.
    """
    margin_mm = shift_mm + RIM_PIXELS * spec.pitch_mm
    for read in read_images(manifest, images):
        centre = _centre(read, spec, placing)
        yield _cut_down(read, centre, AROUND * spec.region_size_mm / 2 + margin_mm)


def _check(image: LabelledImage, header: ImageHeader) -> None:
    if header.key.sop_instance_uid != image.sop_instance:
        raise LookupError(f"it is {header.key.sop_instance_uid}")
    if header.spacing_mm is None:
        raise LookupError("it has no pixel spacing")


def _upright(
    image: LabelledImage, header: ImageHeader, pixels: NDArray[np.float32]
) -> ReadImage:
    slice_ = upright(header, pixels)
    box = slice_.turn.box(image.box) if image.box else None
    return ReadImage(replace(image, box=box), slice_)


def _centre(
    read: ReadImage, spec: Preprocessing, placing: RegionPlacer | None
) -> tuple[float, float]:
    """Return row and column of the region's centre, as the service would place it."""
    finder = placing.finder if placing else RegionFinder(spec)
    found = None
    if placing and read.labelled.box is None:
        [found] = placing.locator.axial([read.slice_])
    [region] = finder.regions([Seen(read.header, found, read.labelled.box)], ())
    return region.row, region.column


def _cut_down(
    read: ReadImage, centre: tuple[float, float], reach_mm: float
) -> LabelledSlice:
    """Keep what lies within ``reach_mm`` of the region's centre along each axis."""
    rows, columns = read.pixels.shape
    row, column = centre
    first_row, last_row = _kept(row, rows, reach_mm / read.spacing_mm[0])
    first_column, last_column = _kept(column, columns, reach_mm / read.spacing_mm[1])
    kept = read.pixels[first_row:last_row, first_column:last_column]
    grade = read.labelled.grades.get
    return LabelledSlice(
        pixels=_compact(kept),
        spacing_mm=read.spacing_mm,
        grades=(grade(Finding.LDH), grade(Finding.LCCS), grade(Finding.LNRC)),
        centre=(row - first_row, column - first_column),
    )


def _kept(centre: float, length: int, reach: float) -> tuple[int, int]:
    """Return first and one past the last pixel, two more than needed on each side."""
    first = int(np.floor(centre - reach)) - RIM_PIXELS
    last = int(np.ceil(centre + reach)) + RIM_PIXELS
    return max(0, first), min(length, last + 1)


def _compact(pixels: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.int16]:
    """Keep whole numbers of 16 bits as such: a training set fits into half the room."""
    limits = np.iinfo(np.int16)
    fits = (pixels >= limits.min) & (pixels <= limits.max) & (pixels == np.rint(pixels))
    return pixels.astype(np.int16) if fits.all() else pixels.copy()
