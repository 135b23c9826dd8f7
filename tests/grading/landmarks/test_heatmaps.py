"""Peaks lie between pixels, and every disc has one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.landmarks.heatmaps import many_peaks, single_peaks

SIDE = 48
PLACES = st.floats(8.0, 2 * SIDE - 10.0)


def hill(row: float, column: float, width: float = 3.0) -> torch.Tensor:
    """Return a hill whose top lies at these pixels of the look."""
    at = torch.arange(SIDE) * 2 + 0.5
    down = torch.exp(-0.5 * ((at - row) / width) ** 2)
    return down[:, None] * torch.exp(-0.5 * ((at - column) / width) ** 2)


@settings(max_examples=25)
@given(PLACES, PLACES)
def test_a_single_peak_lies_where_the_hill_is(row: float, column: float) -> None:
    [peak] = single_peaks(torch.log(hill(row, column) + 1e-6)[None])

    assert (peak.row, peak.column) == pytest.approx((row, column), abs=0.5)
    assert peak.height > 0.7


def test_two_equal_hills_share_the_mass_of_a_single_peak() -> None:
    both = hill(20, 20) + hill(70, 70)

    [peak] = single_peaks(torch.log(both + 1e-6)[None])

    assert 0.3 < peak.height < 0.5


def test_many_peaks_come_highest_first_and_low_ones_not_at_all() -> None:
    heights = 0.9 * hill(15, 40) + 0.6 * hill(45, 42) + 0.2 * hill(75, 44)

    found = many_peaks(torch.logit(heights.clamp(1e-4, 0.999)), least=0.3, apart=4)

    assert [(round(peak.row), round(peak.column)) for peak in found] == [
        (15, 40),
        (45, 42),
    ]
    assert found[0].height > found[1].height


def test_a_flat_top_is_one_peak() -> None:
    # A sigmoid of more than 17 is 1 in float32, wherever the hill's top really is.
    logits = 60 * hill(40, 40, width=6.0) - 30

    found = many_peaks(logits, least=0.3, apart=6)

    assert len(found) == 1


def test_of_two_peaks_too_near_each_other_the_higher_stays() -> None:
    heights = torch.maximum(0.9 * hill(30, 40), 0.7 * hill(40, 40, width=1.5))

    found = many_peaks(torch.logit(heights.clamp(1e-4, 0.999)), least=0.3, apart=6)

    assert len(found) == 1
    assert found[0].row == pytest.approx(30, abs=1.5)
