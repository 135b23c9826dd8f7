"""One slice of the phantom from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from grading.phantom.draw import draw_anatomy
from grading.phantom.measure import Truth
from grading.phantom.paint import draw_tissues, paint_slice
from grading.phantom.prevalence import WantedGrades, draw_wanted
from grading.phantom.ranges import (
    ACQUISITIONS,
    SIGNALS,
    Acquisition,
    Domain,
    Prevalence,
)
from grading.phantom.raster import Canvas, draw_grid, smooth_noise
from grading.phantom.scanner import acquire

TEXTURE = (0.05, 0.10)
"""Relative deviation inside a tissue."""
TEXTURE_GRAIN_MM = (1.0, 2.0)
SLICE_BLUR = (1.0, 1.6)
"""Edge width over the pixel: a thick slice cuts structures that run obliquely."""


class Split(IntEnum):
    """What a slice is for; sets of one seed never share a slice."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True, slots=True)
class PhantomSlice:
    """An axial T2-weighted slice whose grades were measured on its geometry."""

    pixels: NDArray[np.float32]
    """(rows, columns), stored values: whole numbers from 0."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    truth: Truth


def draw_slice(
    seed: tuple[int, ...],
    *,
    domain: Domain = Domain.INTERNAL,
    prevalence: Prevalence = Prevalence.BALANCED,
    wanted: WantedGrades | None = None,
) -> PhantomSlice:
    """Draw one slice; the same arguments give the same bytes.

    Parameters
    ----------
    seed
        Such as (seed of the set, its `Split`, index of the slice).
    wanted
        The grades to show; drawn from the prevalence where None.

    Raises
    ------
    ValueError
        No anatomy can show the grades wanted.
    """
    rng = np.random.default_rng(seed)
    anatomy, truth = draw_anatomy(wanted or draw_wanted(prevalence, rng), rng)
    acquisition = ACQUISITIONS[domain]
    matrix, spacing_mm = _draw_matrix(acquisition, rng)
    grain = float(rng.uniform(*TEXTURE_GRAIN_MM)) / spacing_mm
    texture = 1 + np.float32(rng.uniform(*TEXTURE)) * smooth_noise(
        (matrix, matrix), grain, rng
    )
    grid = draw_grid(matrix, spacing_mm, rng)
    edge_mm = spacing_mm * float(rng.uniform(*SLICE_BLUR))
    canvas = Canvas(grid, texture, edge_mm)
    paint_slice(anatomy, draw_tissues(SIGNALS[domain], rng), canvas, rng)
    return PhantomSlice(
        pixels=acquire(canvas, acquisition, rng),
        spacing_mm=(spacing_mm, spacing_mm),
        truth=truth,
    )


def _draw_matrix(
    acquisition: Acquisition, rng: np.random.Generator
) -> tuple[int, float]:
    """Draw a matrix and a pixel whose field of view is one that scanners use."""
    matrix = int(rng.choice(acquisition.matrices, p=acquisition.matrix_shares))
    smallest = acquisition.field_of_view_mm[0] / matrix
    largest = acquisition.field_of_view_mm[1] / matrix
    return matrix, float(
        rng.uniform(
            max(smallest, acquisition.spacing_mm[0]),
            min(largest, acquisition.spacing_mm[1]),
        )
    )
