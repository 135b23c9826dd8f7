"""A hospital's own table of grades, as spreadsheets write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level
from grading.training.importing.grades_table import read_grades
from grading.training.manifest import Part
from tests.grading.importing.archives import table

HEADER = "sop_instance,study,level,ldh,lccs,lnrc"


def test_a_row_gives_grades_to_its_image(tmp_path: Path) -> None:
    path = table(
        tmp_path / "g.csv",
        "SOP_Instance,Frame,Level,LDH,LCCS,LNRC,Patient,Part,Site",
        "2.25.7,3,l4/l5,2,,0,case 12,Train,North",
    )

    (label,), unused = read_grades(path)

    assert (label.sop_instance, label.frame) == ("2.25.7", 3)
    assert label.grades == {Finding.LDH: Grade.GRADE_2, Finding.LNRC: Grade.GRADE_0}
    assert label.level is Level.L4_L5
    assert (label.patient, label.part, label.site) == (
        "case 12",
        Part.TRAINING,
        "North",
    )
    assert label.source == "g.csv line 2"
    assert unused == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_of_spreadsheets_are_read(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    rows = ["file,ldh,lccs,lnrc,excluded", "1/01.dcm,,,,椎体骨折"]

    path = table(
        tmp_path / "g.csv",
        *(row.replace(",", delimiter) for row in rows),
        encoding=encoding,
    )

    assert read_grades(path)[0][0].excluded == "椎体骨折"


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "g.csv", "file,ldh,lccs,lnrc,exclude", "a,1,1,1,tumour")

    assert read_grades(path)[1] == ("exclude",)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.2,,,4,0,0", "line 3: `ldh` is '4'; a grade is 0, 1, 2 or 3"),
        ("1.2,,L6/S1,1,0,0", "line 3: `level` is 'L6/S1'; write T12/L1, "),
        (",1.1,,1,0,0", "line 3: the row names neither an image nor a level"),
        ("1.1,,,2,0,0", "line 3: line 2 is about the same; remove one"),
        ("1.2,,1,0,0", "line 3: 5 cells, but the header has 6"),
    ],
)
def test_a_row_that_cannot_be_understood_is_named_with_its_line(
    tmp_path: Path, row: str, message: str
) -> None:
    path = table(tmp_path / "g.csv", HEADER, "1.1,,,0,0,0", row)

    with pytest.raises(CasesError) as caught:
        read_grades(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("column", "values"), [("part", ("train", "test")), ("site", ("North", "South"))]
)
def test_a_patient_with_two_parts_or_sites_is_refused(
    tmp_path: Path, column: str, values: tuple[str, str]
) -> None:
    header = f"sop_instance,ldh,lccs,lnrc,patient,{column}"
    rows = [f"1.{i},0,0,0,anna,{value}" for i, value in enumerate(values)]
    path = table(tmp_path / "g.csv", header, *rows)

    with pytest.raises(CasesError, match=rf"line 3: this .*'{values[0]}' in line 2"):
        read_grades(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; its header must be ldh,lccs,lnrc"),
        ("sop_instance,ldh,lccs\n1,2,3\n", "the header lacks lnrc"),
        (HEADER, "there is no row below the header"),
        (f"{HEADER},part\n1.1,,,0,0,0,holdout\n", "`part` is 'holdout'; write train"),
        (f"{HEADER},slab\n,1.1,L1/L2,0,0,0,0\n", "`slab` is '0'; it is counted from 1"),
    ],
)
def test_an_unfit_table_says_what_it_lacks(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "g.csv"
    path.write_text(content)

    with pytest.raises(CasesError) as caught:
        read_grades(path)

    assert message in str(caught.value)
