"""Two readers and an adjudicator."""

from __future__ import annotations

import numpy as np
import pytest

from grading.evaluation.agreement import MISSING
from grading.evaluation.raters import adjudicate, reader_agreement
from grading.grades import Finding

FIRST = np.array([0, 1, 2, MISSING, 3, 1], np.int8)
SECOND = np.array([0, 2, 2, 1, MISSING, 0], np.int8)
PATIENTS = np.array([1, 1, 2, 2, 3, 3])


def test_the_adjudicator_is_heard_where_the_readers_differ() -> None:
    adjudicator = np.array([3, 2, MISSING, 1, MISSING, MISSING], np.int8)

    reference = adjudicate(FIRST, SECOND, adjudicator)

    assert reference.tolist() == [0, 2, 2, 1, MISSING, MISSING]


def test_readers_are_compared_where_both_graded() -> None:
    agreement = reader_agreement(Finding.LDH, FIRST, SECOND, PATIENTS, seed=1)

    assert agreement.cases == 4
    assert agreement.patients == 3
    assert agreement.equal.value == pytest.approx(0.5)
    assert agreement.confusion[1].tolist() == [1, 0, 1, 0]
    assert agreement.ac1.value == pytest.approx(
        agreement.ac1_by_formula.coefficient.value
    )


def test_readers_without_a_common_case_have_no_agreement() -> None:
    agreement = reader_agreement(
        Finding.LDH, FIRST[3:4], SECOND[3:4], PATIENTS[3:4], seed=1
    )

    assert agreement.cases == 0
    assert agreement.ac1.value is None
    assert agreement.ac1.undefined == "there is no case"
