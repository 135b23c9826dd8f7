"""Random changes of a batch of network input that leave its grades alone."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

GAMMA = (0.75, 1.35)
LARGEST_NOISE = 0.03
"""Standard deviation over the region's percentile window."""
SCALE = (0.94, 1.06)


def augment(batch: torch.Tensor, rotation_deg: float) -> torch.Tensor:
    """Rotate, scale, flip left-right, bend and disturb each slice on its own.

    Grades are of the worse side, so left and right may change places.

    Parameters
    ----------
    batch
        (slices, 1, grid, grid) float32, 0 to 1.
    rotation_deg
        Largest rotation to either side.
    """
    count = len(batch)
    turned = functional.grid_sample(
        batch,
        functional.affine_grid(
            _poses(count, rotation_deg), list(batch.shape), align_corners=False
        ),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    bent = turned.clamp(0, 1) ** _uniform(count, *GAMMA)
    noise = torch.randn_like(bent) * _uniform(count, 0, LARGEST_NOISE)
    return (bent + noise).clamp(0, 1)


def _poses(count: int, rotation_deg: float) -> torch.Tensor:
    """Return (slices, 2, 3): rotation, scale and flip about the centre."""
    angle = (torch.rand(count) * 2 - 1) * math.radians(rotation_deg)
    scale = torch.empty(count).uniform_(*SCALE)
    flip = torch.randint(0, 2, (count,)) * 2 - 1
    poses = torch.zeros(count, 2, 3)
    poses[:, 0, 0] = flip * scale * torch.cos(angle)
    poses[:, 0, 1] = -flip * scale * torch.sin(angle)
    poses[:, 1, 0] = scale * torch.sin(angle)
    poses[:, 1, 1] = scale * torch.cos(angle)
    return poses


def _uniform(count: int, low: float, high: float) -> torch.Tensor:
    return torch.empty(count, 1, 1, 1).uniform_(low, high)
