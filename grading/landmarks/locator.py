"""Landmark networks at work: slices in, points out, each slice looked at thrice.

One look is centred on the image, the others on what the first one found, one of them
mirrored. How far they disagree is taken for the confidence, because the mass of a
heatmap need not fall where the network is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from grading.engines.engine import LARGEST_BATCH
from grading.engines.on_torch import TorchEngine
from grading.grades import AxialMarks, PixelPoint, Region, RegionOrigin
from grading.landmarks.found import AxialFound, FoundDisc, FoundPoint, SagittalFound
from grading.landmarks.heatmaps import Peak, many_peaks, single_peaks
from grading.landmarks.network import (
    AXIAL_POINTS,
    OUTPUT_STRIDE,
    LandmarkSpec,
    as_input,
)
from grading.preprocess import crop
from grading.series import Slice

MIRRORED = tuple(
    AXIAL_POINTS.index(name)
    for name in ("disc_margin", "sac_centre", "facet_left", "facet_right")
)
"""Which heatmap of a mirrored look shows which point."""
LOOK_ASIDE_MM = 7.0
"""How far the last look is moved, so that it falls on other pixels."""
LEAST_DISC = 0.3
"""Height of a heatmap's peak that counts as a disc."""
DISCS_APART_MM = 14.0
"""No two discs of one spine are nearer: vertebrae are higher than that."""
LEAST_SACRUM = 0.2
"""Mass of the sacrum's heatmap near its peak below which no sacrum is seen."""
CPU_BATCH_LOOKS = 16
"""What lies between two layers still fits into a processor's cache; a GPU takes all."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A square of one slice; mirrored ones are seen left to right."""

    slice_: Slice
    region: Region
    mirrored: bool = False

    def point(self, peak: Peak, spec: LandmarkSpec) -> PixelPoint:
        """Carry a peak from pixels of the look to pixels of the slice."""
        middle = (spec.grid_pixels - 1) / 2
        across = (peak.column - middle) * (-1 if self.mirrored else 1)
        spacing = _spacing_mm(self.slice_)
        return PixelPoint(
            self.region.row + (peak.row - middle) * spec.pitch_mm / spacing[0],
            self.region.column + across * spec.pitch_mm / spacing[1],
        )


class _Looking(nn.Module):
    """A landmark network that makes its two channels itself, on its own device."""

    def __init__(self, network: nn.Module, pitch_mm: float) -> None:
        super().__init__()
        self._network = network
        self._pitch_mm = pitch_mm

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor] = self._network(
            as_input(looks, self._pitch_mm)
        )
        return found


class HeatmapLocator:
    """A `grading.landmarks.found.Locator` made of two landmark networks.

    Parameters
    ----------
    axial, sagittal
        A network as `grading.landmarks.network.LandmarkNetwork`, and what it sees.
    """

    def __init__(
        self,
        axial: tuple[LandmarkSpec, nn.Module],
        sagittal: tuple[LandmarkSpec, nn.Module],
        device: torch.device,
    ) -> None:
        self._axial_spec, self._sagittal_spec = axial[0], sagittal[0]
        largest = CPU_BATCH_LOOKS if device.type == "cpu" else LARGEST_BATCH
        self._axial, self._sagittal = (
            TorchEngine(_Looking(network, spec.pitch_mm), device, largest=largest)
            for spec, network in (axial, sagittal)
        )

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        """Look at axial slices, in any order and of any series."""
        spec = self._axial_spec
        firsts = [_Look(one, _middle(one, spec)) for one in slices]
        first, _ = self._points(firsts)
        centred = [
            _Look(look.slice_, _around(look, points))
            for look, points in zip(firsts, first, strict=True)
        ]
        mirrored = [replace(look, mirrored=True) for look in centred]
        aside = [replace(look, region=_moved(look)) for look in centred]
        points, flags = self._points([*mirrored, *aside])
        count = len(slices)
        every = (first, points[:count], points[count:])
        return [
            _axial_found(
                slices[i],
                [points[i] for points in every],
                (flags[i] + flags[count + i]) / 2,
            )
            for i in range(count)
        ]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        """Look at sagittal slices, in any order and of any series."""
        spec = self._sagittal_spec
        looks = [_Look(one, _middle(one, spec)) for one in slices]
        heatmaps, _ = self._sagittal(_cut_all(looks, spec))
        return [
            _sagittal_found(look, maps, spec)
            for look, maps in zip(looks, heatmaps, strict=True)
        ]

    def _points(
        self, looks: Sequence[_Look]
    ) -> tuple[list[list[PixelPoint]], list[float]]:
        """Return the axial points of each look, and whether it shows a disc."""
        spec = self._axial_spec
        heatmaps, flags = self._axial(_cut_all(looks, spec))
        points = []
        for look, maps in zip(looks, heatmaps, strict=True):
            peaks = single_peaks(maps)
            if look.mirrored:
                peaks = [peaks[i] for i in MIRRORED]
            points.append([look.point(peak, spec) for peak in peaks])
        return points, torch.sigmoid(flags[:, 0]).tolist()


