"""What counts as a case, per slice and per level, and where the rest goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grading.evaluation.case_file import COLUMNS, read_cases
from grading.evaluation.cases import Cases, Per
from grading.evaluation.demographics import demographics
from grading.evaluation.flow import Count, LeftOut, flow, rows_left_out
from grading.evaluation.selection import outcomes, units
from grading.grades import Finding
from tests.grading.evaluation.case_tables import write_table

CERTAIN = [
    dict(zip(("p0", "p1", "p2", "p3"), cells, strict=True))
    for cells in ("1000", "0100", "0010", "0001")
]
Read = Callable[..., Cases]
UNPREDICTED = dict.fromkeys(("p0", "p1", "p2", "p3"), "")


def a_slice(number: int, **cells: str) -> dict[str, str]:
    place = {
        "patient": "P1",
        "study": "1.2",
        "series": "1.2.3",
        "sop_instance": f"1.2.3.{number}",
        "level": "L4/L5",
        "finding": "LDH",
    }
    return place | cells


def a_level(**cells: str) -> dict[str, str]:
    return {"patient": "P1", "study": "1.2", "level": "L4/L5", "finding": "LDH"} | cells


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_rows(*rows: dict[str, str]) -> Cases:
        columns = (*COLUMNS, "excluded", "sex", "age", "site")
        return read_cases(write_table(tmp_path / "t.csv", rows, columns=columns))

    return read_rows


def test_a_level_is_the_mean_of_its_slices_against_the_worst_of_them(
    read: Read,
) -> None:
    cases = read(
        a_slice(1, reference="1", **CERTAIN[0]), a_slice(2, reference="3", **CERTAIN[2])
    )

    found = outcomes(cases, Finding.LDH, Per.LEVEL)

    assert found.reference.tolist() == [3]
    np.testing.assert_allclose(found.probabilities, [[0.5, 0, 0.5, 0]])


def test_a_levels_own_reference_counts_more_than_its_slices(read: Read) -> None:
    cases = read(
        a_level(reference="1"),
        a_slice(1, reference="3", **CERTAIN[0]),
        a_slice(2, **CERTAIN[2]),
    )

    found = outcomes(cases, Finding.LDH, Per.LEVEL)

    assert found.reference.tolist() == [1]
    np.testing.assert_allclose(found.probabilities, [[0.5, 0, 0.5, 0]])


def test_a_levels_own_prediction_counts_more_than_its_slices(read: Read) -> None:
    cases = read(a_slice(1, reference="2", **CERTAIN[0]), a_level(**CERTAIN[3]))

    found = outcomes(cases, Finding.LDH, Per.LEVEL)

    assert (found.reference.tolist(), found.predicted.tolist()) == ([2], [3])


def test_slices_without_a_level_are_in_no_level(read: Read) -> None:
    cases = read(a_slice(1, level="", reference="2", **CERTAIN[2]))

    assert len(outcomes(cases, Finding.LDH, Per.SLICE)) == 1
    assert len(outcomes(cases, Finding.LDH, Per.LEVEL)) == 0
    [left_out] = flow(cases).left_out
    assert (left_out.per, left_out.units) == (Per.LEVEL, 1)
    assert left_out.reason == "the slice's level is not given"


def test_levels_of_two_studies_stay_apart_and_in_order(read: Read) -> None:
    other = {"study": "1.9", "series": "1.9.1", "patient": "P2"}
    cases = read(
        a_slice(1, reference="3", **CERTAIN[3]) | other,
        a_slice(2, reference="0", **CERTAIN[0]),
        a_slice(3, reference="1", level="L5/S1", **CERTAIN[1]),
    )

    found = units(cases, Finding.LDH, Per.LEVEL)

    assert found.references.tolist() == [3, 0, 1]
    assert found.rows.tolist() == [0, 1, 2]
    assert found.patients.tolist() == [0, 1, 1]


def test_findings_do_not_mix(read: Read) -> None:
    cases = read(
        a_slice(1, reference="3", **CERTAIN[3]),
        a_slice(1, reference="0", finding="LNRC", **CERTAIN[0]),
    )

    assert outcomes(cases, Finding.LDH, Per.LEVEL).reference.tolist() == [3]
    assert outcomes(cases, Finding.LNRC, Per.LEVEL).reference.tolist() == [0]
    assert len(outcomes(cases, Finding.LCCS, Per.SLICE)) == 0


def test_the_flow_counts_patients_slices_and_levels_and_every_reason(
    read: Read,
) -> None:
    gone = {"patient": "P2", "study": "1.9", "series": "1.9.1", "excluded": "fracture"}
    cases = read(
        a_slice(1, reference="3", **CERTAIN[3]),
        a_slice(2, reference="", **CERTAIN[0]),
        a_slice(3, reference="1", **UNPREDICTED),
        a_slice(4, reference="", **UNPREDICTED),
        a_slice(5, reference="2", excluded="artefact", **CERTAIN[0]),
        a_slice(6, reference="2", **CERTAIN[0]) | gone,
    )

    found = flow(cases)

    assert found.read == Count(patients=2, slices=6, levels=2)
    assert found.excluded == {
        "artefact": Count(patients=0, slices=1, levels=0),
        "fracture": Count(patients=1, slices=1, levels=1),
    }
    assert found.included == Count(patients=1, slices=4, levels=1)
    assert found.compared[Finding.LDH] == Count(patients=1, slices=1, levels=1)
    assert found.compared[Finding.LCCS] == Count(patients=0, slices=0, levels=0)

    def left_out(reason: str, excluded: str | None = None) -> LeftOut:
        return LeftOut(Finding.LDH, Per.SLICE, reason, 1, 1, excluded)

    assert set(found.left_out) == {
        left_out("no reference grade"),
        left_out("no prediction"),
        left_out("neither reference grade nor prediction"),
        left_out("excluded: artefact", "artefact"),
        left_out("excluded: fracture", "fracture"),
    }


def test_every_row_left_out_is_named_with_its_reason(read: Read) -> None:
    cases = read(
        a_slice(1, reference="", **CERTAIN[0]),
        a_slice(2, reference="1", **CERTAIN[0]),
        a_slice(3, reference="1", excluded="tumour", **CERTAIN[0]),
    )

    assert rows_left_out(cases) == [(0, "no reference grade"), (2, "excluded: tumour")]


def test_people_are_described_once_by_site_and_without_the_excluded(read: Read) -> None:
    def of(patient: int, **cells: str) -> dict[str, str]:
        place = {"patient": f"P{patient}", "study": f"1.{patient}"}
        return a_slice(1, series=f"1.{patient}.1", **CERTAIN[0]) | place | cells

    cases = read(
        of(1, sex="F", age="40", site="north"),
        of(1, sex="F", age="40", site="north", finding="LNRC"),
        of(2, sex="M", age="50", site="south"),
        of(3, site="south"),
        of(4, sex="M", age="90", site="south", excluded="surgery"),
    )

    everybody, north, south = demographics(cases)

    assert (everybody.patients, everybody.women, everybody.men) == (3, 1, 1)
    assert (everybody.sex_unknown, everybody.aged) == (1, 2)
    assert (everybody.mean_years, everybody.oldest_years) == (45, 50)
    assert everybody.deviation_years == pytest.approx(np.sqrt(50))
    assert (north.patients, north.deviation_years) == (1, None)
    assert (south.patients, south.mean_years) == (2, 50)
