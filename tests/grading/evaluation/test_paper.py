"""The paper's tables, to the printed digit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.evaluation.metrics import Metric, over_grades
from grading.evaluation.paper import (
    errata,
    recomputed,
    reproduce,
    rounded,
    rounded_cells,
)
from grading.evaluation.paper_tables import (
    MISPRINTS,
    PRINTED,
    RECOVERED,
    Cell,
    Column,
    PaperTable,
)
from grading.evaluation.scoring import score
from grading.grades import Finding, Grade
from tests.grading.evaluation.simulated import of_confusion

PAIRS = st.sampled_from(sorted(RECOVERED))


def test_both_tables_are_reproduced_but_for_the_two_misprints() -> None:
    computed = dict(cell for pair in RECOVERED for cell in recomputed(*pair))

    assert computed.keys() == PRINTED.keys()
    assert {cell for cell in PRINTED if computed[cell] != PRINTED[cell]} == {
        Cell(PaperTable.INTERNAL, Finding.LCCS, None, Column.GWET),
        Cell(PaperTable.EXTERNAL, Finding.LCCS, Grade.GRADE_2, Column.PRECISION),
    }


def test_the_tables_come_out_as_text_with_their_errata_named() -> None:
    text = reproduce()

    assert "LDH                 84.1             84.1             84.2" in text
    assert text.count("*") == len(MISPRINTS) + 1
    assert "Gwet k: printed 0.85, the counts give 0.86" in text
    assert "Precision (%): printed 9.1, the counts give 9.3" in text


def test_a_difference_that_nobody_named_is_an_error() -> None:
    cell = Cell(PaperTable.INTERNAL, Finding.LDH, None, Column.GWET)

    with pytest.raises(ValueError, match=r"LDH, Gwet k: printed 0\.80, .* 0\.81"):
        errata({cell: "0.81"})


@given(PAIRS, st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_where_the_errors_lie_moves_no_printed_figure(
    pair: tuple[PaperTable, Finding], seed: int
) -> None:
    counts = RECOVERED[pair]

    confusion = counts.confusion(np.random.default_rng(seed))

    assert tuple(confusion.sum(axis=1)) == counts.support
    assert tuple(confusion.sum(axis=0)) == counts.predicted
    assert tuple(confusion.diagonal()) == counts.correct
    assert [*rounded_cells(*pair, confusion)] == [*recomputed(*pair)]


def test_the_errors_do_move_between_fills_and_so_does_what_weighs_them() -> None:
    counts = RECOVERED[PaperTable.INTERNAL, Finding.LDH]

    fills = [counts.confusion(np.random.default_rng(seed)) for seed in range(5)]

    kappas = {float(over_grades(fill.astype(float))[Metric.KAPPA]) for fill in fills}
    assert len(kappas) == 5


def test_slices_with_the_recovered_counts_score_what_the_paper_prints() -> None:
    pair = PaperTable.EXTERNAL, Finding.LCCS
    confusion = RECOVERED[pair].confusion(np.random.default_rng(3))

    scores = score(of_confusion(confusion, patients=100))

    printed = {
        cell.column: PRINTED[cell]
        for cell in PRINTED
        if cell.grade is None and (cell.table, cell.finding) == pair
    }
    metrics = {
        Column.PRECISION: Metric.WEIGHTED_PRECISION,
        Column.F1: Metric.WEIGHTED_F1,
        Column.ACCURACY: Metric.ACCURACY,
        Column.SENSITIVITY: Metric.SENSITIVITY,
        Column.SPECIFICITY: Metric.SPECIFICITY,
        Column.GWET: Metric.AC1,
    }
    for column, metric in metrics.items():
        value = scores.figures[metric].value
        assert value is not None
        assert rounded(value, column) == printed[column]


@pytest.mark.parametrize(
    ("finding", "accuracy", "ac1"),
    [
        (Finding.LDH, 0.432, 0.334),
        (Finding.LCCS, 0.868, 0.862),
        (Finding.LNRC, 0.680, 0.648),
    ],
)
def test_always_grade_0_scores_what_the_audit_of_the_paper_says(
    finding: Finding, accuracy: float, ac1: float
) -> None:
    confusion = RECOVERED[PaperTable.EXTERNAL, finding].confusion(
        np.random.default_rng(0)
    )

    constant = score(of_confusion(confusion, patients=100)).constant

    assert constant.grade is Grade.GRADE_0
    assert constant.figures[Metric.ACCURACY].value == pytest.approx(accuracy, abs=5e-4)
    assert constant.figures[Metric.AC1].value == pytest.approx(ac1, abs=5e-4)


def test_always_grade_0_beats_the_paper_s_model_on_its_external_lccs_set() -> None:
    confusion = RECOVERED[PaperTable.EXTERNAL, Finding.LCCS].confusion(
        np.random.default_rng(0)
    )

    advantage = score(of_confusion(confusion, patients=100)).constant.advantage

    for metric in (Metric.ACCURACY, Metric.AC1):
        value = advantage[metric].value
        assert value is not None
        assert value < 0.0


def test_an_exact_half_goes_to_the_even_digit() -> None:
    assert rounded(0.1125, Column.F1) == "11.2"
    assert rounded(0.1135, Column.F1) == "11.4"
    assert rounded(0.845, Column.GWET) == "0.84"
    assert rounded(0.1125 + 1e-12, Column.F1) == "11.2"
