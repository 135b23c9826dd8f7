"""Regions against an independent resampling, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from grading.grades import Region, RegionOrigin
from grading.preprocess import Preprocessing, crop, default_region, sampling_weights

SPEC = Preprocessing(region_size_mm=24.0, grid_pixels=32)


def textured(rows: int = 90, columns: int = 70, seed: int = 0) -> NDArray[np.float32]:
    """A slice with structure at every scale."""
    rng = np.random.default_rng(seed)
    return rng.normal(500, 100, (rows, columns)).astype(np.float32)


def scaled(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percentile scaling, written out again."""
    lower, upper = np.percentile(grid, (1, 99))
    between: NDArray[np.float64] = np.clip((grid - lower) / (upper - lower), 0, 1)
    return between


def region_at(row: float, column: float) -> Region:
    return Region(row=row, column=column, size_mm=24.0, origin=RegionOrigin.LANDMARKS)


def test_a_finer_grid_than_the_image_is_bilinear_interpolation() -> None:
    pixels = textured()
    region = region_at(41.3, 33.8)
    spacing_mm = (1.1, 0.8)

    found = crop(pixels, spacing_mm, region, SPEC)

    steps_mm = (np.arange(32) - 15.5) * 24.0 / 32
    rows = 41.3 + steps_mm / spacing_mm[0]
    columns = 33.8 + steps_mm / spacing_mm[1]
    at = np.meshgrid(rows, columns, indexing="ij")
    expected = map_coordinates(pixels.astype(float), at, order=1, mode="nearest")
    assert found.shape == (1, 32, 32)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0], scaled(expected), atol=1e-5)


def test_a_coarser_grid_averages_over_a_triangle_as_wide_as_its_pixels() -> None:
    pixels = textured(400, 400)
    region = region_at(199.2, 201.7)

    found = crop(pixels, (0.25, 0.25), region, SPEC)

    reach = 0.75 / 0.25
    expected = np.zeros((32, 32))
    for i in range(32):
        for j in range(32):
            row = 199.2 + (i - 15.5) * reach
            column = 201.7 + (j - 15.5) * reach
            down = np.maximum(0, 1 - np.abs(np.arange(400) - row) / reach)
            across = np.maximum(0, 1 - np.abs(np.arange(400) - column) / reach)
            weights = np.outer(down, across)
            expected[i, j] = (weights * pixels).sum() / weights.sum()
    np.testing.assert_allclose(found[0], scaled(expected), atol=1e-5)


def test_a_disc_stays_round_where_pixels_are_not_square() -> None:
    rows, columns = np.mgrid[0:60, 0:120]
    y_mm, x_mm = (rows - 29.5) * 1.0, (columns - 59.5) * 0.5
    disc = (np.hypot(x_mm, y_mm) < 8).astype(np.float32)

    found = crop(disc, (1.0, 0.5), default_region(60, 120, SPEC), SPEC)[0].numpy()

    assert abs(found.sum(axis=0).max() - found.sum(axis=1).max()) < 1.0
    assert found.sum() * 0.75**2 == pytest.approx(np.pi * 64, rel=0.03)


def test_outside_the_image_the_edge_continues() -> None:
    pixels = np.tile(np.arange(20, dtype=np.float32), (20, 1))

    found = crop(pixels, (1.0, 1.0), region_at(9.5, 0.0), SPEC)[0]

    assert (found[:, :15] == found[:, :1]).all()
    assert (found[:, 31] > found[:, 20]).all()


@pytest.mark.parametrize("centre", [(-500.0, 10.0), (10.0, 9000.0)])
def test_a_region_that_misses_the_image_is_finite(centre: tuple[float, float]) -> None:
    found = crop(textured(), (1.0, 1.0), region_at(*centre), SPEC)

    assert torch.isfinite(found).all()


@settings(max_examples=30, deadline=None)
@given(slope=st.floats(0.01, 50), intercept=st.floats(-3000, 3000))
def test_slope_and_intercept_of_the_stored_values_cancel_out(
    slope: float, intercept: float
) -> None:
    pixels = textured(40, 40)
    region = default_region(40, 40, SPEC)
    rescaled = (pixels.astype(np.float64) * slope + intercept).astype(np.float32)

    plain = crop(pixels, (0.8, 0.8), region, SPEC)
    changed = crop(rescaled, (0.8, 0.8), region, SPEC)

    np.testing.assert_allclose(plain, changed, atol=2e-3)


@pytest.mark.parametrize("value", [0.0, -7.3, 4095.0])
def test_a_flat_image_becomes_zero_and_not_nan(value: float) -> None:
    flat = np.full((40, 40), value, np.float32)

    found = crop(flat, (0.7, 0.7), default_region(40, 40, SPEC), SPEC)

    assert (found == 0).all()


def test_pixels_that_are_not_finite_count_as_the_darkest() -> None:
    pixels = textured(40, 40)
    darkest = pixels.copy()
    pixels[18:22, 18:22] = np.nan
    darkest[18:22, 18:22] = np.delete(pixels.ravel(), np.isnan(pixels).ravel()).min()

    found = crop(pixels, (0.7, 0.7), region_at(19.5, 19.5), SPEC)

    assert torch.isfinite(found).all()
    expected = crop(darkest, (0.7, 0.7), region_at(19.5, 19.5), SPEC)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_an_image_of_nothing_but_nan_becomes_zero() -> None:
    pixels = np.full((30, 30), np.nan, np.float32)

    found = crop(pixels, (1.0, 1.0), default_region(30, 30, SPEC), SPEC)

    assert (found == 0).all()


def test_the_default_region_is_the_image_centre_and_not_located() -> None:
    region = default_region(320, 256, SPEC)

    assert region == Region(
        row=159.5, column=127.5, size_mm=24.0, origin=RegionOrigin.CENTRE
    )


@pytest.mark.parametrize("shape", [(0, 5), (5,), (2, 5, 5)])
def test_what_is_no_slice_is_refused(shape: tuple[int, ...]) -> None:
    pixels = np.zeros(shape, np.float32)

    with pytest.raises(ValueError, match="slice is"):
        crop(pixels, (1.0, 1.0), region_at(0, 0), SPEC)


@pytest.mark.parametrize("spacing", [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_a_spacing_that_is_not_positive_is_refused(
    spacing: tuple[float, float],
) -> None:
    with pytest.raises(ValueError, match="pixel spacing"):
        crop(textured(), spacing, region_at(5, 5), SPEC)


@pytest.mark.parametrize(
    ("size_mm", "grid", "lower", "upper"),
    [(0, 32, 1, 99), (24, 0, 1, 99), (24, 32, 99, 1), (24, 32, -1, 99)],
)
def test_an_impossible_specification_is_refused(
    size_mm: float, grid: int, lower: float, upper: float
) -> None:
    with pytest.raises(ValueError, match=r"positive|increasing"):
        Preprocessing(size_mm, grid, lower, upper)


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 60),
    centre=st.floats(-80, 140),
    pitch=st.floats(0.05, 9),
    count=st.integers(1, 40),
)
def test_every_sample_is_a_weighted_mean_of_real_pixels(
    length: int, centre: float, pitch: float, count: int
) -> None:
    first, weights = sampling_weights(length, centre, pitch, count)

    assert first >= 0
    assert first + weights.shape[1] <= length
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
