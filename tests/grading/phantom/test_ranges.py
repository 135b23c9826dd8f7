"""Ranges, tables of grades and sets: what is refused, and what is fixed."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from grading.phantom.prevalence import MARGINS, fit_table
from grading.phantom.ranges import (
    LEVELS,
    Acquisition,
    Flesh,
    LevelDimensions,
    Prevalence,
    Signal,
)
from grading.phantom.sets import RESERVED_SEEDS, SETS, find_set


@pytest.mark.parametrize(
    ("impossible", "message"),
    [
        ({"noise": (0.1, 0.05)}, r"Acquisition.noise is .* its end lies below"),
        ({"coil_reach_mm": (-3.0, 2.0)}, "a length cannot be negative"),
        ({"ghost_probability": 1.2}, "a share lies between 0 and 1"),
        ({"blur_pixels": (0.0, nan)}, "it is not finite"),
        ({"matrix_shares": (0.5, 0.5, 0.5, 0.5)}, "its shares sum to 2, not 1"),
        ({"spacing_mm": (2.0, 3.0)}, "pixels of 0.59 to 1.17 mm"),
    ],
)
def test_a_range_that_no_scanner_has_is_refused_by_its_name(
    impossible: dict[str, tuple[float, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Acquisition(**impossible)  # type: ignore[arg-type]


def test_impossible_tissues_and_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Signal.fat is .* its end lies below"):
        Signal(fat=(1.0, 0.5))
    with pytest.raises(ValueError, match=r"Flesh.muscle_fat_share is .* a share"):
        Flesh(muscle_fat_share=(0.1, 1.5))
    with pytest.raises(ValueError, match=r"disc_width_mm is -4: a length"):
        LevelDimensions(-4, 33, 1.5, 24, 27, 15, 19, 3.2, (0, 2), 27)


def test_a_convex_margin_is_a_negative_outline_and_allowed() -> None:
    assert any(one.outline_mm < 0 for one in LEVELS.values())


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([0.5, 0.5, 0.5, -0.5], "none negative, that sum to 1"),
        ([0.5, 0.4, 0.0, 0.0], "none negative, that sum to 1"),
        ([nan, 0.5, 0.5, 0.0], "none negative, that sum to 1"),
    ],
)
def test_shares_that_are_none_are_refused(shares: list[float], message: str) -> None:
    margins = np.full((3, 4), 0.25)
    margins[1] = shares

    with pytest.raises(ValueError, match=rf"the shares of LCCS .*{message}"):
        fit_table(margins)


def test_a_table_that_no_anatomy_can_meet_says_what_can_be_reached() -> None:
    margins = np.array([[1.0, 0, 0, 0], [0.25] * 4, [0.5, 0, 0.5, 0]])

    with pytest.raises(ValueError, match="Without a herniation no root is displaced"):
        fit_table(margins)


@pytest.mark.parametrize("prevalence", list(Prevalence))
def test_a_table_that_can_be_met_is_met(prevalence: Prevalence) -> None:
    table = fit_table(MARGINS[prevalence])

    np.testing.assert_allclose(
        table.sum(axis=(1, 2)), MARGINS[prevalence][0], atol=1e-3
    )


def test_no_two_sets_share_a_seed_and_all_seeds_are_reserved() -> None:
    seeds = [one.seed for one in SETS]

    assert len(set(seeds)) == len(seeds)
    assert set(seeds) <= set(RESERVED_SEEDS)


def test_an_unknown_set_is_named_with_those_there_are() -> None:
    assert find_set("test-internal").studies == 200
    with pytest.raises(ValueError, match="there is no set 'tests'; the sets are"):
        find_set("tests")
