"""The truth beside phantom studies stands in for a hospital's grades."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from grading.boxes import Box
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level
from grading.phantom.studies import truth as phantom
from grading.training.importing import phantom_truth
from grading.training.importing.phantom_truth import read_truths

BOX = {"first_row": 1.0, "first_column": 2.0, "last_row": 9.0, "last_column": 12.0}
IMAGE = {
    "file": "axial_t2/0001.dcm",
    "series_instance_uid": "2.25.3",
    "sop_instance_uid": "2.25.4",
    "frame": 2,
    "level": "L4/L5",
    "measured": {"grades": {"LDH": 1, "LCCS": 0, "LNRC": 3}},
    "box": BOX,
}


def write_truth(folder: Path, **changes: object) -> None:
    content = {
        "format": phantom_truth.FORMAT,
        "study_instance_uid": "2.25.2",
        "images": [IMAGE, {**IMAGE, "measured": None}],
        **changes,
    }
    (folder / "00001").mkdir()
    (folder / "00001" / "truth.json").write_text(json.dumps(content))


def test_an_image_with_measured_grades_is_labelled_with_them(tmp_path: Path) -> None:
    write_truth(tmp_path)

    (label,) = read_truths(tmp_path)

    assert label.file == "00001/axial_t2/0001.dcm"
    assert (label.series, label.sop_instance, label.frame) == ("2.25.3", "2.25.4", 2)
    assert label.level is Level.L4_L5
    assert label.grades == dict(
        zip(Finding, (Grade.GRADE_1, Grade.GRADE_0, Grade.GRADE_3), strict=True)
    )
    assert label.box == Box(1, 2, 9, 12)


def test_the_phantom_writes_what_is_read_here() -> None:
    names = {field.name for field in fields(phantom.ImageTruth)}

    assert phantom.FORMAT == phantom_truth.FORMAT
    assert names >= IMAGE.keys()
    assert [field.name for field in fields(phantom.BoxTruth)] == list(BOX)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "lumbar-phantom-study/9"}, "truth.json: `format` is"),
        ({"images": [{"measured": {"grades": {}}}]}, "truth.json: 'file'"),
        ({"images": 3}, "truth.json: "),
    ],
)
def test_a_truth_of_another_kind_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_truth(tmp_path, **changes)

    with pytest.raises(CasesError, match=message):
        read_truths(tmp_path)


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match=r"no truth\.json below it"):
        read_truths(tmp_path)
