"""Two tables of predictions: compared on what they share, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grading.evaluation.case_file import COLUMNS, read_cases
from grading.evaluation.cases import Cases, Per
from grading.evaluation.delimited import CasesError
from grading.evaluation.evaluate import Sampling
from grading.evaluation.metrics import Metric
from grading.evaluation.pairing import pair, side_by_side
from grading.grades import Finding
from tests.grading.evaluation.case_tables import (
    Row,
    paper_rows,
    probability_cells,
    write_table,
)

SAMPLING = Sampling(resamples=100, seed=1)


@pytest.fixture
def rows() -> list[Row]:
    return list(paper_rows(keep=0.1))


def read(path: Path, rows: list[Row]) -> Cases:
    kept = [{name: row.get(name, "") for name in COLUMNS} for row in rows]
    return read_cases(write_table(path, kept, columns=COLUMNS))


def test_order_and_missing_rows_of_the_other_table_do_not_matter(
    tmp_path: Path, rows: list[Row]
) -> None:
    first = read(tmp_path / "a.csv", rows)
    second = read(tmp_path / "b.csv", rows[30:][::-1])

    found = pair(first, second)

    assert (found.only_first, found.only_second) == (30, 0)
    np.testing.assert_array_equal(found.first.probabilities, found.second.probabilities)
    np.testing.assert_array_equal(found.first.references, first.references[30:])


def test_a_reference_in_one_of_the_two_tables_is_enough(
    tmp_path: Path, rows: list[Row]
) -> None:
    blank = [row | {"reference": ""} for row in rows]
    complete = read(tmp_path / "b.csv", rows)

    found = pair(read(tmp_path / "a.csv", blank), complete)

    np.testing.assert_array_equal(found.first.references, complete.references)


@pytest.mark.parametrize(
    ("column", "said"), [("reference", "3"), ("patient", "somebody else")]
)
def test_tables_that_contradict_each_other_are_refused_with_both_lines(
    tmp_path: Path, rows: list[Row], column: str, said: str
) -> None:
    study = [row for row in rows if row["study"] == rows[0]["study"]]
    other = [dict(row) for row in study]
    if column == "reference":
        study[0]["reference"], other[0]["reference"] = "0", said
    else:
        other = [row | {column: said} for row in other]

    with pytest.raises(CasesError) as refusal:
        pair(read(tmp_path / "a.csv", study), read(tmp_path / "b.csv", other))

    assert refusal.value.line == 2
    assert f"`{column}` is " in refusal.value.sentence
    assert "in line 2 of a.csv" in refusal.value.sentence
    # A patient's key may be a Patient ID.
    assert ("somebody" in str(refusal.value)) is False


def test_a_row_that_one_table_does_not_predict_is_left_out(
    tmp_path: Path, rows: list[Row]
) -> None:
    other = [dict(row) for row in rows]
    other[0] |= dict.fromkeys(("p0", "p1", "p2", "p3"), "")

    found = pair(read(tmp_path / "a.csv", rows), read(tmp_path / "b.csv", other))

    assert (found.only_first, found.only_second) == (1, 1)


def test_a_better_table_is_better_by_its_interval(
    tmp_path: Path, rows: list[Row]
) -> None:
    rng = np.random.default_rng(1)
    right = [row | probability_cells(int(row["reference"]), rng) for row in rows]
    tables = read(tmp_path / "a.csv", rows), read(tmp_path / "b.csv", right)

    result = side_by_side(pair(*tables), SAMPLING)

    compared = result.comparisons[Per.SLICE][Finding.LDH]
    difference = compared.differences[Metric.ACCURACY]
    assert difference.low is not None
    assert difference.low > 0
    assert compared.second.figures[Metric.ACCURACY].value == 1


def test_a_table_beside_itself_does_not_differ(tmp_path: Path, rows: list[Row]) -> None:
    cases = read(tmp_path / "a.csv", rows)

    result = side_by_side(pair(cases, cases), SAMPLING)

    differences = [
        figure.value
        for by_finding in result.comparisons.values()
        for one in by_finding.values()
        for figure in one.differences.values()
        if figure.value is not None
    ]
    assert len(differences) > 60
    assert set(differences) == {0.0}
