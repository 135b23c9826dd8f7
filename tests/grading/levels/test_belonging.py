"""Axial planes among the discs of a spine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.grades import Level
from grading.headers import ImageHeader
from grading.levels.belonging import (
    BELONGS_MM,
    HALF_DISC_MM,
    NOWHERE,
    Placed,
    disagreement,
    place,
)
from grading.levels.discs import chain
from tests.grading import spines
from tests.grading.builders import image
from tests.grading.spines import GAP_MM, spine


def axial(
    height_mm: float,
    *,
    tilt_deg: float = 0.0,
    y_mm: float = 0.0,
    thickness_mm: float = 4,
) -> ImageHeader:
    """Return a plane so high above L5/S1, as it passes the line of the margins."""
    header = image(height_mm=height_mm, tilt_deg=tilt_deg)
    x, y, z = header.position_lps_mm or (0.0, 0.0, 0.0)
    return replace(header, position_lps_mm=(x, y + y_mm, z), thickness_mm=thickness_mm)


@pytest.mark.parametrize("number", range(6))
def test_a_slice_through_a_disc_belongs_to_it(number: int) -> None:
    level = tuple(reversed(Level))[number]

    assert place(axial(GAP_MM * number + 1), spine()) == Placed(level, True)


@pytest.mark.parametrize("off_mm", [-BELONGS_MM + 0.1, -5.0, 5.0, BELONGS_MM - 0.1])
def test_a_slice_beside_a_disc_belongs_to_it_and_does_not_count(off_mm: float) -> None:
    assert place(axial(GAP_MM + off_mm), spine()) == Placed(Level.L4_L5, False)


def test_a_thick_slice_passes_through_a_disc_from_farther_away() -> None:
    off_mm = HALF_DISC_MM + 1

    assert not place(axial(off_mm, thickness_mm=4), spine()).through_disc
    assert place(axial(off_mm, thickness_mm=6), spine()).through_disc


def test_a_slice_between_discs_has_no_level_and_does_not_count() -> None:
    assert place(axial(GAP_MM / 2), spine()) == Placed(None, False)


def test_a_slice_below_the_lowest_disc_is_out_of_the_lumbar_spine() -> None:
    assert place(axial(-30), spine()) == Placed(None, False, beyond=True)


def test_a_slice_above_the_highest_disc_found_is_not_determined() -> None:
    assert place(axial(GAP_MM * 6), spine()) == Placed(None, None, beyond=True)


def test_a_slice_through_a_disc_above_t12_l1_has_no_level() -> None:
    assert place(axial(GAP_MM * 6), spine(7)) == Placed(None, True)


def test_where_a_disc_was_missed_nobody_knows_what_a_slice_shows() -> None:
    gapped = chain([spines.place(number) for number in (0, 1, 3, 4)], spines.SACRUM)

    assert place(axial(GAP_MM * 2), gapped) == Placed(None, None)
    assert place(axial(GAP_MM * 3), gapped) == Placed(Level.L2_L3, True)
    assert place(axial(GAP_MM * 3.5), gapped) == Placed(None, False)


@given(tilt_deg=st.floats(-35, 35), number=st.integers(0, 5))
def test_the_tilt_of_a_plane_through_a_margin_changes_nothing(
    tilt_deg: float, number: int
) -> None:
    level = tuple(reversed(Level))[number]

    assert place(axial(GAP_MM * number, tilt_deg=tilt_deg), spine()).level is level


def test_a_slice_that_cannot_show_the_disc_is_not_placed() -> None:
    assert place(axial(0, y_mm=50), spine()) == NOWHERE


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([axial(0), axial(4)], None),
        ([axial(0), axial(4), axial(8, y_mm=50)], None),
        ([axial(0, y_mm=50), axial(4, y_mm=50)], "coordinates do not agree"),
        ([axial(600), axial(604)], "no axial slice comes near a disc"),
    ],
)
def test_coordinates_must_agree(
    images: Sequence[ImageHeader], reason: str | None
) -> None:
    objection = disagreement(images, spine())

    assert (objection is None) is (reason is None)
    assert (reason or "") in (objection or "")


@pytest.mark.parametrize("thickness_mm", [30.0, 1000.0])
def test_a_thickness_that_cannot_be_is_not_believed(thickness_mm: float) -> None:
    off_mm = HALF_DISC_MM + 1

    thick = axial(off_mm, thickness_mm=thickness_mm)

    assert place(thick, spine()) == Placed(Level.L5_S1, False)


@given(
    height_mm=st.floats(-200, 400, allow_nan=False),
    thickness_mm=st.floats(0, 1e6, allow_nan=False),
)
def test_a_level_is_only_given_within_reach_of_its_disc(
    height_mm: float, thickness_mm: float
) -> None:
    placed = place(axial(height_mm, thickness_mm=thickness_mm), spine())

    if placed.level is not None:
        number = tuple(reversed(Level)).index(placed.level)
        assert abs(height_mm - GAP_MM * number) <= BELONGS_MM + 1e-6
    else:
        assert not placed.through_disc