def _cut_all(looks: Sequence[_Look], spec: LandmarkSpec) -> torch.Tensor:
    return torch.stack([_cut(look, spec) for look in looks])


def _cut(look: _Look, spec: LandmarkSpec) -> torch.Tensor:
    pixels = crop(
        look.slice_.pixels, _spacing_mm(look.slice_), look.region, spec.preprocessing
    )
    return pixels.flip(-1) if look.mirrored else pixels


def _middle(slice_: Slice, spec: LandmarkSpec) -> Region:
    rows, columns = slice_.pixels.shape
    return Region((rows - 1) / 2, (columns - 1) / 2, spec.size_mm, RegionOrigin.CENTRE)


def _around(look: _Look, points: Sequence[PixelPoint]) -> Region:
    """Return the square around what a look found, kept within the image."""
    row, column = _canal(points)
    rows, columns = look.slice_.pixels.shape
    return replace(
        look.region,
        row=min(max(row, 0.0), rows - 1.0),
        column=min(max(column, 0.0), columns - 1.0),
    )


def _moved(look: _Look) -> Region:
    spacing = _spacing_mm(look.slice_)
    return replace(
        look.region,
        row=look.region.row - LOOK_ASIDE_MM / spacing[0],
        column=look.region.column + LOOK_ASIDE_MM / spacing[1],
    )


def _canal(points: Sequence[PixelPoint]) -> tuple[float, float]:
    """Return row and column midway between disc margin and sac centre."""
    margin, sac = points[0], points[1]
    return (margin.row + sac.row) / 2, (margin.column + sac.column) / 2


def _axial_found(
    slice_: Slice, looks: Sequence[Sequence[PixelPoint]], through_disc: float
) -> AxialFound:
    """Take the mean of the looks that were centred; all of them tell the spread."""
    spacing = _spacing_mm(slice_)
    canals = [_canal(points) for points in looks]
    spread_mm = max(
        math.hypot((a[0] - b[0]) * spacing[0], (a[1] - b[1]) * spacing[1])
        for a in canals
        for b in canals
    )
    centred = looks[1:]
    means = [
        PixelPoint(
            sum(points[i].row for points in centred) / len(centred),
            sum(points[i].column for points in centred) / len(centred),
        )
        for i in range(len(AXIAL_POINTS))
    ]
    marks = AxialMarks(**dict(zip(AXIAL_POINTS, means, strict=True)))
    return AxialFound(marks, spread_mm, through_disc)


def _sagittal_found(
    look: _Look, heatmaps: torch.Tensor, spec: LandmarkSpec
) -> SagittalFound:
    apart = max(1, round(DISCS_APART_MM / spec.pitch_mm / OUTPUT_STRIDE))
    peaks = many_peaks(heatmaps[0], LEAST_DISC, apart)
    [sacrum] = single_peaks(heatmaps[1:])
    discs = [
        FoundDisc(FoundPoint(look.point(peak, spec), peak.height))
        for peak in sorted(peaks, key=lambda peak: peak.row)
    ]
    seen = sacrum.height >= LEAST_SACRUM
    return SagittalFound(
        tuple(discs),
        FoundPoint(look.point(sacrum, spec), min(1.0, sacrum.height)) if seen else None,
    )


def _spacing_mm(slice_: Slice) -> tuple[float, float]:
    if slice_.header.spacing_mm is None:
        raise ValueError("a loaded slice has a pixel spacing")
    return slice_.header.spacing_mm
