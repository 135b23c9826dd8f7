"""Turn painted tissue into what a scanner stores: coil, k-space, noise, scaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grading.phantom.ranges import Acquisition
from grading.phantom.raster import CANAL_CENTRE_MM, Canvas, Image

COIL_FALL_OFF_MM = 80.0
"""Distance over which a posterior surface coil loses all but 1/e."""
COARSEST_PIXEL_MM = 0.8
"""Interpolation hides no coarser acquisition than this along the frequency axis."""
GHOST = (0.02, 0.08)
MOTION_PIXELS = (0.6, 1.2)
SHIFT_PIXELS = (1, 2)


def acquire(
    canvas: Canvas, acquisition: Acquisition, rng: np.random.Generator
) -> Image:
    """Return stored values, (rows, columns) float32, whole numbers from 0.

    Noise is complex and added before interpolation, so the magnitude is Rician.
    """
    image = _with_chemical_shift(canvas, acquisition, rng)
    image = image * _coil(canvas, acquisition, rng)
    image = through_k_space(image, canvas.grid.spacing_mm, acquisition, rng)
    image = image / np.quantile(image, 0.995)
    image = np.clip(image, 0, 1.6) ** np.float32(rng.uniform(*acquisition.gamma))
    largest = float(rng.uniform(*acquisition.largest_value))
    stored: Image = np.round(np.clip(image * largest, 0, 4095)).astype(np.float32)
    return stored


def _with_chemical_shift(
    canvas: Canvas, acquisition: Acquisition, rng: np.random.Generator
) -> Image:
    fat = canvas.fat
    if rng.random() < acquisition.chemical_shift_probability:
        pixels = int(rng.integers(SHIFT_PIXELS[0], SHIFT_PIXELS[1] + 1))
        fat = np.roll(fat, pixels * int(rng.choice((-1, 1))), int(rng.integers(2)))
    return canvas.water + fat


def _coil(canvas: Canvas, acquisition: Acquisition, rng: np.random.Generator) -> Image:
    """Return a sensitivity that falls towards the front and varies as a cubic."""
    grid = canvas.grid
    reach = grid.x_mm.shape[0] * grid.spacing_mm / 2
    x, y = grid.x_mm / reach, grid.y_mm / reach
    amplitude = float(rng.uniform(*acquisition.bias))
    a, b, c, d, e = rng.uniform(-1, 1, 5).astype(np.float32)
    cubic = a * x + b * x * y + c * x * x + d * y * y * y + e * x * x * x
    coil: Image = np.exp(
        (grid.y_mm - np.float32(CANAL_CENTRE_MM)) / np.float32(COIL_FALL_OFF_MM)
        + np.float32(amplitude) * cubic
    )
    return coil


def through_k_space(
    image: Image, spacing_mm: float, acquisition: Acquisition, rng: np.random.Generator
) -> Image:
    """Crop k-space, add noise and ghosts in it, and take the magnitude."""
    n = image.shape[0]
    coarsest = max(1.0, COARSEST_PIXEL_MM / spacing_mm)
    factor = min(float(rng.uniform(*acquisition.interpolation)), coarsest)
    frequency_axis = int(rng.integers(2))
    keep = [1 / factor, 1 / factor]
    keep[1 - frequency_axis] *= float(rng.uniform(*acquisition.phase_share))
    masks = [np.abs(np.fft.fftfreq(n)) <= share / 2 for share in keep]
    spectrum = np.fft.fft2(image)
    spectrum *= _smear(n, 1 - frequency_axis, acquisition, rng)
    # Tissue values are relative to fluid, and the coil's are 1 at the canal.
    scale = float(rng.uniform(*acquisition.noise))
    kept = masks[0][:, np.newaxis] & masks[1][np.newaxis, :]
    # Of the noise that the transform spreads over n x n pixels, the kept share
    # remains; so much more goes in that the acquired pixel has the noise drawn.
    spread = scale * n / np.sqrt(kept.mean())
    spectrum = spectrum + spread * _complex_noise(n, rng)
    return np.abs(np.fft.ifft2(np.where(kept, spectrum, 0))).astype(np.float32)


def _complex_noise(n: int, rng: np.random.Generator) -> NDArray[np.complexfloating]:
    parts = rng.standard_normal((2, n, n), dtype=np.float32)
    noise: NDArray[np.complexfloating] = parts[0] + 1j * parts[1]
    return noise


def _smear(
    n: int, phase_axis: int, acquisition: Acquisition, rng: np.random.Generator
) -> NDArray[np.complexfloating]:
    """Return what pulsation and motion multiply the spectrum by."""
    frequency = np.fft.fftfreq(n)
    factor = np.ones(n, np.complex128)
    if rng.random() < acquisition.ghost_probability:
        # A copy shifted along the phase axis is a phase ramp in k-space.
        pixels = float(rng.uniform(0.1, 0.5)) * n
        factor += float(rng.uniform(*GHOST)) * np.exp(-2j * np.pi * frequency * pixels)
    if rng.random() < acquisition.motion_probability:
        pixels = float(rng.uniform(*MOTION_PIXELS))
        factor *= np.exp(-2 * (np.pi * pixels * frequency) ** 2)
    return factor[:, np.newaxis] if phase_axis == 0 else factor[np.newaxis, :]
