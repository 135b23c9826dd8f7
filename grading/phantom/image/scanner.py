"""Turn what a slice holds into what a scanner stores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grading.phantom.image import kspace
from grading.phantom.image.canvas import Exposure
from grading.phantom.image.lattice import Field
from grading.phantom.image.scan import TWELVE_BITS, Scan, Trim
from grading.phantom.image.shading import saturation, sensitivity
from grading.phantom.image.view import View

BRIGHTEST_MM = 55.0
"""Behind the canal lies the fat nearest the coil."""
BRIGHTEST = 1.05
"""Of tissues, over the reference; a choice."""
LIMIT = 1.6
"""Over the brightest expected; more is clipped before the lookup."""


def acquire(
    exposure: Exposure, view: View, scan: Scan, rng: np.random.Generator
) -> Field:
    """Return stored values, (rows, columns) float32, whole numbers from 0."""
    coil = sensitivity(scan.coil, view)
    lit = coil * saturation(scan, view)
    image = through_k_space(
        Exposure(exposure.water * lit, exposure.fat * lit, exposure.flowing * lit),
        scan,
        rng,
    )
    if scan.coil.evened:
        image /= coil ** np.float32(scan.coil.evened)
    return _stored(image, scan)


def through_k_space(exposure: Exposure, scan: Scan, rng: np.random.Generator) -> Field:
    """Return the magnitude of what was acquired.

    Noise is complex and belongs to the acquired part of k-space, so the magnitude
    is Rician and the noise is as coarse as the acquisition.
    """
    rows, columns = exposure.water.shape
    axes = (kspace.frequencies(rows), kspace.frequencies(columns, half=True))
    spectrum = _spectrum(exposure, scan, axes)
    for axis, frequency in enumerate(axes):
        transfer = _band(scan, axis, frequency) * _smear(scan, axis, frequency)
        spectrum *= kspace.along(transfer, axis)
    image = np.asarray(np.fft.irfft2(spectrum, (rows, columns)), np.float32)
    if scan.noise == 0:
        return np.abs(image)
    bands = (
        _band(scan, 0, kspace.frequencies(rows)),
        _band(scan, 1, kspace.frequencies(columns)),
    )
    noise = kspace.band_noise((rows, columns), *bands, scan.noise, rng)
    return np.asarray(np.hypot(image + noise.real, noise.imag))


def _spectrum(
    exposure: Exposure, scan: Scan, axes: tuple[kspace.Frequencies, kspace.Frequencies]
) -> kspace.Spectrum:
    """Return the spectrum of all signal, fat shifted, fluid in all its places."""
    phase_axis = _phase_axis(scan)
    spectrum = np.asarray(np.fft.rfft2(exposure.water), np.complex64)
    ramp = kspace.shift(axes[1 - phase_axis], scan.fat_shift_pixels)
    spectrum += np.fft.rfft2(exposure.fat) * kspace.along(ramp, 1 - phase_axis)
    if scan.pulsation:
        pixels = scan.ghost_share * exposure.water.shape[phase_axis]
        phase = axes[phase_axis]
        copies = kspace.shift(phase, pixels) + kspace.shift(phase, -pixels)
        spectrum += np.fft.rfft2(exposure.flowing) * kspace.along(
            scan.pulsation * copies, phase_axis
        )
    return spectrum


def _band(scan: Scan, axis: int, frequency: kspace.Frequencies) -> NDArray[np.float32]:
    """Return what was acquired along an axis."""
    phase = axis == _phase_axis(scan)
    share = scan.phase_share if phase else scan.frequency_share
    return kspace.band(frequency, share, apodised=scan.apodised)


def _smear(scan: Scan, axis: int, frequency: kspace.Frequencies) -> kspace.Line:
    """Return what blur, motion and ghosts do along an axis."""
    smear = kspace.blur(frequency, scan.blur_pixels)
    if axis == _phase_axis(scan):
        smear = smear * kspace.blur(frequency, scan.motion_pixels)
        if scan.ghost:
            # The lowest frequency is one cycle over the whole side.
            pixels = scan.ghost_share / float(frequency[1])
            smear = smear * (1 + scan.ghost * kspace.shift(frequency, pixels))
    return smear


def _phase_axis(scan: Scan) -> int:
    return 1 if scan.phase_along_rows else 0


def _stored(image: Field, scan: Scan) -> Field:
    """Return whole numbers, scaled alike for all slices of a series."""
    fall_off = np.exp(BRIGHTEST_MM / scan.coil.reach_mm * (1 - scan.coil.evened))
    shares = np.clip(image / np.float32(BRIGHTEST * fall_off), 0, LIMIT)
    values = shares ** np.float32(scan.gamma) * np.float32(scan.largest_value)
    stored: Field = np.round(np.clip(values, 0, TWELVE_BITS)).astype(np.float32)
    if scan.trim is not None:
        stored[_trimmed(scan.trim, *stored.shape)] = 0
    return stored


def _trimmed(trim: Trim, rows: int, columns: int) -> NDArray[np.bool_]:
    """Return which pixels lie on the black rims."""
    row = np.arange(rows)[:, np.newaxis] / rows
    column = np.arange(columns)[np.newaxis, :] / columns
    top, bottom, left, right = trim.shares
    across = row + trim.slope * (column - 0.5)
    along = column - trim.slope * (row - 0.5)
    inside = (across > top) & (across < 1 - bottom) & (along > left)
    outside: NDArray[np.bool_] = ~(inside & (along < 1 - right))
    return outside
