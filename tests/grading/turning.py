"""The same images stored another way round, as a console or a viewer may store them."""

from __future__ import annotations

import copy

import numpy as np
from pydicom import Dataset


def turned(
    ds: Dataset, *, mirrored: bool = False, upside_down: bool = False
) -> Dataset:
    """Return an image with other pixels first, and the geometry that says so."""
    other = copy.deepcopy(ds)
    rows, columns = int(ds.Rows), int(ds.Columns)
    pixels = np.frombuffer(ds.PixelData, np.uint16).reshape(rows, columns)
    cosines = np.array(ds.ImageOrientationPatient, float)
    position = np.array(ds.ImagePositionPatient, float)
    between_rows, between_columns = (float(mm) for mm in ds.PixelSpacing)
    if mirrored:
        pixels = pixels[:, ::-1]
        position += cosines[:3] * between_columns * (columns - 1)
        cosines[:3] *= -1
    if upside_down:
        pixels = pixels[::-1]
        position += cosines[3:] * between_rows * (rows - 1)
        cosines[3:] *= -1
    other.PixelData = pixels.tobytes()
    other["PixelData"].VR = "OW"
    other.ImagePositionPatient = position.tolist()
    other.ImageOrientationPatient = cosines.tolist()
    return other
