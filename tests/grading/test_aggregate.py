"""From slices to levels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.aggregate import level_grades
from grading.grades import (
    Finding,
    Grading,
    Level,
    Region,
    RegionOrigin,
    Side,
    SliceGrade,
    SliceKey,
)

Shares = tuple[float, float, float, float]
MILD: Shares = (0.1, 0.8, 0.1, 0.0)
SEVERE: Shares = (0.0, 0.1, 0.2, 0.7)
HARDLY_SEVERE: Shares = (0.3, 0.3, 0.0, 0.4)


def slice_grade(
    number: int,
    shares: Shares = MILD,
    *,
    slab: int = 1,
    level: Level | None = None,
    through_disc: bool | None = None,
) -> SliceGrade:
    return SliceGrade(
        key=SliceKey("2.25.5", f"2.25.5.{number}"),
        slab=slab,
        position_mm=-4.0 * number,
        region=Region(1.0, 1.0, 54.0, origin=RegionOrigin.CENTRE),
        grades={finding: Grading(shares) for finding in Finding},
        level=level,
        through_disc=through_disc,
    )


def on(level: Level, number: int, shares: Shares = MILD, **more: int) -> SliceGrade:
    return slice_grade(number, shares, level=level, through_disc=True, **more)


def test_a_level_is_the_mean_of_its_slices_and_shows_the_surest() -> None:
    unsure = slice_grade(1, (0.4, 0.3, 0.2, 0.1))
    sure = slice_grade(2, (0.8, 0.2, 0.0, 0.0))
    other = slice_grade(3, (0.0, 0.1, 0.9, 0.0), slab=2)

    first, second = level_grades([unsure, sure, other], slab_count=2)

    assert first.grades[Finding.LDH].probabilities == pytest.approx(
        (0.6, 0.25, 0.1, 0.05)
    )
    assert first.key_slice == sure.key
    assert first.slices == (unsure.key, sure.key)
    assert (second.name, second.grades[Finding.LNRC].grade) == ("slab 2 of 2", 2)


def test_a_block_through_several_discs_gives_a_grade_for_each() -> None:
    slices = [
        on(Level.L3_L4, 1),
        on(Level.L3_L4, 2, SEVERE),
        slice_grade(3, SEVERE, through_disc=False),
        on(Level.L4_L5, 4, SEVERE),
    ]

    upper, lower = level_grades(slices, slab_count=1)

    assert (upper.name, lower.name) == ("L3/L4", "L4/L5")
    assert upper.slices == (slices[0].key, slices[1].key)
    assert lower.slices == (slices[3].key,)


def test_a_slice_beside_its_disc_does_not_count() -> None:
    beside = slice_grade(1, SEVERE, level=Level.L4_L5, through_disc=False)

    (level,) = level_grades([beside, on(Level.L4_L5, 2)], slab_count=1)

    assert level.slices == (on(Level.L4_L5, 2).key,)
    assert level.grades[Finding.LDH].grade == 1


def test_a_level_imaged_by_two_series_is_one_level() -> None:
    slices = [on(Level.L4_L5, 1), on(Level.L4_L5, 2, SEVERE, slab=2)]

    (level,) = level_grades(slices, slab_count=2)

    assert len(level.slices) == 2


def test_the_worst_slice_is_kept_beside_the_mean() -> None:
    slices = [
        on(Level.L4_L5, 1),
        on(Level.L4_L5, 2, HARDLY_SEVERE),
        on(Level.L4_L5, 3, SEVERE),
        on(Level.L4_L5, 4),
        on(Level.L4_L5, 5),
    ]

    (level,) = level_grades(slices, slab_count=1)

    assert level.grades[Finding.LCCS].grade == 1
    assert level.worst == dict.fromkeys(Finding, slices[2].key)
    assert level.key_slice in {slices[0].key, slices[3].key, slices[4].key}


def test_each_side_has_its_mean() -> None:
    roots = {Side.RIGHT: Grading(MILD), Side.LEFT: Grading(SEVERE)}
    slices = [replace(on(Level.L4_L5, n), roots=roots) for n in (1, 2)]

    (level,) = level_grades(slices, slab_count=1)

    assert {side: grading.grade for side, grading in level.roots.items()} == {
        Side.RIGHT: 1,
        Side.LEFT: 3,
    }


def test_a_bundle_without_sides_gives_none() -> None:
    (level,) = level_grades([on(Level.L4_L5, 1)], slab_count=1)

    assert level.roots == {}


def test_without_levels_a_slab_counts_the_slices_that_look_like_a_disc() -> None:
    slices = [slice_grade(1, SEVERE, through_disc=False), slice_grade(2)]
    slices[1] = replace(slices[1], through_disc=True)

    (slab,) = level_grades(slices, slab_count=1)

    assert (slab.level, slab.slices) == (None, (slices[1].key,))


def test_a_slab_through_no_disc_is_no_level_beside_those_that_are() -> None:
    sacral = [slice_grade(n, through_disc=False, slab=2) for n in (2, 3)]

    (level,) = level_grades([on(Level.L5_S1, 1), *sacral], slab_count=2)

    assert level.level is Level.L5_S1


def test_where_nothing_passes_through_a_disc_there_is_no_level() -> None:
    slices = [slice_grade(n, through_disc=False, slab=n) for n in (1, 2)]
    beside = slice_grade(3, level=Level.L4_L5, through_disc=False, slab=3)

    assert level_grades([*slices, beside], 3) == ()


def test_slices_known_to_show_a_disc_count_before_those_that_nobody_could_tell() -> (
    None
):
    slices = [slice_grade(1, SEVERE), slice_grade(2, through_disc=True)]

    (slab,) = level_grades(slices, slab_count=1)

    assert slab.slices == (slices[1].key,)


def test_slices_above_the_discs_found_are_no_level_beside_those_of_their_slab() -> None:
    slices = [slice_grade(1, SEVERE), on(Level.T12_L1, 2)]

    (level,) = level_grades(slices, slab_count=1)

    assert level.slices == (slices[1].key,)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 4),
            st.none() | st.sampled_from(Level),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_may_show_a_disc_is_graded_and_nothing_counts_twice(
    drawn: list[tuple[int, Level | None, bool | None]],
) -> None:
    slices = [
        slice_grade(n, slab=slab, level=level, through_disc=through)
        for n, (slab, level, through) in enumerate(
            sorted(drawn, key=lambda one: one[0])
        )
    ]

    levels = level_grades(slices, slab_count=4)

    counted = [key for level in levels for key in level.slices]
    named = [level.level for level in levels if level.level]
    levelled = {one.slab for one in slices if one.level}
    assert counted or all(
        one.slab in levelled or one.through_disc is False for one in slices
    )
    assert not {one.key for one in slices if one.through_disc is False} & set(counted)
    assert len(counted) == len(set(counted))
    assert len(named) == len(set(named))
