"""Random changes of intensities that landmark and grading networks learn through.

All work on (images, 1, rows, columns) float32 between 0 and 1, each image by itself,
and draw nothing: whoever calls brings the random numbers, on the images' device.
"""

from __future__ import annotations

import torch
from torch.nn import functional

FLAT = 1e-5
"""A window narrower than this, over its values, is none."""


def curves_of(steps: torch.Tensor) -> torch.Tensor:
    """Return (images, steps + 1): a curve's values at even intensities, 0 to 1.

    Parameters
    ----------
    steps
        (images, steps): how far each curve rises from one value to the next.
    """
    curves = functional.pad(steps.cumsum(dim=1), (1, 0))
    low = curves.amin(dim=1, keepdim=True)
    return (curves - low) / (curves.amax(dim=1, keepdim=True) - low).clamp(min=1e-3)


def through(images: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """Map intensities through one curve per image, straight between its values."""
    knots = curves.shape[1] - 1
    at = images.clamp(0, 1) * knots
    low = at.floor().clamp(max=knots - 1)
    flat = low.long().flatten(1)
    below = curves.gather(1, flat).view_as(images)
    above = curves.gather(1, flat + 1).view_as(images)
    return below + (above - below) * (at - low)


def shaded(images: torch.Tensor, knots: torch.Tensor) -> torch.Tensor:
    """Multiply by the exponential of a smooth field, as the nearness of a coil does.

    Parameters
    ----------
    knots
        (images, 1, knots, knots): the field's exponents on an even grid.
    """
    field = functional.interpolate(
        knots, images.shape[-2:], mode="bicubic", align_corners=True
    )
    return images * torch.exp(field)


def rescaled(images: torch.Tensor, lower: float, upper: float) -> torch.Tensor:
    """Scale each image between two percentiles, as the service does; flat ones to 0."""
    pixels = images.flatten(1)
    low, high = (
        pixels.kthvalue(max(1, round(percentile / 100 * pixels.shape[1])), dim=1).values
        for percentile in (lower, upper)
    )
    low, high = low.view(-1, 1, 1, 1), high.view(-1, 1, 1, 1)
    window = high - low
    # What is flat holds float32's rounding, which must not become contrast.
    flat = window <= FLAT * torch.maximum(low.abs(), high.abs())
    scaled = ((images - low) / window.clamp(min=1e-6)).clamp(0, 1)
    return torch.where(flat, torch.zeros_like(scaled), scaled)


def blotted(
    images: torch.Tensor,
    centre: torch.Tensor,
    half_side: torch.Tensor,
    value: torch.Tensor,
) -> torch.Tensor:
    """Fill a square of each image.

    Parameters
    ----------
    centre, half_side
        (images, 2) and (images, 1), over the image's side; 0 leaves an image alone.
    value
        (images, 1, 1, 1).
    """
    rows, columns = (
        ((_places(length, images.device) - centre[:, [axis]]).abs() < half_side)
        for axis, length in enumerate(images.shape[-2:])
    )
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return torch.where(inside, value, images)


def _places(length: int, device: torch.device) -> torch.Tensor:
    """Return (1, length): the middle of each pixel over the side."""
    return ((torch.arange(length, device=device) + 0.5) / length)[None]
