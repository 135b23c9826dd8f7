"""Where points of a look lie on the slice, mirrored or not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from grading.headers import ImageHeader, image_headers
from grading.landmarks.locator import HeatmapLocator
from grading.landmarks.network import AXIAL, SAGITTAL
from grading.series import Slice
from tests.dicom_factories import mr_image

SPACING_MM = (0.8, 0.5)
REACH = 6
"""Pixels of a look; as wide as what the percentile cuts off a spot."""


class BrightestPlace(nn.Module):
    """Finds every point where the look is brightest, and a disc on every slice."""

    def __init__(self, points: int, flags: int, gain: float = 200.0) -> None:
        super().__init__()
        self._points, self._flags, self._gain = points, flags, gain

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # Above a percentile everything is equally bright, hence a smooth top.
        size = 2 * REACH + 1
        smooth = nn.functional.avg_pool2d(looks[:, :1] ** 2, size, 1, REACH)
        pooled = nn.functional.avg_pool2d(smooth, 2)
        heatmaps = ((pooled - 0.5) * self._gain).expand(-1, self._points, -1, -1)
        return heatmaps, torch.full((len(looks), self._flags), 4.0)


class RightOfTheMiddle(BrightestPlace):
    """Says that the right facet is where the look is brightest, the left is not."""

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        heatmaps, flags = super().forward(looks)
        aside = torch.roll(heatmaps, 10, dims=-1)
        return torch.stack([*heatmaps[:, :3].unbind(1), aside[:, 3]], dim=1), flags


class Blind(BrightestPlace):
    """Finds every point in the middle of the look, whatever is there."""

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        heatmaps, flags = super().forward(looks)
        peak = torch.zeros_like(heatmaps)
        middle = heatmaps.shape[-1] // 2
        peak[..., middle, middle] = 50
        return peak, flags


class ShortOfMemory(BrightestPlace):
    """Holds so many looks on its device and no more."""

    def forward(self, looks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(looks) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(looks)


def header(shape: tuple[int, int]) -> ImageHeader:
    ds = mr_image()
    ds.Rows, ds.Columns = shape
    ds.PixelSpacing = list(SPACING_MM)
    return image_headers(ds)[0]


def spot(row: float, column: float, shape: tuple[int, int] = (240, 320)) -> Slice:
    """Return a slice with one bright spot."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = ((rows - row) * SPACING_MM[0]) ** 2 + (
        (columns - column) * SPACING_MM[1]
    ) ** 2
    pixels: NDArray[np.float32] = (1000 * np.exp(-away / 200)).astype(np.float32)
    return Slice(header(shape), pixels)


def locator(axial: nn.Module | None = None) -> HeatmapLocator:
    networks = axial or BrightestPlace(4, 1), BrightestPlace(2, 0, gain=8.0)
    return HeatmapLocator(
        (AXIAL, networks[0]), (SAGITTAL, networks[1]), torch.device("cpu")
    )


@pytest.mark.parametrize("place", [(120.0, 160.0), (90.0, 230.0), (170.0, 100.0)])
def test_a_point_comes_back_to_the_slice_where_it_lies(
    place: tuple[float, float],
) -> None:
    [found] = locator().axial([spot(*place)])

    assert found.marks.sac_centre is not None
    at = (found.marks.sac_centre.row, found.marks.sac_centre.column)
    assert at == pytest.approx(place, abs=1.0)
    assert found.spread_mm == pytest.approx(0, abs=2.0)
    assert found.through_disc == pytest.approx(0.982, abs=0.01)


def test_a_network_that_does_not_look_disagrees_with_itself() -> None:
    [found] = locator(Blind(4, 1)).axial([spot(90.0, 230.0)])

    # The last look is moved by 7 mm along both axes.
    assert found.spread_mm == pytest.approx(7 * math.sqrt(2), abs=3.0)


def test_a_mirrored_look_gives_each_side_its_own_point() -> None:
    # The mirrored look finds "right" where the patient's left facet is, so the two
    # looks that are averaged agree only if the sides change places.
    [found] = locator(RightOfTheMiddle(4, 1)).axial([spot(120.0, 160.0)])

    right, left = found.marks.facet_right, found.marks.facet_left
    assert right is not None
    assert left is not None
    assert left.column - right.column == pytest.approx(60, abs=2)


def test_each_slice_gets_its_own_answer_in_order() -> None:
    places = [(100.0 + 5 * i, 150.0) for i in range(20)]

    found = locator().axial([spot(*place) for place in places])

    rows = [one.marks.sac_centre.row for one in found if one.marks.sac_centre]
    assert rows == pytest.approx([row for row, _ in places], abs=1.0)


def test_looks_that_a_gpu_cannot_hold_at_once_are_looked_at_in_parts() -> None:
    slices = [spot(100.0 + 5 * i, 150.0) for i in range(7)]

    assert locator(ShortOfMemory(4, 1)).axial(slices) == locator().axial(slices)


def test_a_sagittal_image_gives_its_discs_from_the_head_down() -> None:
    upper, lower = spot(60, 160), spot(180, 160)
    both = Slice(upper.header, np.maximum(upper.pixels, lower.pixels))

    [found] = locator().sagittal([both])

    centres = [disc.centre.point for disc in found.discs]
    assert [point.row for point in centres] == pytest.approx([60, 180], abs=4)
    assert [point.column for point in centres] == pytest.approx([160, 160], abs=4)


def test_a_slice_smaller_than_a_look_is_looked_at_all_the_same() -> None:
    [found] = locator().axial([spot(30, 30, shape=(64, 64))])

    assert found.marks.sac_centre is not None
    assert found.marks.sac_centre.row == pytest.approx(30, abs=1.5)
