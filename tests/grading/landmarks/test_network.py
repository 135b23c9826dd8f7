"""The shapes that a landmark network takes and gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from grading.landmarks.network import (
    AXIAL,
    SAGITTAL,
    LandmarkNetwork,
    LandmarkSpec,
    as_input,
)


@pytest.mark.parametrize("spec", [AXIAL, SAGITTAL])
def test_heatmaps_have_half_the_pixels_of_a_look(spec: LandmarkSpec) -> None:
    looks = torch.rand(2, 1, spec.grid_pixels, spec.grid_pixels)

    heatmaps, flags = LandmarkNetwork(spec)(as_input(looks, spec.pitch_mm))

    half = spec.grid_pixels // 2
    assert heatmaps.shape == (2, spec.points, half, half)
    assert flags.shape == (2, spec.flags)


def test_the_second_channel_evens_out_a_coil_that_is_brighter_on_one_side() -> None:
    flat = torch.ones(1, 1, 64, 64)
    shaded = flat * torch.linspace(0.2, 1.0, 64)

    plain, uneven = as_input(flat, 1.5), as_input(shaded, 1.5)

    inner = (slice(None), 1, slice(16, 48), slice(16, 48))
    assert (plain[inner] - uneven[inner]).abs().max() < 0.02


def test_a_grid_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="not divisible by 4"):
        LandmarkSpec(100.0, 30, (8, 8, 8), 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"size_mm": 0.0}, "not positive"),
        ({"widths": (8,)}, "fewer than two"),
        ({"grid_pixels": 0}, "not divisible"),
        ({"points": 0}, "0 points"),
        ({"many": 9}, "9 of many places"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(SAGITTAL, **change)


def test_widths_that_groups_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        LandmarkSpec(100.0, 32, (8, 12), 1)
