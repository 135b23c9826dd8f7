"""Random changes of a batch of network input that leave its grades alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

SCALE = (0.94, 1.06)
FIELD_KNOTS = 3
"""Of the smooth field that stands for a coil, along each side."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far network input is changed; goes into the bundle's card.

    The paper turns by up to 15 degrees and crops at random, which here is the shift of
    the region; `PAPER` does no more.
    """

    rotation_deg: float = 12.0
    scale: tuple[float, float] = SCALE
    flip: bool = True
    """Left to right; the two roots change places."""
    gamma: tuple[float, float] = (0.75, 1.35)
    noise: float = 0.03
    """Largest standard deviation, over the region's percentile window."""
    coil: float = 0.0
    """Largest exponent of a smooth field."""


PAPER = Augmentation(
    rotation_deg=15.0, scale=(1.0, 1.0), flip=False, gamma=(1.0, 1.0), noise=0.0
)


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """A changed batch."""

    slices: torch.Tensor
    """(slices, 1, grid, grid) float32, 0 to 1."""
    mirrored: torch.Tensor
    """(slices,) bool."""


def augment(batch: torch.Tensor, how: Augmentation) -> Augmented:
    """Rotate, scale, mirror, bend and disturb each slice on its own.

    Parameters
    ----------
    batch
        (slices, 1, grid, grid) float32, 0 to 1.
    """
    count, device = len(batch), batch.device
    poses, mirrored = _poses(count, how, device)
    turned = functional.grid_sample(
        batch,
        functional.affine_grid(poses, list(batch.shape), align_corners=False),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    bent = turned.clamp(0, 1) ** _uniform(count, *how.gamma, device)
    if how.coil:
        field = functional.interpolate(
            torch.randn(count, 1, FIELD_KNOTS, FIELD_KNOTS, device=device),
            bent.shape[-2:],
            mode="bicubic",
            align_corners=True,
        )
        bent = bent * torch.exp(field * _uniform(count, 0, how.coil, device))
    noise = torch.randn_like(bent) * _uniform(count, 0, how.noise, device)
    return Augmented((bent + noise).clamp(0, 1), mirrored)


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
