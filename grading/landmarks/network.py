"""A small U-Net that finds points on a slice, and what it looks at.

The same look, a square of the image at a fixed pitch, is made in training and in
service: `grading.preprocess.crop` cuts it out, `as_input` makes the two channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from grading.preprocess import Preprocessing

INPUT_CHANNELS = 2
GROUPS = 8
"""Of the group norms: unlike running statistics they hold on images of any scanner."""
LOCAL_MEAN_MM = 20.0
"""Width over which the second channel evens out coil and contrast."""
LEAST_MEAN = 0.02
"""Of the percentile window; keeps air from becoming texture."""
OUTPUT_STRIDE = 2
"""Heatmaps have half the look's pixels; points lie between them."""


@dataclass(frozen=True, slots=True)
class LandmarkSpec:
    """What a landmark network sees and says.

    Raises
    ------
    ValueError
        There are fewer than two widths or one does not divide into groups, the grid
        cannot be halved as often as the network does, the size is not positive, or the
        numbers of points, flags and places do not fit together.
    """

    size_mm: float
    """Side of the square that is looked at."""
    grid_pixels: int
    widths: tuple[int, ...]
    """Channels of each scale, fine to coarse."""
    points: int
    """Heatmaps."""
    flags: int = 0
    """Yes-or-no answers about the whole look."""
    many: int = 0
    """The first so many heatmaps peak at any number of places, the others at one."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.size_mm) and self.size_mm > 0):
            raise ValueError(f"size_mm is {self.size_mm}, not positive")
        if len(self.widths) < 2:
            raise ValueError(f"widths {self.widths} are fewer than two")
        if self.points < 1 or self.flags < 0 or not 0 <= self.many <= self.points:
            raise ValueError(
                f"{self.points} points, {self.flags} flags, {self.many} of many places"
            )
        halvings = len(self.widths) - 1
        if self.grid_pixels < 1 or self.grid_pixels % 2**halvings:
            raise ValueError(
                f"grid_pixels is {self.grid_pixels}, not divisible by {2**halvings}"
            )
        if any(width < 1 or width % GROUPS for width in self.widths):
            raise ValueError(f"widths {self.widths} are not multiples of {GROUPS}")

    @property
    def pitch_mm(self) -> float:
        """Distance between two pixels of the look."""
        return self.size_mm / self.grid_pixels

    @property
    def preprocessing(self) -> Preprocessing:
        """How the look is cut out of a slice."""
        return Preprocessing(self.size_mm, self.grid_pixels, 1.0, 99.5)


AXIAL_POINTS = ("disc_margin", "sac_centre", "facet_right", "facet_left")
"""The axial heatmaps in order; the names are those of `grades.AxialMarks`."""
AXIAL = LandmarkSpec(192.0, 128, (16, 32, 56, 88, 112), len(AXIAL_POINTS), flags=1)
"""The flag says whether the slice passes through a disc."""
SAGITTAL_POINTS = ("disc", "sacrum")
"""The first heatmap peaks at every disc's centre, the second at that of S1."""
SAGITTAL = LandmarkSpec(316.8, 144, (16, 24, 40, 64, 80), len(SAGITTAL_POINTS), many=1)


class LandmarkNetwork(nn.Module):
    """An encoder and a decoder that ends at half the look's pixels."""

    def __init__(self, spec: LandmarkSpec) -> None:
        super().__init__()
        widths = spec.widths
        ins = (INPUT_CHANNELS, *widths[:-1])
        self.down = nn.ModuleList(
            _block(i, o) for i, o in zip(ins, widths, strict=True)
        )
        self.up = nn.ModuleList(
            _block(widths[level + 1] + widths[level], widths[level])
            for level in range(len(widths) - 2, 0, -1)
        )
        self.points = nn.Conv2d(widths[1], spec.points, 1)
        self.flags = nn.Linear(widths[-1], spec.flags) if spec.flags else None

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return heatmap logits and flag logits.

        Parameters
        ----------
        looks
            (looks, 2, grid, grid) float32, as `as_input` makes them.

        Returns
        -------
        tuple
            (looks, points, grid / 2, grid / 2) and (looks, flags).
        """
        scales = []
        features = looks
        for level, block in enumerate(self.down):
            if level:
                features = functional.max_pool2d(features, 2)
            features = block(features)
            scales.append(features)
        flags = features.new_zeros((len(features), 0))
        if self.flags is not None:
            flags = self.flags(features.mean(dim=(2, 3)))
        for block, beside in zip(self.up, scales[-2:0:-1], strict=True):
            enlarged = functional.interpolate(features, scale_factor=2.0)
            features = block(torch.cat([enlarged, beside], dim=1))
        return self.points(features), flags


def as_input(looks: torch.Tensor, pitch_mm: float) -> torch.Tensor:
    """Return the two channels of looks: their root, and them over their local mean.

    Parameters
    ----------
    looks
        (looks, 1, grid, grid) float32 from 0 to 1.
    """
    reach = max(1, round(LOCAL_MEAN_MM / pitch_mm / 2))
    mean = functional.avg_pool2d(
        looks, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False
    )
    return torch.cat([looks.sqrt(), looks / (looks + mean + LEAST_MEAN)], dim=1)


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.GroupNorm(GROUPS, channels_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        nn.GroupNorm(GROUPS, channels_out),
        nn.ReLU(inplace=True),
    )
