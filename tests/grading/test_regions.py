"""Where the network looks, and why there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.boxes import Box
from grading.grades import AxialMarks, PixelPoint, Region, RegionOrigin
from grading.headers import ImageHeader
from grading.landmarks.found import AxialFound
from grading.levels.slabs import slabs
from grading.preprocess import Preprocessing
from grading.regions import MAX_NEIGHBOUR_MM, RegionFinder, Seen
from tests.grading.builders import image
from tests.grading.spines import marks

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
BOX = Box(10, 20, 30, 60)


def wide(number: int, *, step_mm: float = 4.0, tilt_deg: float = 0.0) -> ImageHeader:
    """Return a slice of 101 x 201 pixels of 1 mm, the next one ``step_mm`` below."""
    header = image(number, height_mm=-step_mm * number, tilt_deg=tilt_deg)
    return replace(header, rows=101, columns=201)


def look(row: float, column: float, spread_mm: float | None = 1.0) -> AxialFound:
    return AxialFound(marks(row, column), spread_mm, 1.0)


def regions(seen: Sequence[Seen]) -> list[Region]:
    finder = RegionFinder(SPEC, max_spread_mm=5.0)
    return finder.regions(seen, slabs([one.header for one in seen]))


def test_a_region_lies_midway_between_sac_and_disc() -> None:
    (region,) = regions([Seen(wide(1), look(50, 70))])

    assert region == Region(46, 70, 54.0, RegionOrigin.LANDMARKS, 1.0)


def test_without_the_disc_a_region_lies_in_front_of_the_sac() -> None:
    only_sac = AxialFound(AxialMarks(sac_centre=PixelPoint(50, 70)), None, 0.0)

    (region,) = regions([Seen(wide(1), only_sac)])

    # Pixels are 1 mm and rows run backwards.
    assert (region.row, region.column) == (45.5, 70)
    assert region.origin is RegionOrigin.LANDMARKS


def test_a_box_that_a_person_drew_wins() -> None:
    (region,) = regions([Seen(wide(1), look(50, 70), BOX)])

    assert region == Region(20, 40, 54.0, RegionOrigin.DRAWN)


def test_where_nothing_is_known_a_region_lies_at_the_image_centre() -> None:
    found = regions([Seen(wide(1)), Seen(wide(2), AxialFound(AxialMarks(), None, 0))])

    assert {(one.row, one.column, one.origin) for one in found} == {
        (50, 100, RegionOrigin.CENTRE)
    }


@pytest.mark.parametrize(
    ("spread_mm", "origin"),
    [
        (None, RegionOrigin.LANDMARKS),
        (4.9, RegionOrigin.LANDMARKS),
        (5.1, RegionOrigin.CENTRE),
    ],
)
def test_looks_that_disagree_have_found_nothing(
    spread_mm: float | None, origin: RegionOrigin
) -> None:
    (region,) = regions([Seen(wide(1), look(50, 70, spread_mm))])

    assert region.origin is origin


def test_between_two_neighbours_a_region_lies_between_theirs() -> None:
    seen = [Seen(wide(1), look(40, 60)), *(Seen(wide(n)) for n in (2, 3))]

    found = regions([*seen, Seen(wide(4), look(46, 72))])

    assert [(one.row, one.column) for one in found] == [
        pytest.approx(point) for point in ((36, 60), (38, 64), (40, 68), (42, 72))
    ]
    assert [one.origin for one in found[1:3]] == [RegionOrigin.NEIGHBOURS] * 2
    assert found[1].spread_mm is None


def test_beside_the_last_neighbour_a_region_lies_as_there() -> None:
    found = regions([Seen(wide(1), look(40, 60)), Seen(wide(2))])

    assert (found[1].row, found[1].column) == pytest.approx((36, 60))
    assert found[1].origin is RegionOrigin.NEIGHBOURS


def test_neighbours_are_followed_in_the_patient_not_in_pixels() -> None:
    moved = replace(wide(2), position_lps_mm=(-6.0, -1.0, -8.0))

    found = regions([Seen(wide(1), look(40, 60)), Seen(moved)])

    # The second image begins 5 mm further right, so the canal lies 5 columns on.
    assert (found[1].row, found[1].column) == pytest.approx((36, 65))


def test_a_neighbour_too_far_away_says_nothing() -> None:
    step_mm = MAX_NEIGHBOUR_MM / 2 + 1
    seen = [Seen(wide(n, step_mm=step_mm)) for n in (2, 3)]

    found = regions([Seen(wide(1, step_mm=step_mm), look(40, 60)), *seen])

    assert [one.origin for one in found[1:]] == [
        RegionOrigin.NEIGHBOURS,
        RegionOrigin.CENTRE,
    ]


def test_another_slab_says_nothing() -> None:
    found = regions([Seen(wide(1), look(40, 60)), Seen(wide(2, tilt_deg=10))])

    assert found[1].origin is RegionOrigin.CENTRE


@given(
    known=st.lists(st.booleans(), min_size=1, max_size=9).filter(any),
    row=st.floats(20, 80),
    column=st.floats(20, 180),
)
def test_a_straight_canal_is_followed_through_every_gap(
    known: list[bool], row: float, column: float
) -> None:
    seen = [
        Seen(wide(n, step_mm=2.0), look(row, column) if is_known else None)
        for n, is_known in enumerate(known)
    ]

    found = regions(seen)

    assert len(found) == len(seen)
    for one in found:
        assert (one.row, one.column) == pytest.approx((row - 4, column))
