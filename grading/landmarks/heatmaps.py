"""From heatmaps to points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from grading.landmarks.network import OUTPUT_STRIDE

WINDOW = 2
"""Pixels to each side of a peak over which its place is averaged."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A place in pixels of the look."""

    row: float
    column: float
    height: float
    """Of a heatmap of many places from 0 to 1; of another, its mass near the peak."""


def single_peaks(logits: torch.Tensor) -> list[Peak]:
    """Return where each heatmap is highest, between pixels.

    Parameters
    ----------
    logits
        (heatmaps, rows, columns); each is a distribution over its pixels.
    """
    mass = torch.softmax(logits.flatten(1), dim=1).view_as(logits)
    return [_near(one, int(one.argmax())) for one in mass]


def many_peaks(logits: torch.Tensor, least: float, apart: int) -> list[Peak]:
    """Return every peak of one heatmap, the highest first.

    Parameters
    ----------
    logits
        (rows, columns); each pixel answers for itself.
    least
        Height of a peak, 0 to 1.
    apart
        Heatmap pixels between two peaks, at least.
    """
    height = torch.sigmoid(logits)
    size = 2 * apart + 1
    around = functional.max_pool2d(height[None, None], size, stride=1, padding=apart)
    tops = torch.nonzero((height == around[0, 0]) & (height >= least))
    places = sorted(
        (int(row) * height.shape[1] + int(column) for row, column in tops),
        key=lambda flat: -float(height.flatten()[flat]),
    )
    found = []
    for flat in _apart(places, height.shape[1], apart):
        peak = _near(height, flat)
        found.append(Peak(peak.row, peak.column, float(height.flatten()[flat])))
    return found


def _apart(places: Sequence[int], columns: int, apart: int) -> list[int]:
    """Leave out what lies near a place before it: equals of a flat top are one peak."""
    kept: list[tuple[int, int]] = []
    for row, column in (divmod(flat, columns) for flat in places):
        if all(max(abs(row - r), abs(column - c)) > apart for r, c in kept):
            kept.append((row, column))
    return [row * columns + column for row, column in kept]


def _near(mass: torch.Tensor, flat: int) -> Peak:
    """Return the mean place of the mass in a window, in pixels of the look."""
    row, column = divmod(flat, mass.shape[1])
    top, left = max(0, row - WINDOW), max(0, column - WINDOW)
    part = mass[top : row + WINDOW + 1, left : column + WINDOW + 1]
    total = float(part.sum())
    rows = float(part.sum(dim=1) @ torch.arange(part.shape[0], dtype=part.dtype))
    columns = float(part.sum(dim=0) @ torch.arange(part.shape[1], dtype=part.dtype))
    offset = (OUTPUT_STRIDE - 1) / 2
    return Peak(
        (top + rows / total) * OUTPUT_STRIDE + offset,
        (left + columns / total) * OUTPUT_STRIDE + offset,
        total,
    )
