"""Two readers and an adjudicator: their agreement, and the reference they make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grading.evaluation.case_file import COLUMNS, read_cases
from grading.evaluation.cases import NONE, Per
from grading.evaluation.delimited import CasesError
from grading.evaluation.evaluate import Sampling
from grading.evaluation.metrics import Metric
from grading.evaluation.places import PLACE_COLUMNS
from grading.evaluation.reader_study import FIRST, REFERENCE, SECOND, reader_study
from grading.evaluation.readers import READER_COLUMNS, Readings, read_readings
from grading.evaluation.report.reports import readers_report
from grading.grades import Finding, Grade
from tests.grading.evaluation.case_tables import (
    Row,
    probability_cells,
    slice_place,
    write_table,
)
from tests.grading.evaluation.simulated import PREVALENCE

SAMPLING = Sampling(resamples=100, seed=1)


def place(i: int, **cells: str) -> Row:
    kept = {name: cell for name, cell in slice_place(i).items() if name in COLUMNS}
    return {**kept, "finding": "LDH", **cells}


def reading(i: int, first: str, second: str, adjudicated: str = "") -> Row:
    grades = (first, second, adjudicated)
    return place(i) | dict(zip(READER_COLUMNS, grades, strict=True))


def write_readings(path: Path, *rows: Row) -> Path:
    return write_table(path, rows, columns=(*PLACE_COLUMNS, *READER_COLUMNS))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "readers.csv"


def references(readings: Readings) -> list[Grade | None]:
    return [one.reference for one in readings.by_key.values()]


def test_the_reference_is_what_both_say_and_else_what_the_adjudicator_says(
    table: Path,
) -> None:
    readings = read_readings(
        write_readings(
            table,
            reading(0, "1", "1"),
            reading(1, "1", "2", "2"),
            reading(2, "1", "3", "0"),
            reading(3, "1", "2"),
            reading(4, "1", ""),
            reading(5, "", "1", "3"),
            reading(6, "", "", "2"),
            reading(7, "", ""),
        )
    )

    assert references(readings) == [1, 2, 0, None, None, 3, 2, None]


def test_an_adjudicator_against_both_readers_is_a_mistake(table: Path) -> None:
    write_readings(table, reading(0, "1", "1", "1"), reading(1, "1", "1", "2"))

    with pytest.raises(CasesError, match="line 3: both readers say 1, `adjudicated`"):
        read_readings(table)


def test_a_grade_4_is_named_with_its_line(table: Path) -> None:
    with pytest.raises(CasesError, match="line 2: `reader_b` is '4'"):
        read_readings(write_readings(table, reading(0, "1", "4")))


def test_readers_fill_in_the_reference_of_predictions(
    tmp_path: Path, table: Path
) -> None:
    rng = np.random.default_rng(1)
    rows = [place(i) | probability_cells(1, rng) for i in range(3)]
    rows[2]["reference"] = "3"
    predictions = write_table(tmp_path / "p.csv", rows, columns=COLUMNS)
    readings = read_readings(
        write_readings(table, reading(0, "1", "1"), reading(9, "2", "2"))
    )

    cases = read_cases(predictions, readings)

    assert cases.references.tolist() == [1, NONE, 3, 2]
    assert cases.predicted.tolist() == [True, True, True, False]
    assert cases.lines.tolist() == [2, 3, 4, 0]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (reading(0, "1", "1"), "`reference` is 2 here, but the readers' table says 1"),
        (reading(0, "2", "2") | {"patient": "P9"}, "`patient` is another here"),
        (reading(1, "1", "1") | {"patient": "P9"}, "has another patient here"),
    ],
)
def test_readers_that_contradict_the_predictions_are_named(
    tmp_path: Path, table: Path, there: Row, found: str
) -> None:
    rows = [place(0, reference="2")]
    predictions = write_table(tmp_path / "p.csv", rows, columns=COLUMNS)
    readings = read_readings(write_readings(table, there))

    with pytest.raises(CasesError) as refusal:
        read_cases(predictions, readings)

    assert found in refusal.value.sentence
    assert "line 2 of " in refusal.value.sentence


def test_readers_and_model_are_compared_on_the_same_slices(
    tmp_path: Path, table: Path
) -> None:
    rng = np.random.default_rng(1)
    grades = rng.choice(4, p=PREVALENCE, size=60).tolist()
    seconds = [grade if i % 5 else (grade + 1) % 4 for i, grade in enumerate(grades)]
    rows = [place(i) | probability_cells(it, rng) for i, it in enumerate(grades)]
    predictions = write_table(tmp_path / "p.csv", rows, columns=COLUMNS)
    both = zip(grades, seconds, strict=True)
    readings = read_readings(
        write_readings(
            table,
            *(
                reading(i, f"{first}", f"{second}", "" if i % 5 else f"{first}")
                for i, (first, second) in enumerate(both)
            ),
        )
    )

    study = reader_study(readings, read_cases(predictions, readings), SAMPLING)

    [panel] = study.panels
    assert (panel.per, panel.finding) == (Per.SLICE, Finding.LDH)
    assert panel.agreement.equal.value == pytest.approx(0.8)
    accuracies = {
        name: panel.model[name].figures[Metric.ACCURACY].value for name in panel.model
    }
    assert accuracies == pytest.approx({REFERENCE: 1.0, FIRST: 1.0, SECOND: 0.8})
    assert len(study.disagreements) == 12
    first = study.disagreements[0]
    assert (first.reading.first, first.predicted) == (grades[0], grades[0])


def test_levels_that_readers_graded_meet_the_mean_of_the_models_slices(
    tmp_path: Path, table: Path
) -> None:
    rng = np.random.default_rng(1)
    rows = [place(i) | probability_cells(2, rng) for i in range(3)]
    predictions = write_table(tmp_path / "p.csv", rows, columns=COLUMNS)
    level = reading(0, "2", "1", "2") | dict.fromkeys(
        ("series", "sop_instance", "frame"), ""
    )
    readings = read_readings(write_readings(table, level))

    study = reader_study(readings, read_cases(predictions, readings), SAMPLING)

    [panel] = study.panels
    assert (panel.per, panel.model[REFERENCE].cases) == (Per.LEVEL, 1)
    assert study.disagreements[0].predicted == 2


def test_what_the_predictions_table_excludes_is_not_counted_among_the_readers(
    tmp_path: Path, table: Path
) -> None:
    rng = np.random.default_rng(1)
    rows = [place(i) | probability_cells(1, rng) for i in range(3)]
    rows[1]["excluded"] = "fracture"
    predictions = write_table(tmp_path / "p.csv", rows, columns=(*COLUMNS, "excluded"))
    readings = read_readings(
        write_readings(table, *(reading(i, "1", f"{i}") for i in range(3)))
    )

    study = reader_study(readings, read_cases(predictions, readings), SAMPLING)

    assert (study.excluded, study.panels[0].agreement.cases) == (1, 2)
    assert len(study.disagreements) == 2


def test_readers_who_never_met_have_no_agreement_and_the_report_says_so(
    table: Path,
) -> None:
    readings = read_readings(
        write_readings(table, reading(0, "1", ""), reading(1, "", "2"))
    )

    report = readers_report(readings, SAMPLING)

    assert (
        "LDH: reader A, reader B | 0 | not defined (there is no case)"
        in (report.files["report.md"])
    )
    assert "<img" not in report.files["report.html"]


def test_readers_alone_need_no_predictions(table: Path) -> None:
    readings = read_readings(
        write_readings(table, reading(0, "1", "1"), reading(1, "0", "2"))
    )

    study = reader_study(readings, None, SAMPLING)

    assert (study.unresolved, len(study.disagreements)) == (1, 1)
    assert study.panels[0].model == {}


def test_columns_that_only_predictions_have_do_not_disturb(
    tmp_path: Path, table: Path
) -> None:
    row = reading(0, "1", "1") | probability_cells(1, np.random.default_rng(1))

    write_table(table, [row], columns=(*COLUMNS, *READER_COLUMNS))

    assert references(read_readings(table)) == [1]
