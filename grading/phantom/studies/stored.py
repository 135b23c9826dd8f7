"""Grey values as a scanner lays them into bits, and how they shall be shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.phantom.studies.drawn import DrawnSeries
from grading.phantom.studies.vendors import Manner, Storage

RESCALE_SLOPE = 2.5
"""Of manners that write one; any value but 1 shows who forgets to apply it."""
SAMPLED = 4
"""Every so many pixels suffice for a window."""
SHOWN_PERCENT = (1.0, 99.5)

Stored = NDArray[np.integer]
"""Of 16 bits, little-endian."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the drawn values of one series become stored ones, and how they show."""

    storage: Storage
    divisor: int
    """So that the brightest value fits; the same for every image of a series."""
    slope: float
    """What stored values are multiplied by before the window (PS3.3 C.11.1)."""
    window: tuple[int, int]
    """Centre and width."""

    def stored(self, pixels: NDArray[np.float32]) -> Stored:
        """Return (rows, columns) as stored."""
        values = np.floor(pixels / self.divisor) + self.storage.shift
        return values.astype("<i2" if self.storage.signed else "<u2")


def scale_of(series: DrawnSeries, manner: Manner) -> Scale:
    """Find the scale that holds every image of a series."""
    storage = manner.storage
    slope = RESCALE_SLOPE if "RescaleSlope" in manner.writes else 1.0
    brightest = max(float(image.pixels.max()) for image in series.images)
    divisor = max(1, int(np.ceil(brightest / storage.largest)))
    sample = np.concatenate(
        [image.pixels[::SAMPLED, ::SAMPLED].ravel() for image in series.images]
    )
    shown = slope * (sample / divisor + storage.shift)
    low, high = (float(value) for value in np.percentile(shown, SHOWN_PERCENT))
    window = round((low + high) / 2), max(2, round(high - low))
    return Scale(storage, divisor, slope, window)
