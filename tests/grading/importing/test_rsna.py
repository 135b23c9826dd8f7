"""RSNA 2024 on our scales, in miniature and with the published tables."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level
from grading.training.importing.rsna import (
    CANAL,
    GRADE_COLUMNS,
    LEVELS,
    RECESSES,
    counts,
    read_grades,
    read_points,
)
from grading.training.manifest import read_manifest
from tests.shared_data import shared_data

STUDY = "lumbar-rsna2024-study-1002894806"


def write_grades(path: Path, **grades: str) -> Path:
    """Write one study whose grades are Normal/Mild but for those given."""
    cells = dict.fromkeys(GRADE_COLUMNS, "Normal/Mild") | grades
    path.write_text(
        ",".join(["study_id", *cells]) + "\n" + ",".join(["7", *cells.values()]) + "\n"
    )
    return path


@pytest.mark.parametrize(
    ("left", "right", "grade"),
    [
        ("Normal/Mild", "Normal/Mild", Grade.GRADE_0),
        ("Moderate", "Normal/Mild", Grade.GRADE_2),
        ("Moderate", "Severe", Grade.GRADE_3),
        ("Severe", "", Grade.GRADE_3),
        ("Moderate", "", None),
        ("", "", None),
    ],
)
def test_the_worse_recess_becomes_the_grade_of_the_root(
    tmp_path: Path, left: str, right: str, grade: Grade | None
) -> None:
    recesses = {f"{RECESSES[0]}_l4_l5": left, f"{RECESSES[1]}_l4_l5": right}

    levels = read_grades(write_grades(tmp_path / "train.csv", **recesses))

    (level,) = [one for one in levels if one.level is Level.L4_L5]
    assert level.grades.get(Finding.LNRC) == grade
    assert level.grades[Finding.LCCS] is Grade.GRADE_0
    assert Finding.LDH not in level.grades


def test_a_word_that_is_no_grade_is_named(tmp_path: Path) -> None:
    path = write_grades(tmp_path / "train.csv", **{f"{CANAL}_l1_l2": "Mild"})

    with pytest.raises(CasesError, match=r"line 2: .*_l1_l2` is 'Mild'; write Normal"):
        read_grades(path)


def test_points_are_read_in_both_spellings_of_the_published_tables(
    tmp_path: Path,
) -> None:
    path = tmp_path / "points.csv"
    path.write_text(
        "study_id,series_id,instance_number,condition,level,x,y\n"
        "7,70,4,Left Subarticular Stenosis,L4/L5,1,1\n"
        "7,70,5,right_subarticular_stenosis,l4_l5,1,1\n"
        "7,71,9,Spinal Canal Stenosis,L4/L5,1,1\n"
    )

    assert read_points(path) == {("7", Level.L4_L5): {("70", 4), ("70", 5)}}


def test_counts_agree_with_the_published_table() -> None:
    path = shared_data("labels-only", "rsna2024_train.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    words = Counter(row[f"{CANAL}_{level}"] for row in rows for level in LEVELS)

    levels = read_grades(path)

    found = Counter(level.grades.get(Finding.LCCS) for level in levels)
    assert len(levels) == 5 * len(rows) == 9870
    assert (found[Grade.GRADE_0], found[Grade.GRADE_2], found[Grade.GRADE_3]) == (
        words["Normal/Mild"],
        words["Moderate"],
        words["Severe"],
    )
    assert found[None] == words[""]
    of_roots = Counter(level.grades.get(Finding.LNRC) for level in levels)
    assert of_roots == Counter(
        worse_recess(*(row[f"{recess}_{level}"] for recess in RECESSES))
        for row in rows
        for level in LEVELS
    )
    # Those that docs/own-data.md prints.
    assert counts(levels) == (
        "9870 levels in the table. LCCS: grade 0: 8661, grade 2: 735, grade 3: 469, "
        "no grade: 5; LNRC: grade 0: 5910, grade 2: 2316, grade 3: 1379, no grade: 265."
    )


def worse_recess(left: str, right: str) -> Grade | None:
    """Return what the table's two words say, by the words of docs/own-data.md."""
    if "Severe" in (left, right):
        return Grade.GRADE_3
    if "" in (left, right):
        return None
    return Grade.GRADE_2 if "Moderate" in (left, right) else Grade.GRADE_0


def test_the_published_study_is_imported_with_its_own_grades(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data(STUDY)
    tables = (
        f"--rsna-grades {folder / 'labels_wide.csv'} "
        f"--rsna-points {folder / 'label_coordinates.csv'}"
    )

    status = main(["import", str(folder), "--out", str(tmp_path), *tables.split()])

    assert status == 0
    manifest = read_manifest(tmp_path / "manifest.jsonl")
    found = {
        (image.level, int(image.file.split("/")[1].removesuffix(".dcm"))): (
            image.grades[Finding.LCCS],
            image.grades[Finding.LNRC],
        )
        for image in manifest.images
    }
    # The images are those of the recess points; at L4/L5 canal and left recess are
    # moderate and the right recess is severe, everything else is Normal/Mild.
    assert found == {
        (Level.L1_L2, 4): (0, 0),
        (Level.L1_L2, 6): (0, 0),
        (Level.L2_L3, 12): (0, 0),
        (Level.L2_L3, 13): (0, 0),
        (Level.L3_L4, 21): (0, 0),
        (Level.L4_L5, 29): (2, 3),
        (Level.L5_S1, 38): (0, 0),
        (Level.L5_S1, 39): (0, 0),
    }
    assert "LDH                0         0         0         0         8" in (
        capsys.readouterr().out
    )


def test_grades_without_images_are_left_out_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grades = write_grades(tmp_path / "train.csv")
    points = tmp_path / "points.csv"
    points.write_text("study_id,series_id,instance_number,condition,level\n")
    (tmp_path / "empty").mkdir()
    tables = f"--rsna-grades {grades} --rsna-points {points} --out {tmp_path / 'out'}"

    status = main(["import", str(tmp_path / "empty"), *tables.split()])

    assert status == 1
    assert "no image has a label" in capsys.readouterr().err
    lines = (tmp_path / "out" / "left-out.csv").read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + len(LEVELS)
    assert lines[1] == "no recess point in the table,train.csv line 2,,7,,,,L1/L2"


def test_grades_alone_are_not_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grades = write_grades(tmp_path / "train.csv")

    status = main(
        ["import", str(tmp_path), "--rsna-grades", str(grades), "--out", str(tmp_path)]
    )

    assert status == 1
    assert "give --rsna-points as well" in capsys.readouterr().err
