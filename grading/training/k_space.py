"""What an MR scanner does to an image in k-space, as one factor per frequency.

Resolution is how far out k-space is measured; edges ring where it ends. A blur and its
opposite weight it, and what moves between two of its lines comes back as a ghost.
"""

from __future__ import annotations

import math

import torch

from grading.training.augmentation import Augmentation


def changes_k_space(how: Augmentation) -> bool:
    """Return True where anything is to be changed there."""
    return bool(how.resolution or how.blur_pixels or how.sharpen or how.ghost)


def scanned_again(images: torch.Tensor, how: Augmentation) -> torch.Tensor:
    """Scan each image worse or sharper than it was, by chance.

    Parameters
    ----------
    images
        (images, 1, rows, columns) float32.
    """
    count, device = len(images), images.device
    rows, columns = images.shape[-2:]
    # Cycles per pixel, at most 0.5 either way.
    along = torch.fft.fftfreq(rows, device=device).view(1, 1, rows, 1)
    across = torch.fft.rfftfreq(columns, device=device).view(1, 1, 1, -1)

    def uniform(high: float) -> torch.Tensor:
        return torch.rand(count, 1, 1, 1, device=device) * high

    factor = _measured(along, uniform(how.resolution)) * _measured(
        across, uniform(how.resolution)
    )
    radius = along**2 + across**2
    factor = factor * _gaussian(radius, uniform(how.blur_pixels))
    factor = factor * (1 + uniform(how.sharpen) * (1 - _gaussian(radius, 1.0)))
    if how.ghost:
        upright = torch.rand(count, 1, 1, 1, device=device) < 0.5
        frequency = torch.where(upright, along, across)
        length = torch.where(upright, rows, columns)
        shift_pixels = (0.15 + uniform(0.35)) * length
        ghost = uniform(how.ghost) * torch.cos(2 * math.pi * frequency * shift_pixels)
        # The mean stays: a ghost takes from the image what it shows elsewhere.
        factor = factor * (1 + ghost) / (1 + ghost[:, :, :1, :1])
    spectrum = torch.fft.rfft2(images) * factor
    back: torch.Tensor = torch.fft.irfft2(spectrum, s=(rows, columns))
    return back


def _measured(frequency: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Return 1 where k-space is measured, 0 beyond."""
    return (frequency.abs() <= 0.5 * (1 - lost)).float()


def _gaussian(radius: torch.Tensor, width_pixels: torch.Tensor | float) -> torch.Tensor:
    """Return what a Gaussian blur leaves of each frequency.

    Parameters
    ----------
    radius
        Squared frequency.
    """
    return torch.exp(-2 * (math.pi * width_pixels) ** 2 * radius)
