"""Paint shapes onto a pixel grid, each pixel by the share that a shape covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.phantom.ranges import (
    OFF_CENTRE_DEVIATION_MM,
    OFF_CENTRE_LIMIT_MM,
    POSE_ROTATION_DEG,
    WARP_MM,
)
from grading.phantom.shapes import Shape
from grading.preprocess import sampling_weights

Image = NDArray[np.float32]

CANAL_CENTRE_MM = 7.0
"""Behind the disc margin: what a technologist centres on."""
WARP_LENGTH_MM = (45.0, 90.0)
"""Far longer than the canal's structures, so that their relations survive."""
BOX_MARGIN_MM = 3.0
"""Covers the warp and half a pixel around a shape's box."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each pixel lies in the frame of the anatomy."""

    x_mm: Image
    """(rows, columns), warped."""
    y_mm: Image
    spacing_mm: float
    centre: tuple[float, float]
    """Row and column of the frame's origin."""
    rotation_deg: float

    def window(self, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Return the rows and columns that a box of the frame can touch."""
        left, right, front, back = box
        corners_x = np.array([left, right, right, left])
        corners_y = np.array([front, front, back, back])
        angle = np.deg2rad(self.rotation_deg)
        columns = np.cos(angle) * corners_x - np.sin(angle) * corners_y
        rows = np.sin(angle) * corners_x + np.cos(angle) * corners_y
        return (
            self._range(rows, self.centre[0], self.x_mm.shape[0]),
            self._range(columns, self.centre[1], self.x_mm.shape[1]),
        )

    def _range(self, offsets_mm: NDArray[np.float64], origin: float, n: int) -> slice:
        low = origin + (offsets_mm.min() - BOX_MARGIN_MM) / self.spacing_mm
        high = origin + (offsets_mm.max() + BOX_MARGIN_MM) / self.spacing_mm
        first = int(np.clip(low, 0, n))
        return slice(first, int(np.clip(high + 1, first, n)))


def draw_grid(matrix: int, spacing_mm: float, rng: np.random.Generator) -> Grid:
    """Place a square image on the canal: off centre, rotated, gently warped."""
    rotation_deg = float(rng.uniform(*POSE_ROTATION_DEG))
    angle = np.deg2rad(rotation_deg)
    off_mm = np.clip(
        rng.normal(0, OFF_CENTRE_DEVIATION_MM, 2),
        -OFF_CENTRE_LIMIT_MM,
        OFF_CENTRE_LIMIT_MM,
    )
    steps = ((np.arange(matrix) - (matrix - 1) / 2) * spacing_mm).astype(np.float32)
    across, down = steps[np.newaxis, :], steps[:, np.newaxis]
    x = np.cos(angle) * across + np.sin(angle) * down + np.float32(off_mm[0])
    y = np.cos(angle) * down - np.sin(angle) * across
    y = y + np.float32(CANAL_CENTRE_MM + off_mm[1])
    x, y = x.astype(np.float32), y.astype(np.float32)
    origin_x, origin_y = -off_mm[0], -(CANAL_CENTRE_MM + off_mm[1])
    column = np.cos(angle) * origin_x - np.sin(angle) * origin_y
    row = np.sin(angle) * origin_x + np.cos(angle) * origin_y
    half = (matrix - 1) / 2
    return Grid(
        x_mm=x + _wave(x, y, rng),
        y_mm=y + _wave(x, y, rng),
        spacing_mm=spacing_mm,
        centre=(float(half + row / spacing_mm), float(half + column / spacing_mm)),
        rotation_deg=rotation_deg,
    )


def _wave(x: Image, y: Image, rng: np.random.Generator) -> Image:
    """Return one component of the warp: a plane wave in a random direction."""
    heading = float(rng.uniform(0, 2 * np.pi))
    rate = 2 * np.pi / float(rng.uniform(*WARP_LENGTH_MM))
    phase = float(rng.uniform(0, 2 * np.pi))
    along = (
        np.float32(rate * np.cos(heading)) * x + np.float32(rate * np.sin(heading)) * y
    )
    wave: Image = np.float32(rng.uniform(*WARP_MM)) * np.sin(along + np.float32(phase))
    return wave


def smooth_noise(
    shape: tuple[int, ...], grain_pixels: float, rng: np.random.Generator
) -> Image:
    """Return noise of unit variance whose grain is about so many pixels wide."""
    grain = max(1.0, grain_pixels)
    rows, columns = shape
    coarse = rng.standard_normal(
        [int(np.ceil(length / grain)) + 2 for length in shape], dtype=np.float32
    )
    if grain <= 1.0:
        return coarse[:rows, :columns]
    noise = enlarge_axis(enlarge_axis(coarse, grain, rows).T, grain, columns).T
    noise /= noise.std()
    return noise


def enlarge_axis(coarse: Image, factor: float, count: int) -> Image:
    """Interpolate the first axis linearly to ``count`` rows around its middle."""
    first, weights = sampling_weights(
        len(coarse), (len(coarse) - 1) / 2, 1 / factor, count
    )
    return weights.astype(np.float32) @ coarse[first : first + weights.shape[1]]


class Canvas:
    """An image that grows shape by shape, fat apart from water.

    Fat is kept apart because chemical shift moves it alone.
    """

    def __init__(self, grid: Grid, texture: Image, edge_mm: float) -> None:
        """Start black.

        Parameters
        ----------
        texture
            (rows, columns), relative: what every tissue's value varies by.
        edge_mm
            Width over which a shape fades into the next: a pixel, and more where
            the slice is thick.
        """
        self.grid = grid
        self.water: Image = np.zeros_like(grid.x_mm)
        self.fat: Image = np.zeros_like(grid.x_mm)
        self._texture = texture
        self._edge_mm = np.float32(edge_mm)

    def paint(self, shape: Shape, value: float, *, fat: bool = False) -> None:
        """Lay a tissue over what is there."""
        box = shape.box()
        window = self.grid.window(box) if np.isfinite(box[0]) else np.s_[:, :]
        x, y = self.grid.x_mm[window], self.grid.y_mm[window]
        if not x.size:
            return
        inside = np.float32(0.5) - shape.distance(x, y) / self._edge_mm
        cover = np.clip(inside, 0, 1).astype(np.float32)
        self.blend(window, cover, value, fat=fat)

    def blend(
        self, window: tuple[slice, slice], cover: Image, value: float, *, fat: bool
    ) -> None:
        """Lay a tissue over a window by its share of each pixel."""
        keep = 1 - cover
        self.water[window] *= keep
        self.fat[window] *= keep
        layer = self.fat if fat else self.water
        layer[window] += cover * np.float32(value) * self._texture[window]
