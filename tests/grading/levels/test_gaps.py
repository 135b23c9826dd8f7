"""Where slices seem to be missing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.headers import ImageHeader
from grading.levels.gaps import evenly_spaced, gaps
from grading.levels.slabs import slabs
from grading.series import group_series
from tests.grading.builders import hitachi, image


def stack(
    count: int, *, spacing_mm: float = 4.0, top_mm: float = 0.0, tilt_deg: float = 0.0
) -> list[ImageHeader]:
    return [
        image(
            round(1000 * abs(top_mm)) + n,
            height_mm=top_mm - n * spacing_mm,
            tilt_deg=tilt_deg,
        )
        for n in range(count)
    ]


@given(
    count=st.integers(6, 30),
    spacing_mm=st.floats(0.8, 12.0),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_one_slice_that_is_missing_inside_is_one_gap_in_whatever_order(
    count: int, spacing_mm: float, seed: int, data: st.DataObject
) -> None:
    images = stack(count, spacing_mm=spacing_mm)
    del images[data.draw(st.integers(1, count - 2))]
    random.Random(seed).shuffle(images)

    (gap,) = gaps(images)

    assert gap.slices == 1
    assert gap.gap_mm == pytest.approx(2 * spacing_mm)
    assert gap.spacing_mm == pytest.approx(spacing_mm)
    assert not evenly_spaced(images)


@given(count=st.integers(1, 30), spacing_mm=st.floats(0.8, 12.0))
def test_an_even_stack_has_no_gap(count: int, spacing_mm: float) -> None:
    images = stack(count, spacing_mm=spacing_mm)

    assert gaps(images) == []
    assert evenly_spaced(images)


def test_two_slices_that_are_missing_side_by_side_are_counted() -> None:
    images = stack(9)
    del images[4:6]

    assert [gap.slices for gap in gaps(images)] == [2]


@pytest.mark.parametrize("end", [0, -1])
def test_a_slice_that_is_missing_at_an_end_leaves_no_gap(end: int) -> None:
    images = stack(9)
    del images[end]

    assert evenly_spaced(images)


def test_the_distance_to_the_next_disc_is_no_gap() -> None:
    images = stack(4, top_mm=36.0) + stack(4)

    assert gaps(images) == []
    assert evenly_spaced(images)


def test_slabs_of_a_real_study_have_no_gap_until_one_slice_is_taken_out() -> None:
    (series,) = group_series(hitachi("t2_ax"))
    whole = list(series.images)
    middle = slabs(whole)[2].members[1]

    without = [it for index, it in enumerate(whole) if index != middle]

    assert evenly_spaced(whole)
    assert [gap.slices for gap in gaps(without)] == [1]


def test_the_second_echo_in_the_place_of_the_first_is_no_gap() -> None:
    images = [*stack(5), *(image(100 + n, height_mm=-4.0 * n) for n in range(5))]

    assert evenly_spaced(images)


def test_slices_at_odd_distances_are_not_evenly_spaced() -> None:
    heights = (0.0, -4.0, -8.0, -12.0, -17.0, -21.0)
    images = [image(n, height_mm=mm) for n, mm in enumerate(heights)]

    assert gaps(images) == []
    assert not evenly_spaced(images)
