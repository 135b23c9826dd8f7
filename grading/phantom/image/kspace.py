"""What happens to an image in k-space: resolution, ringing, ghosts, shift, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]
"""Of one axis, in cycles per pixel."""
Line = NDArray[np.floating] | NDArray[np.complexfloating]
"""What each frequency of an axis is multiplied by."""
Spectrum = NDArray[np.complex64]

HANN_FLOOR = 0.15
"""What an apodised spectrum keeps at its rim."""


def frequencies(count: int, *, half: bool = False) -> Frequencies:
    """Return the frequencies of an axis in cycles per pixel; half for real images."""
    return np.asarray(np.fft.rfftfreq(count) if half else np.fft.fftfreq(count))


def band(
    frequency: Frequencies, share: float, *, apodised: bool
) -> NDArray[np.float32]:
    """Return what remains where only a central share of k-space is acquired."""
    inside = np.abs(frequency) <= share / 2
    if not apodised:
        return inside.astype(np.float32)
    hann = np.cos(np.pi * frequency / share) ** 2
    return np.where(inside, HANN_FLOOR + (1 - HANN_FLOOR) * hann, 0).astype(np.float32)


def shift(frequency: Frequencies, pixels: float) -> Line:
    """Return the ramp that moves an image along an axis."""
    return np.asarray(np.exp(-2j * np.pi * frequency * pixels))


def blur(frequency: Frequencies, pixels: float) -> Line:
    """Return what a Gaussian of so many pixels' deviation leaves."""
    return np.asarray(np.exp(-2 * (np.pi * pixels * frequency) ** 2))


def along(line: Line, axis: int) -> Spectrum:
    """Return factors in the shape in which they multiply along rows or columns."""
    factors = np.asarray(line, np.complex64)
    return factors[:, np.newaxis] if axis == 0 else factors[np.newaxis, :]


def band_noise(
    shape: tuple[int, int],
    by_row: NDArray[np.float32],
    by_column: NDArray[np.float32],
    deviation: float,
    rng: np.random.Generator,
) -> Spectrum:
    """Return complex noise of the acquired band, (rows, columns).

    Parameters
    ----------
    by_row, by_column
        What each frequency is multiplied by, 0 where nothing was acquired.
    deviation
        Of the real part of a pixel, were the band not apodised.
    """
    rows, columns = np.flatnonzero(by_row), np.flatnonzero(by_column)
    drawn = rng.standard_normal((len(rows), len(columns), 2), dtype=np.float32)
    acquired = drawn.view(np.complex64)[..., 0]
    acquired *= by_row[rows, np.newaxis] * by_column[columns]
    spectrum = np.zeros(shape, np.complex64)
    spectrum[np.ix_(rows, columns)] = acquired
    pixels = shape[0] * shape[1]
    scale = deviation * pixels / np.sqrt(max(1, acquired.size))
    return np.asarray(np.fft.ifft2(spectrum) * np.float32(scale), np.complex64)
