"""Random changes of a batch of network input that leave its grades alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from grading.preprocess import FINER, Preprocessing
from grading.training.augmentation import Augmentation
from grading.training.intensities import blotted, curves_of, rescaled, shaded, through
from grading.training.k_space import changes_k_space, scanned_again

FIELD_KNOTS = 3
"""Of the smooth field that stands for a coil, along each side."""
CURVE_STEPS = 6
"""Of a random curve; what a step rises is drawn anew."""
WINDOW = (1.0, 99.0)
"""Percentiles that the service scales a region between."""
CUT_SIDE = (0.1, 0.3)
"""Of a patch that is blotted out, over the region's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """A changed batch."""

    slices: torch.Tensor
    """(slices, 1, grid, grid) float32, 0 to 1."""
    mirrored: torch.Tensor
    """(slices,) bool."""


def augment(batch: torch.Tensor, how: Augmentation, spec: Preprocessing) -> Augmented:
    """Rotate, scale, mirror, bend and disturb each slice on its own.

    Parameters
    ----------
    batch
        (slices, 1, side, side) float32: `grading.preprocess.surroundings`.
    """
    poses, mirrored = _poses(len(batch), how, batch.device)
    return Augmented(_disturbed(_cut_out(batch, poses, spec), how), mirrored)


def unchanged(batch: torch.Tensor, spec: Preprocessing) -> torch.Tensor:
    """Return the regions of a batch about as the service would cut them.

    Parameters
    ----------
    batch
        As for `augment`.

    Returns
    -------
    torch.Tensor
        (slices, 1, grid, grid) float32, 0 to 1.
    """
    upright = torch.eye(2, 3, device=batch.device).expand(len(batch), -1, -1)
    return _cut_out(batch, upright, spec)


def _cut_out(
    batch: torch.Tensor, poses: torch.Tensor, spec: Preprocessing
) -> torch.Tensor:
    """Sample the region on its grid, once, and scale it as the service does."""
    of_side = FINER * spec.grid_pixels / batch.shape[-1]
    regions = functional.grid_sample(
        batch,
        _places(poses * of_side, spec.grid_pixels),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return rescaled(regions, spec.lower_percentile, spec.upper_percentile)


def _places(poses: torch.Tensor, grid: int) -> torch.Tensor:
    """Return (slices, grid, grid, 2): where each pixel lies, -1 to 1 over the side.

    As `functional.affine_grid`, whose product of matrices mixed precision may round to
    eight bits.
    """
    along = (torch.arange(grid, device=poses.device) + 0.5) * (2 / grid) - 1
    x, y = along.view(1, 1, -1, 1), along.view(1, -1, 1, 1)
    by_x, by_y, offset = (poses[:, None, None, :, axis] for axis in range(3))
    return by_x * x + by_y * y + offset


def _disturbed(slices: torch.Tensor, how: Augmentation) -> torch.Tensor:
    """Change intensities in the order in which scanner and service would."""
    count, device = len(slices), slices.device
    if how.curves:
        steps = torch.rand(count, CURVE_STEPS, device=device)
        chosen = torch.rand(count, 1, 1, 1, device=device) < how.curves
        slices = torch.where(chosen, through(slices, curves_of(steps)), slices)
    slices = slices ** _uniform(count, *how.gamma, device)
    if changes_k_space(how):
        slices = scanned_again(slices, how)
    if how.coil:
        knots = torch.randn(count, 1, FIELD_KNOTS, FIELD_KNOTS, device=device)
        slices = shaded(slices, knots * _uniform(count, 0, how.coil, device))
        slices = rescaled(slices, *WINDOW)
    noise = torch.randn_like(slices) * _uniform(count, 0, how.noise, device)
    slices = (slices + noise).clamp(0, 1)
    return _cut(slices, how.cutout) if how.cutout else slices


def _cut(slices: torch.Tensor, probability: float) -> torch.Tensor:
    """Blot a patch out of some slices."""
    count, device = len(slices), slices.device
    half_side = _uniform(count, *CUT_SIDE, device).view(-1, 1) / 2
    chosen = torch.rand(count, 1, device=device) < probability
    return blotted(
        slices,
        torch.rand(count, 2, device=device),
        half_side * chosen,
        torch.rand(count, 1, 1, 1, device=device),
    )


def _poses(
    count: int, how: Augmentation, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (slices, 2, 3), rotation, scale and flip about the centre; who flips."""
    turn = torch.rand(count, device=device) * 2 - 1
    angle = turn * math.radians(how.rotation_deg)
    scale = torch.empty(count, device=device).uniform_(*how.scale)
    mirrored = (torch.rand(count, device=device) < 0.5) & how.flip
    sign = 1.0 - 2.0 * mirrored.float()
    poses = torch.zeros(count, 2, 3, device=device)
    poses[:, 0, 0] = sign * scale * torch.cos(angle)
    poses[:, 0, 1] = -sign * scale * torch.sin(angle)
    poses[:, 1, 0] = scale * torch.sin(angle)
    poses[:, 1, 1] = scale * torch.cos(angle)
    return poses, mirrored


def _uniform(count: int, low: float, high: float, device: torch.device) -> torch.Tensor:
    return torch.empty(count, 1, 1, 1, device=device).uniform_(low, high)
