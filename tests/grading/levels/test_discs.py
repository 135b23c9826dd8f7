"""Discs counted up from the sacrum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.grades import Level
from grading.headers import Vector
from grading.levels.discs import DiscChain, LevelsUndetermined, chain, disagreement_mm
from grading.levels.geometry import plus
from grading.levels.sightings import Place
from tests.grading.spines import GAP_MM, SACRUM, place, spine

SIDE: Vector = (1.0, 0.0, 0.0)
FROM_THE_SACRUM = [
    Level.L5_S1, Level.L4_L5, Level.L3_L4, Level.L2_L3, Level.L1_L2, Level.T12_L1,
]  # fmt: skip


def upwards(found: DiscChain) -> list[Level | None]:
    return [disc.level for disc in reversed(found.discs)]


def shifted(number: int, along_mm: float) -> Place:
    one = place(number)
    assert one.margin
    way = (0.0, 0.0, along_mm)
    return Place(plus(one.centre, way), plus(one.margin, way), one.weight)


def test_discs_are_named_upwards_from_the_sacrum() -> None:
    assert upwards(spine(6)) == FROM_THE_SACRUM
    assert spine(6).levels == tuple(Level)


@pytest.mark.parametrize("discs", [1, 2, 4, 5])
def test_however_few_discs_are_seen_the_lowest_is_l5_s1(discs: int) -> None:
    assert upwards(spine(discs)) == FROM_THE_SACRUM[:discs]


def test_above_t12_l1_nothing_is_named() -> None:
    assert upwards(spine(8)) == [*FROM_THE_SACRUM, None, None]


def test_a_disc_between_sacral_bodies_is_not_counted() -> None:
    sacral = Place((0.0, -2.0, -33.0), None, 5)

    assert upwards(chain([place(1), sacral, place(0)], SACRUM)) == FROM_THE_SACRUM[:2]


@pytest.mark.parametrize("heights_mm", [(-33.0,), (-33.0, -56.0)])
def test_from_discs_between_sacral_bodies_alone_nothing_is_named(
    heights_mm: tuple[float, ...],
) -> None:
    sacral = [Place((0.0, -2.0, height_mm), None, 5) for height_mm in heights_mm]

    with pytest.raises(LevelsUndetermined, match="disc above the sacrum"):
        chain(sacral, SACRUM)


def test_without_the_sacrum_nothing_is_named() -> None:
    with pytest.raises(LevelsUndetermined, match="the sacrum was not found"):
        chain([place(number) for number in range(6)], None)


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3)])
def test_without_the_disc_on_the_sacrum_nothing_is_named(
    numbers: tuple[int, ...],
) -> None:
    with pytest.raises(LevelsUndetermined, match="disc above the sacrum"):
        chain([place(number) for number in numbers], SACRUM)


def test_a_disc_that_nobody_found_is_counted_and_told() -> None:
    found = chain([place(number) for number in (0, 1, 3, 4)], SACRUM)

    assert upwards(found) == [Level.L5_S1, Level.L4_L5, Level.L2_L3, Level.L1_L2]
    assert [disc.level for disc in found.discs if disc.gap_above] == [Level.L4_L5]


def test_across_a_gap_of_unknown_size_nothing_is_counted() -> None:
    found = chain([place(number) for number in (0, 1, 2, 5, 6)], SACRUM)

    assert upwards(found) == FROM_THE_SACRUM[:3]


def test_of_two_discs_in_one_place_the_better_seen_one_is_kept() -> None:
    double = Place((0.0, -20.0, GAP_MM + 9), None, weight=1)

    found = chain([*(place(n) for n in range(4)), double], SACRUM)

    assert upwards(found) == FROM_THE_SACRUM[:4]
    assert found.discs[-2].centre[2] == pytest.approx(GAP_MM)


def test_marks_in_the_middle_of_vertebrae_are_not_counted() -> None:
    middles = [
        Place((0.0, -20.0, GAP_MM * (n + 0.5)), None, weight=1) for n in (0, 1, 3)
    ]

    found = chain([*(place(n) for n in range(6)), *middles], SACRUM)

    assert upwards(found) == FROM_THE_SACRUM


def test_the_middle_of_l5_is_not_taken_for_the_disc_on_the_sacrum() -> None:
    middle = Place((0.0, -20.0, GAP_MM / 2), None, weight=1)

    with pytest.raises(LevelsUndetermined, match="disc above the sacrum"):
        chain([middle, *(place(n) for n in range(2, 6))], SACRUM)


def test_a_margin_that_was_not_found_lies_behind_the_disc() -> None:
    places = [Place(place(n).centre, None, 3) for n in range(3)]

    (_, middle, _) = chain(places, SACRUM).discs

    assert middle.margin == pytest.approx((0.0, -3.0, GAP_MM))


def test_series_that_agree_differ_by_nothing() -> None:
    assert disagreement_mm(spine(6), spine(4), SIDE) == 0


def test_series_that_count_differently_differ_by_a_disc() -> None:
    other = chain([place(number) for number in range(1, 6)], plus(SACRUM, (0, 0, 34)))

    assert disagreement_mm(spine(6), other, SIDE) == pytest.approx(GAP_MM)


@given(
    order=st.permutations(range(6)),
    lordosis_deg=st.floats(-35, 35),
    shift=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_names_depend_on_neither_order_nor_tilt_nor_place(
    order: list[int], lordosis_deg: float, shift: Vector
) -> None:
    def moved(where: Vector) -> Vector:
        x, y, z = where
        cosine, sine = (f(math.radians(lordosis_deg)) for f in (math.cos, math.sin))
        turned = (x, cosine * y - sine * z, sine * y + cosine * z)
        return plus(turned, shift)

    places = [Place(moved(place(n).centre), None, 3) for n in order]

    assert upwards(chain(places, moved(SACRUM))) == FROM_THE_SACRUM


# Discs in turn 3.5 mm up and down lie 27 and 41 mm apart: 0.66 and 1.46 of the usual
# distance. From 0.65 and 1.6 they would be twins, or one would be missing.
@given(shifts=st.lists(st.floats(-3.5, 3.5), min_size=6, max_size=6))
def test_discs_of_uneven_distance_are_all_counted(shifts: list[float]) -> None:
    places = [shifted(number, mm) for number, mm in enumerate(shifts)]

    assert upwards(chain(places, SACRUM)) == FROM_THE_SACRUM


def test_the_assumed_margin_of_the_lowest_disc_follows_the_sacrum() -> None:
    leaning = (0.0, -6.0, -22.0)
    places = [Place((0.0, -20.0, 0.0), None, 3), Place((0.0, -24.0, 34.0), None, 3)]

    lowest = chain(places, leaning).discs[-1]

    # The course from the sacrum to L4/L5 leans 18 in 56 to the front.
    behind, above = lowest.margin[1] + 20.0, lowest.margin[2]
    assert above / behind == pytest.approx(18 / 56)
    assert math.hypot(behind, above) == pytest.approx(17.0)
