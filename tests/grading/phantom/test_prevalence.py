"""How often each combination of grades is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from grading.grades import Grade
from grading.phantom.prevalence import (
    MARGINS,
    draw_from,
    draw_wanted,
    fit_table,
    joint_table,
    possible,
)
from grading.phantom.ranges import Prevalence

EVEN = np.full((3, 4), 0.25)


def with_row(index: int, *shares: float) -> NDArray[np.float64]:
    margins = EVEN.copy()
    margins[index] = shares
    return margins


@pytest.mark.parametrize("prevalence", list(Prevalence))
def test_the_joint_table_has_the_margins_asked_for(prevalence: Prevalence) -> None:
    table = joint_table(prevalence)

    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        np.testing.assert_allclose(
            table.sum(axis=others), MARGINS[prevalence][axis], atol=2e-3
        )


def test_the_joint_table_holds_only_what_an_anatomy_can_show() -> None:
    table = joint_table(Prevalence.BALANCED)

    for cell in np.ndindex(table.shape):
        assert (table[cell] > 0) == possible(*cell)


def test_grades_are_drawn_as_often_as_the_table_says() -> None:
    rng = np.random.default_rng(0)

    counts = Counter(draw_wanted(Prevalence.PAPER, rng).lccs for _ in range(4000))

    for grade, share in zip(Grade, MARGINS[Prevalence.PAPER][1], strict=True):
        assert counts[grade] / 4000 == pytest.approx(share, abs=0.02)


def test_a_table_without_a_grade_never_draws_it() -> None:
    table = fit_table(with_row(0, 0.5, 0.5, 0.0, 0.0))
    rng = np.random.default_rng(1)

    drawn = {draw_from(table, rng).ldh for _ in range(300)}

    assert drawn == {0, 1}


@pytest.mark.parametrize(
    "shares",
    [(0.5, 0.5, 0.5, 0.5), (1.2, -0.2, 0.0, 0.0), (float("nan"), 0.5, 0.25, 0.25)],
)
def test_shares_that_are_none_are_refused_with_the_finding(
    shares: tuple[float, ...],
) -> None:
    with pytest.raises(
        ValueError, match=r"the shares of LCCS are .*: give four shares"
    ):
        fit_table(with_row(1, *shares))


def test_shares_that_no_anatomies_have_are_refused_with_the_reason() -> None:
    margins = with_row(0, 1.0, 0.0, 0.0, 0.0)
    margins[2] = (0.0, 0.0, 1.0, 0.0)

    with pytest.raises(ValueError, match=r"no mixture of anatomies .* ask for shares"):
        fit_table(margins)
