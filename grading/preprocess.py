"""Turn a slice and a region into what the network sees.

Service, validation and measuring call the same `crop`. What is learned from is turned
as well: `surroundings` are smoothed about alike, and a test bounds the difference.
The specification travels in the bundle's card.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from grading.grades import Region, RegionOrigin

Interpolation = Literal["linear"]
"""The only interpolation so far; named in the card so that others can follow."""
AROUND = 1.3
"""Side of a region's surroundings over its own: room to turn it by 15 degrees."""
FINER = 2
"""Pixels of the surroundings for one of the grid, along each axis."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a region becomes network input.

    Raises
    ------
    ValueError
        A size is not positive, or the percentiles are not in increasing order
        between 0 and 100.
    """

    region_size_mm: float
    """Side of the square that is cut out."""
    grid_pixels: int
    """Side of the square that the network sees."""
    lower_percentile: float = 1.0
    """Intensity of the region that becomes 0."""
    upper_percentile: float = 99.0
    """Intensity of the region that becomes 1."""
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.region_size_mm) and self.region_size_mm > 0):
            raise ValueError(f"region_size_mm is {self.region_size_mm}, not positive")
        if self.grid_pixels < 1:
            raise ValueError(f"grid_pixels is {self.grid_pixels}, not positive")
        if not 0 <= self.lower_percentile < self.upper_percentile <= 100:
            raise ValueError(
                f"percentiles {self.lower_percentile} and {self.upper_percentile} "
                "are not in increasing order between 0 and 100"
            )
        if self.interpolation != "linear":
            raise ValueError(f"interpolation is {self.interpolation!r}, not 'linear'")

    @property
    def pitch_mm(self) -> float:
        """Distance between two neighbouring pixels of the grid."""
        return self.region_size_mm / self.grid_pixels


def default_region(rows: int, columns: int, spec: Preprocessing) -> Region:
    """Return the square at the image centre, for want of landmarks."""
    return Region(
        row=(rows - 1) / 2,
        column=(columns - 1) / 2,
        size_mm=spec.region_size_mm,
        origin=RegionOrigin.CENTRE,
    )


def crop(
    pixels: NDArray[np.float32],
    spacing_mm: tuple[float, float],
    region: Region,
    spec: Preprocessing,
) -> torch.Tensor:
    """Cut a region out of a slice, resample it and scale its intensities.

    Resampling is linear by physical size; where the grid is coarser than the
    image, each grid pixel averages over its own width (a triangle filter), so
    nothing aliases. Where the region leaves the image, the nearest edge pixel
    continues. Slope and intercept of the stored values cancel out.

    Parameters
    ----------
    pixels
        (rows, columns), any scale and sign. Pixels that are not finite count as
        the smallest finite one.
    spacing_mm
        Between rows, between columns: the order of PixelSpacing (PS3.3 10.7.1.3).

    Returns
    -------
    torch.Tensor
        (1, grid, grid) float32 from 0 to 1; all zeros where the region is flat.

    Raises
    ------
    ValueError
        The slice has no pixels or is not two-dimensional, or a spacing is not
        positive.
    """
    grid = _resampled(pixels, spacing_mm, region, spec.grid_pixels)
    return torch.from_numpy(_scaled(grid, spec)[np.newaxis])


def surroundings(
    pixels: NDArray[np.float32],
    spacing_mm: tuple[float, float],
    region: Region,
    spec: Preprocessing,
) -> torch.Tensor:
    """Cut out what lies in and around a region, to be turned before it is scaled.

    Smoothed as `crop` smooths, and `FINER`: what then is turned and sampled on the
    grid is about as sharp as what the service sees. A crop that is turned afterwards
    would be smoothed twice.

    Parameters
    ----------
    pixels, spacing_mm
        As for `crop`, which raises as well.

    Returns
    -------
    torch.Tensor
        (1, side, side) float32 in the slice's intensities, the region in the middle.
    """
    count = FINER * math.ceil(AROUND * spec.grid_pixels)
    grid = _resampled(pixels, spacing_mm, region, spec.grid_pixels, FINER, count)
    return torch.from_numpy(grid.astype(np.float32)[np.newaxis])


def _resampled(
    pixels: NDArray[np.float32],
    spacing_mm: tuple[float, float],
    region: Region,
    grid_pixels: int,
    finer: int = 1,
    count: int | None = None,
) -> NDArray[np.float64]:
    """Sample around a region's centre as smoothly as its grid asks."""
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"a slice is (rows, columns), not of shape {pixels.shape}")
    if not all(np.isfinite(spacing) and spacing > 0 for spacing in spacing_mm):
        raise ValueError(f"pixel spacing is {spacing_mm} mm, not positive")
    axes = []
    for length, centre, spacing in zip(
        pixels.shape, (region.row, region.column), spacing_mm, strict=True
    ):
        pitch = region.size_mm / grid_pixels / spacing
        axes.append(
            sampling_weights(
                length, centre, pitch / finer, count or grid_pixels, reach=pitch
            )
        )
    (first_row, by_row), (first_column, by_column) = axes
    window = _finite(
        pixels[
            first_row : first_row + by_row.shape[1],
            first_column : first_column + by_column.shape[1],
        ]
    )
    sampled: NDArray[np.float64] = by_row @ window @ by_column.T
    return sampled


def sampling_weights(
    length: int, centre: float, pitch: float, count: int, reach: float | None = None
) -> tuple[int, NDArray[np.float64]]:
    """Weigh the pixels of one axis for ``count`` samples around ``centre``.

    Parameters
    ----------
    length
        Pixels along the axis.
    centre, pitch
        In pixels of the axis; the pixel centres lie at whole numbers.
    reach
        Half of the triangle that a sample averages over, in pixels; the pitch where
        left out, and never less than one pixel.

    Returns
    -------
    int
        The first pixel that any sample needs.
    NDArray
        (count, needed pixels); each row sums to one.
    """
    reach = max(1.0, pitch if reach is None else reach)
    positions = centre + (np.arange(count) - (count - 1) / 2) * pitch
    taps = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    pixels = np.floor(positions)[:, np.newaxis] + taps
    weights = np.maximum(0.0, 1.0 - np.abs(pixels - positions[:, np.newaxis]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    indices = np.clip(pixels, 0, length - 1).astype(np.intp)
    first, last = int(indices.min()), int(indices.max())
    matrix = np.zeros((count, last - first + 1))
    np.add.at(matrix, (np.arange(count)[:, np.newaxis], indices - first), weights)
    return first, matrix


def _finite(window: NDArray[np.float32]) -> NDArray[np.float64]:
    values = window.astype(np.float64)
    finite = np.isfinite(values)
    if finite.all():
        return values
    return np.where(finite, values, values[finite].min() if finite.any() else 0.0)


def _scaled(grid: NDArray[np.float64], spec: Preprocessing) -> NDArray[np.float32]:
    """Map the percentile window to 0 to 1; a flat region has none and is zero."""
    lower, upper = np.percentile(grid, (spec.lower_percentile, spec.upper_percentile))
    # Resampling a constant leaves rounding noise, which must not become contrast.
    if upper - lower <= 1e-9 * max(abs(lower), abs(upper)):
        return np.zeros(grid.shape, np.float32)
    scaled: NDArray[np.float32] = np.clip(
        (grid - lower) / (upper - lower), 0, 1
    ).astype(np.float32)
    return scaled
