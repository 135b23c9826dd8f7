"""Noise that fills a patient, so that every series shows the same mottling."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Coordinate = NDArray[np.floating]

CELLS = 64
"""Along each side of the tile, which repeats; a power of two, so that wrapping is a
mask."""
SMOOTHINGS = 1


@dataclass(frozen=True, slots=True, eq=False)
class Grain:
    """A cube of noise of zero mean and unit variance, repeated without end."""

    tile: Field
    """(cells, cells, cells)."""

    def at(
        self,
        points: tuple[Coordinate, Coordinate, Coordinate],
        grain_mm: tuple[float, float, float],
        offset: float = 0.0,
    ) -> Field:
        """Return the noise at points, interpolated between cells.

        Parameters
        ----------
        points
            Three coordinates in mm, each of the same shape.
        grain_mm
            Width of a cell along each; the noise varies over about two.
        offset
            In cells: another offset gives, as good as, other noise.
        """
        cells, shares = zip(
            *(
                _split(value, width, offset)
                for value, width in zip(points, grain_mm, strict=True)
            ),
            strict=True,
        )
        flat = self.tile.reshape(-1)
        noise: Field = np.zeros(points[0].shape, np.float32)
        for corner in product((0, 1), repeat=3):
            index = np.zeros(points[0].shape, np.int32)
            weight = np.float32(1)
            for cell, share, step in zip(cells, shares, corner, strict=True):
                index = index * CELLS + ((cell + step) & (CELLS - 1))
                weight = weight * (share if step else 1 - share)
            noise += weight * flat[index]
        return noise


def _split(
    value: Coordinate, width_mm: float, offset: float
) -> tuple[NDArray[np.int32], Field]:
    """Return the cell that each coordinate lies in, and how far into it."""
    place = value / np.float32(width_mm) + np.float32(offset)
    cell = np.floor(place)
    return cell.astype(np.int32), (place - cell).astype(np.float32)


def draw_grain(rng: np.random.Generator) -> Grain:
    """Draw a tile."""
    tile: Field = rng.standard_normal((CELLS,) * 3, dtype=np.float32)
    for _ in range(SMOOTHINGS):
        for axis in range(3):
            both = np.roll(tile, 1, axis) + np.roll(tile, -1, axis)
            tile = np.asarray(tile / 2 + both / 4, np.float32)
    tile -= tile.mean()
    tile /= tile.std()
    return Grain(tile)
