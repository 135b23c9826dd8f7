"""``export-grades``: everything the node said, and nothing of who it is about."""

from __future__ import annotations

import csv
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmwrite

from dicom_node import export
from dicom_node.errors import InputError
from dicom_node.export import Export, export_grades
from grading.evaluation.case_file import (
    COLUMNS,
    OPTIONAL_COLUMNS,
    PART_COLUMN,
    read_cases,
)
from grading.evaluation.cases import NONE
from grading.grades import Finding
from grading.training.importing.archive import PHANTOM_MANUFACTURER
from storage import studies
from storage.database import Database, open_database
from storage.files import Files
from storage.instances import add_receipt, file_receipt
from tests.dicom_factories import mr_image
from tests.storage import builders

KEY = bytes(32)
FIRST, SECOND = "1.2.3", "1.2.4"


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


@pytest.fixture
def node(database: Database, tmp_path: Path) -> Export:
    return Export(database, Files(tmp_path / "data"), KEY, site="North")


def grade(node: Export, study: str, **elements: str) -> None:
    """Receive and grade a study of one image that says this about its patient."""
    ds = mr_image()
    said = {"PatientID": "MRN 4711", "PatientName": "Doe^Jane"} | elements
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    content = BytesIO()
    dcmwrite(content, ds, enforce_file_format=True)
    stored = node.files.write_received([content.getvalue()])
    receipt = replace(builders.receipt(), file=stored)
    with node.database.sessions.begin() as session:
        add_receipt(session, receipt)
        file_receipt(session, receipt, builders.header(study=study))
        builders.graded(session, study)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_evaluate_takes_what_the_node_exports(node: Export, tmp_path: Path) -> None:
    grade(node, FIRST)
    out = tmp_path / "grades.csv"

    exported = export_grades(node, out)

    cases = read_cases(out)
    assert (exported.studies, exported.rows, exported.left_out) == (1, 3, ())
    assert len(cases) == len(Finding)
    assert cases.references.tolist() == [NONE] * 3
    assert cases.probabilities[0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (cases.sites[0], cases.scanners[0]) == ("North", "Maker Model 1.5 T")
    assert cases.source.unused == ()
    [predictor] = cases.source.predictors
    assert (predictor.name, predictor.sha256) == ("phantom 1.0.0", "cd" * 32)


def test_the_columns_are_those_that_evaluate_reads() -> None:
    # A node's patients are in no part of a manifest, and its results name a bundle by
    # a version that follows from the calibration.
    further = {PART_COLUMN, "bundle_calibration"}
    assert {*export.COLUMNS} | further == {*COLUMNS, *OPTIONAL_COLUMNS}
    assert export.COLUMNS[: len(COLUMNS)] == COLUMNS


def test_nothing_of_who_the_patient_is_leaves_the_node(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST, PatientSex="F", PatientAge="049Y", PatientBirthDate="19770101")
    out = tmp_path / "grades.csv"

    export_grades(node, out)

    text = out.read_text()
    assert not any(it in text for it in ("4711", "Doe", "Jane", "049Y", "1977"))
    assert rows_of(out)[0]["sex"] == ""
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_sex_and_age_come_only_where_they_are_asked_for(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST, PatientSex="F", PatientAge="049Y")
    grade(node, SECOND, PatientID="2", PatientSex="U", PatientAge="011M")
    out = tmp_path / "grades.csv"

    export_grades(replace(node, demographics=True), out)

    told = [(row["sex"], row["age"]) for row in rows_of(out)]
    assert told == [("F", "049Y")] * 3 + [("", "")] * 3


def test_one_patient_in_two_studies_is_one_pseudonym(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST)
    grade(node, SECOND)
    out = tmp_path / "grades.csv"

    export_grades(node, out)

    rows = rows_of(out)
    assert len({row["patient"] for row in rows}) == 1
    assert {row["study"] for row in rows} == {FIRST, SECOND}


@pytest.mark.parametrize(
    "elements", [{"PatientID": "other"}, {"IssuerOfPatientID": "elsewhere"}]
)
def test_two_patients_are_two_pseudonyms(
    node: Export, tmp_path: Path, elements: dict[str, str]
) -> None:
    grade(node, FIRST)
    grade(node, SECOND, **elements)
    out = tmp_path / "grades.csv"

    export_grades(node, out)

    assert len({row["patient"] for row in rows_of(out)}) == 2


def test_studies_without_a_patient_id_are_not_taken_for_one_patient(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST, PatientID="")
    grade(node, SECOND, PatientID="")
    out = tmp_path / "grades.csv"

    export_grades(node, out)

    assert len({row["patient"] for row in rows_of(out)}) == 2


def test_a_held_study_takes_no_part_in_an_evaluation(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST)
    with node.database.sessions.begin() as session:
        studies.hold(session, FIRST, "two patients")
    out = tmp_path / "grades.csv"

    export_grades(node, out)

    assert not read_cases(out).included.any()


def test_a_study_whose_image_is_gone_is_named_and_the_others_exported(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST)
    for file in (tmp_path / "data").rglob("*.dcm"):
        file.unlink()
    grade(node, SECOND, PatientID="2")
    out = tmp_path / "grades.csv"

    exported = export_grades(node, out)

    assert exported.left_out == (
        f"study {FIRST}: its patient cannot be read (FileNotFoundError)",
    )
    assert {row["study"] for row in rows_of(out)} == {SECOND}


def test_a_node_that_has_graded_nothing_says_so_and_writes_nothing(
    node: Export, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no study has been graded"):
        export_grades(node, tmp_path / "grades.csv")

    assert not (tmp_path / "grades.csv").exists()


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    node: Export, tmp_path: Path
) -> None:
    grade(node, FIRST)
    out = tmp_path / "grades.csv"
    out.mkdir()

    with pytest.raises(OSError, match=r"grades\.csv"):
        export_grades(node, out)

    assert [it.name for it in tmp_path.glob("grades*")] == ["grades.csv"]


def test_the_phantom_is_known_by_the_same_manufacturer_as_in_an_import() -> None:
    assert export.PHANTOM_MANUFACTURER == PHANTOM_MANUFACTURER
