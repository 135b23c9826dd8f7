"""Looks to learn landmarks from: cut out once, turned and disturbed anew each time.

A look that a training sees is the service's own, but for the disturbance: real slices
lie elsewhere, come from other coils and sequences, and show more than is ever drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from grading.grades import PixelPoint, Region, RegionOrigin
from grading.landmarks.locator import MIRRORED
from grading.landmarks.network import AXIAL_POINTS, LandmarkSpec
from grading.preprocess import crop
from grading.training.intensities import curves_of, rescaled, shaded, through
from grading.training.lessons.lesson import AxialLesson, SagittalLesson

MARGIN = 1.4
"""Side of what is kept of an image over that of a look: room to shift and turn."""
UNKNOWN = -1.0
"""Stands for a flag that nobody knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One image at the look's pitch, larger than a look."""

    pixels: torch.Tensor
    """(side, side) float16, 0 to 1."""
    points: torch.Tensor
    """(points, places, 2) float32: x and y in mm from the middle; NaN where there is
    none. Axial heatmaps have one place each, that of discs many."""
    flags: torch.Tensor
    """(flags,) float32."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """How far looks are disturbed; every part can be switched off."""

    rotation_deg: float = 20.0
    scale: tuple[float, float] = (0.8, 1.25)
    shift_mm: float = 40.0
    flip: bool = True
    """Left to right, where facets change places: for axial looks alone."""
    gamma: tuple[float, float] = (0.5, 1.8)
    bias: float = 0.8
    """Largest exponent of a smooth field over the look."""
    remap_share: float = 0.35
    """Of the looks whose intensities go through a random curve, not always rising."""
    noise: float = 0.06
    blur_mm: float = 1.6
    patches: float = 0.3
    """Of the looks with a patch blotted out."""


def keep_axial(lesson: AxialLesson, spec: LandmarkSpec) -> Kept:
    """Cut what looks at one axial lesson can see."""
    marks = [getattr(lesson.marks, name) for name in AXIAL_POINTS]
    flag = torch.tensor([1.0 if lesson.through_disc else 0.0])
    places = [[mark] if mark else [None] for mark in marks]
    return _keep(lesson, places, flag, spec)


def keep_sagittal(lesson: SagittalLesson, spec: LandmarkSpec) -> Kept:
    """Cut what looks at one sagittal lesson can see."""
    places = [list(lesson.discs), [lesson.sacrum]]
    return _keep(lesson, places, torch.zeros(0), spec)


def _keep(
    lesson: AxialLesson | SagittalLesson,
    places: Sequence[Sequence[PixelPoint | None]],
    flags: torch.Tensor,
    spec: LandmarkSpec,
) -> Kept:
    rows, columns = lesson.pixels.shape
    middle = PixelPoint((rows - 1) / 2, (columns - 1) / 2)
    side = 2 * math.ceil(spec.grid_pixels * MARGIN / 2)
    region = Region(
        middle.row, middle.column, side * spec.pitch_mm, RegionOrigin.CENTRE
    )
    wide = replace(spec.preprocessing, region_size_mm=region.size_mm, grid_pixels=side)
    pixels = crop(lesson.pixels.astype(np.float32), lesson.spacing_mm, region, wide)
    most = max(len(some) for some in places)
    points = torch.full((len(places), most, 2), math.nan)
    for i, some in enumerate(places):
        for j, point in enumerate(some):
            if point is not None:
                points[i, j, 0] = (point.column - middle.column) * lesson.spacing_mm[1]
                points[i, j, 1] = (point.row - middle.row) * lesson.spacing_mm[0]
    return Kept(pixels[0].half(), points, flags)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """A batch."""

    pixels: torch.Tensor
    """(looks, 1, grid, grid) float32, 0 to 1."""
    points: torch.Tensor
    """(looks, points, places, 2): x and y in pixels of the look; NaN where unknown."""
    flags: torch.Tensor


def disturbed(
    kept: Sequence[Kept],
    spec: LandmarkSpec,
    how: Disturbance,
    generator: torch.Generator,
) -> Looks:
    """Turn, shift, scale and flip images into looks, then disturb their intensities."""
    count = len(kept)
    images = torch.stack([one.pixels for one in kept]).float()[:, None]
    poses, flipped = _poses(count, spec, how, generator)
    side_mm = images.shape[-1] * spec.pitch_mm
    theta = torch.cat([poses[:, :, :2] * spec.size_mm, poses[:, :, 2:] * 2], dim=2)
    theta = theta / side_mm
    grid = functional.affine_grid(
        theta, [count, 1, spec.grid_pixels, spec.grid_pixels], align_corners=False
    )
    looks = functional.grid_sample(
        images, grid, padding_mode="border", align_corners=False
    )
    points = _carried(torch.stack(_padded([one.points for one in kept])), poses, spec)
    if flipped.any():
        points[flipped] = points[flipped][:, list(MIRRORED)]
    flags = torch.stack([one.flags for one in kept])
    return Looks(_disturb(looks, spec, how, generator), points, flags)


def _poses(
    count: int, spec: LandmarkSpec, how: Disturbance, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (count, 2, 3): from a look's mm to an image's mm, and who is flipped."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    turn = uniform(-1, 1) * math.radians(how.rotation_deg)
    scale = torch.exp(uniform(math.log(how.scale[0]), math.log(how.scale[1])))
    flipped = (torch.rand(count, generator=generator) < 0.5) & how.flip
    sign = 1.0 - 2.0 * flipped.float()
    poses = torch.zeros(count, 2, 3)
    poses[:, 0, 0] = sign * scale * turn.cos()
    poses[:, 0, 1] = -sign * scale * turn.sin()
    poses[:, 1, 0] = scale * turn.sin()
    poses[:, 1, 1] = scale * turn.cos()
    # Half of the looks stay near the middle, where most slices are centred.
    reach = how.shift_mm * torch.where(uniform(0, 1) < 0.5, 0.3, 1.0)
    poses[:, 0, 2] = uniform(-1, 1) * reach
    poses[:, 1, 2] = uniform(-1, 1) * reach
    return poses, flipped


def _padded(points: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    most = max(one.shape[1] for one in points)
    return [
        functional.pad(one, (0, 0, 0, most - one.shape[1]), value=math.nan)
        for one in points
    ]


def _carried(
    points: torch.Tensor, poses: torch.Tensor, spec: LandmarkSpec
) -> torch.Tensor:
    """Carry points from an image's mm to a look's pixels; NaN outside of it."""
    back = torch.linalg.inv(poses[:, :, :2])
    moved = points - poses[:, None, None, :, 2]
    inside_mm = torch.einsum("nij,npqj->npqi", back, moved)
    pixels = inside_mm / spec.pitch_mm + (spec.grid_pixels - 1) / 2
    seen = ((pixels >= 0) & (pixels <= spec.grid_pixels - 1)).all(dim=-1, keepdim=True)
    return torch.where(seen, pixels, math.nan)


def _disturb(
    looks: torch.Tensor,
    spec: LandmarkSpec,
    how: Disturbance,
    generator: torch.Generator,
) -> torch.Tensor:
    count = len(looks)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    if how.remap_share:
        # Steps that may fall a little: the curve mostly rises.
        curves = curves_of(torch.rand(count, 6, generator=generator) - 0.25)
        mapped = through(looks, curves)
        looks = torch.where(uniform(0, 1, 1, 1, 1) < how.remap_share, mapped, looks)
    looks = looks ** torch.exp(
        uniform(math.log(how.gamma[0]), math.log(how.gamma[1]), 1, 1, 1)
    )
    if how.bias:
        knots = torch.randn(count, 1, 3, 3, generator=generator)
        looks = shaded(looks, knots * uniform(0, how.bias / 2, 1, 1, 1))
    if how.blur_mm and float(torch.rand(1, generator=generator)) < 0.5:
        looks = _blurred(looks, how.blur_mm / spec.pitch_mm)
    if how.noise:
        spread = uniform(0, how.noise, 1, 1, 1)
        looks = looks + torch.randn(looks.shape, generator=generator) * spread
    window = spec.preprocessing
    return rescaled(
        _blotted(looks, how, generator),
        window.lower_percentile,
        window.upper_percentile,
    )


def _blurred(looks: torch.Tensor, width: float) -> torch.Tensor:
    reach = torch.arange(-2, 3, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (reach / max(width / 2, 0.3)) ** 2)
    kernel = kernel / kernel.sum()
    looks = functional.conv2d(looks, kernel.view(1, 1, 5, 1), padding=(2, 0))
    return functional.conv2d(looks, kernel.view(1, 1, 1, 5), padding=(0, 2))


def _blotted(
    looks: torch.Tensor, how: Disturbance, generator: torch.Generator
) -> torch.Tensor:
    side = looks.shape[-1]
    for look in looks:
        if float(torch.rand(1, generator=generator)) < how.patches:
            size = int(torch.randint(side // 8, side // 3, (1,), generator=generator))
            top, left = torch.randint(0, side - size, (2,), generator=generator)
            value = float(torch.rand(1, generator=generator))
            look[:, top : top + size, left : left + size] = value
    return looks
