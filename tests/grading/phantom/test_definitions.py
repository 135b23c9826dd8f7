"""The three scales in numbers."""

from __future__ import annotations

import pytest

from grading.phantom.definitions import grade_canal, grade_herniation, grade_root


@pytest.mark.parametrize(
    ("share", "grade"),
    [(0, 0), (0.05, 0), (0.051, 1), (0.5, 1), (0.501, 2), (1.0, 2), (1.001, 3)],
)
def test_ldh_follows_the_msu_sizes_and_exactly_half_is_grade_1(
    share: float, grade: int
) -> None:
    assert grade_herniation(share) == grade


@pytest.mark.parametrize(
    ("anterior_mm", "aggregated", "grade"),
    [(2.5, 0.05, 0), (0.5, 0.05, 1), (0.2, 0.5, 2), (3.0, 0.5, 2), (0.0, 1.0, 3)],
)
def test_lccs_follows_lee(anterior_mm: float, aggregated: float, grade: int) -> None:
    assert grade_canal(anterior_mm, aggregated) == grade


@pytest.mark.parametrize(
    ("gap_mm", "shift_mm", "wall_gap_mm", "thickness", "grade"),
    [
        (1.2, 0.0, 4.0, 1.0, 0),
        (1.2, 0.0, 0.1, 1.0, 0),
        (0.1, 0.2, 4.0, 1.0, 1),
        (0.1, 2.0, 2.0, 1.0, 2),
        (0.1, 2.0, 0.1, 0.4, 3),
        (0.1, 2.0, 0.1, 0.9, 2),
        (0.1, 2.0, 3.0, 0.4, 2),
        (-1.0, 0.0, 4.0, 0.0, 3),
    ],
)
def test_lnrc_follows_pfirrmann(
    gap_mm: float, shift_mm: float, wall_gap_mm: float, thickness: float, grade: int
) -> None:
    assert grade_root(gap_mm, shift_mm, wall_gap_mm, thickness) == grade
