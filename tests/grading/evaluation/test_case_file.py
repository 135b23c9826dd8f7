"""Tables as hospitals write them: read whole, or refused with file, line and cure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.evaluation.case_file import COLUMNS, read_cases
from grading.evaluation.cases import NONE
from grading.evaluation.delimited import CasesError
from grading.grades import Basis
from tests.grading.evaluation.case_tables import write_table

ROW = {
    "patient": "P1",
    "study": "1.2",
    "series": "1.2.3",
    "sop_instance": "1.2.3.4",
    "frame": "1",
    "level": "L4/L5",
    "finding": "LDH",
    "reference": "2",
    "p0": "0.1",
    "p1": "0.2",
    "p2": "0.6",
    "p3": "0.1",
}
ALL_COLUMNS = (
    *COLUMNS,
    *("site", "scanner", "sex", "age", "excluded", "images"),
    *("bundle", "bundle_sha256", "basis", "part"),
)
OTHER_SLICE = {"sop_instance": "1.2.3.5"}
OTHER_FINDING = {"finding": "LNRC"}
OTHER_STUDY = {"study": "1.9", "series": "1.9.1", "sop_instance": "1.9.1.1"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def write(path: Path, *changes: dict[str, str]) -> Path:
    """Write one row per change to ``ROW``."""
    rows = [ROW | change for change in changes]
    return write_table(path, rows, columns=ALL_COLUMNS)


def refused(path: Path) -> CasesError:
    with pytest.raises(CasesError) as refusal:
        read_cases(path)
    return refusal.value


def test_a_row_reads_back_as_it_was_written(table: Path) -> None:
    facts = {"site": "north", "scanner": "Verio", "sex": "F", "age": "049Y"}

    cases = read_cases(write(table, facts))

    key = cases.key(0)
    assert (key.study, key.series, key.sop_instance) == ("1.2", "1.2.3", "1.2.3.4")
    assert (key.frame, key.finding, cases.level(0)) == (1, "LDH", "L4/L5")
    assert cases.references.tolist() == [2]
    np.testing.assert_allclose(cases.probabilities, [[0.1, 0.2, 0.6, 0.1]])
    assert (cases.sites[0], cases.scanners[0]) == ("north", "Verio")
    assert cases.people["P1"].age_years == 49
    assert cases.lines.tolist() == [2]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_and_delimiters_make_no_difference(
    table: Path, encoding: str, delimiter: str
) -> None:
    row = ROW | {"site": "中山大学"}

    write_table(
        table, [row], columns=ALL_COLUMNS, encoding=encoding, delimiter=delimiter
    )

    cases = read_cases(table)
    assert cases.sites[0] == "中山大学"
    assert cases.source.encoding == ("GB18030" if encoding == "gb18030" else "UTF-8")


def test_decimal_commas_are_numbers_where_commas_are_free(table: Path) -> None:
    row = ROW | {"p0": "0,1", "p1": "0,2", "p2": "0,6", "p3": "0,1"}

    write_table(table, [row], columns=COLUMNS, delimiter=";")

    np.testing.assert_allclose(read_cases(table).probabilities, [[0.1, 0.2, 0.6, 0.1]])


def test_missing_grades_and_missing_predictions_are_no_error(table: Path) -> None:
    without_prediction = dict.fromkeys(("p0", "p1", "p2", "p3"), "")

    cases = read_cases(
        write(table, {"reference": ""}, OTHER_SLICE | without_prediction)
    )

    assert cases.references.tolist() == [NONE, 2]
    assert cases.predicted.tolist() == [True, False]


def test_empty_lines_are_skipped_and_lines_still_counted_as_editors_do(
    table: Path,
) -> None:
    write(table, {}, OTHER_SLICE)
    header, first, second = table.read_text().splitlines()
    table.write_text(f"{header}\n{first}\n{',' * header.count(',')}\n\n{second}\n")

    assert read_cases(table).lines.tolist() == [2, 5]


def test_unknown_columns_are_named_and_not_looked_at(table: Path) -> None:
    write_table(table, [ROW | {"exluded": "surgery"}], columns=(*COLUMNS, "exluded"))

    assert read_cases(table).source.unused == ("exluded",)


def test_the_bundle_that_predicted_is_known_where_the_table_names_it(
    table: Path,
) -> None:
    bundle = {"bundle": "own 1", "bundle_sha256": "ab" * 32, "basis": "site"}

    source = read_cases(write(table, bundle, OTHER_SLICE)).source

    [predictor] = source.predictors
    assert (predictor.name, predictor.basis) == ("own 1", Basis.SITE)
    assert source.unnamed


def test_images_of_a_phantom_are_known(table: Path) -> None:
    assert read_cases(write(table, {"images": "phantom"})).source.phantom
    assert not read_cases(write(table, {})).source.phantom


def test_rows_of_a_level_and_of_its_slices_belong_together(table: Path) -> None:
    of_level = {"series": "", "sop_instance": "", "frame": ""}

    cases = read_cases(write(table, {}, of_level))

    assert cases.about_level.tolist() == [False, True]
    assert cases.discs[0] == cases.discs[1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"reference": "4"}, "`reference` is '4'"),
        ({"reference": "1.0"}, "`reference` is '1.0'"),
        ({"finding": "LDS"}, "`finding` is 'LDS'"),
        ({"level": "L4-5"}, "`level` is 'L4-5'"),
        ({"frame": "0"}, "`frame` is '0'"),
        ({"patient": ""}, "`patient` is empty"),
        ({"study": " "}, "`study` is empty"),
        ({"series": ""}, "`series` is empty"),
        ({"sop_instance": "", "level": ""}, "`level` is empty"),
        ({"p0": "0.4"}, "sum to 1.3"),
        ({"p0": ""}, "`p0` is ''"),
        ({"p0": "-0.1", "p1": "0.4"}, "`p0` is '-0.1'"),
        ({"p0": "nan"}, "`p0` is 'nan'"),
        ({"p0": "a tenth"}, "`p0` is 'a tenth'"),
        ({"sex": "x"}, "`sex` is 'x'"),
        ({"age": "forty"}, "`age` is 'forty'"),
        ({"images": "real"}, "`images` is 'real'"),
        ({"part": "both"}, "`part` is 'both'; write train, validation, test"),
        ({"bundle": "own 1"}, "the bundle is given as 'own 1'"),
        ({"bundle": "a", "bundle_sha256": "ab" * 32, "basis": "ce"}, "'ce'"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(
    table: Path, change: dict[str, str], found: str
) -> None:
    error = refused(write(table, OTHER_SLICE, change))

    assert error.line == 3
    assert str(error).startswith(f"{table}, line 3: ")
    assert found in error.sentence


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, "LDH of SOP Instance 1.2.3.4, frame 1, stands in line 2 already"),
        (OTHER_FINDING | {"level": "L5/S1"}, "has level 'L5/S1' here and 'L4/L5'"),
        (OTHER_SLICE | {"patient": "P2"}, "study '1.2' has another patient here"),
        (OTHER_STUDY | {"series": "1.2.3"}, "series '1.2.3' has study '1.9' here"),
        (OTHER_STUDY | {"site": "south"}, "this patient has site 'south' here"),
        (OTHER_STUDY | {"sex": "M"}, "this patient has sex 'M' here and 'F' in line 2"),
        (OTHER_STUDY | {"part": "train"}, "this patient has part 'train' here"),
        (OTHER_SLICE | {"age": "50"}, "study '1.2' has age '50' here and '49' in"),
        (OTHER_SLICE | {"scanner": "B"}, "study '1.2' has scanner 'B' here"),
    ],
)
def test_rows_that_contradict_each_other_are_both_named(
    table: Path, change: dict[str, str], found: str
) -> None:
    facts = {"site": "north", "sex": "F", "age": "49", "scanner": "A", "part": "test"}

    error = refused(write(table, facts, facts | change))

    assert error.line == 3
    assert found in error.sentence
    assert "line 2" in error.sentence


def test_an_empty_file_says_what_its_header_must_be(table: Path) -> None:
    table.write_text("\n \n")

    assert "the file is empty; its header must be patient,study" in str(refused(table))


def test_a_file_without_rows_is_refused(table: Path) -> None:
    assert "no row below the header" in refused(write(table)).sentence


def test_a_missing_column_is_named(table: Path) -> None:
    write_table(table, [], columns=tuple(it for it in COLUMNS if it != "p3"))

    assert "the header lacks p3; it must name patient" in refused(table).sentence


def test_a_column_that_stands_twice_is_named(table: Path) -> None:
    write_table(table, [], columns=(*COLUMNS, "finding"))

    assert refused(table).sentence == "column finding stands twice"


def test_a_row_of_another_length_is_named(table: Path) -> None:
    write(table, {})
    table.write_text(table.read_text() + "P1,1.2\n")

    error = refused(table)

    assert (error.line, error.sentence.partition(";")[0]) == (
        3,
        f"2 cells, but the header has {len(ALL_COLUMNS)}",
    )


def test_an_open_quote_is_refused(table: Path) -> None:
    write(table, {})
    table.write_text(table.read_text() + '"P1,1.2\n')

    assert refused(table).line == 3


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("patient,study\nP1,1".encode("utf-16"), "the file is UTF-16"),
        (b"patient\nP1\n\xff\xff", "line 3: byte 0xFF is neither UTF-8 nor GB18030"),
    ],
)
def test_other_encodings_are_refused_with_a_cure(
    table: Path, content: bytes, found: str
) -> None:
    table.write_bytes(content)

    error = str(refused(table))

    assert found in error
    assert error.endswith("save the table as CSV in UTF-8")


@given(
    weights=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4),
    decimals=st.integers(3, 9),
)
def test_printed_probabilities_sum_to_one_again(
    tmp_path_factory: pytest.TempPathFactory, weights: list[float], decimals: int
) -> None:
    cells = [f"{weight / sum(weights):.{decimals}f}" for weight in weights]
    row = ROW | dict(zip(("p0", "p1", "p2", "p3"), cells, strict=True))
    path = tmp_path_factory.mktemp("printed") / "table.csv"

    cases = read_cases(write_table(path, [row], columns=COLUMNS))

    assert cases.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
