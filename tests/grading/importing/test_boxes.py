"""Rectangles that somebody drew, as CSV and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from grading.boxes import Box
from grading.evaluation.delimited import CasesError
from grading.training.importing.boxes import read_boxes

CSV = "sop_instance;first_row;first_column;last_row;last_column\n1.2;1,5;2;9;12\n"
JSON = (
    '[{"sop_instance": "1.2", "first_row": 1.5, "first_column": 2, '
    '"last_row": 9, "last_column": 12}]'
)


def test_a_box_reads_alike_from_csv_and_json(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(CSV)
    (tmp_path / "boxes.json").write_text(JSON)

    (from_csv,) = read_boxes(tmp_path / "boxes.csv")
    (from_json,) = read_boxes(tmp_path / "boxes.json")

    assert from_csv.box == from_json.box == Box(1.5, 2.0, 9.0, 12.0)
    assert from_csv.box.centre == (5.25, 7.0)
    assert (from_csv.sop_instance, from_csv.frame) == ("1.2", 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.csv", CSV.replace("9;12", "1;12"), "line 2: .* has no inside"),
        ("b.csv", CSV.replace("1.2;1,5", ";1,5"), "line 2: names no image"),
        ("b.csv", CSV.replace("1,5", "left"), "line 2: `first_row` is 'left'"),
        ("b.json", JSON.replace("9", '"x"'), "line 1: .* could not convert|line 1: "),
        ("b.json", "{", "not JSON"),
        ("b.json", "{}", "not a list of objects"),
    ],
)
def test_an_unfit_box_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)

    with pytest.raises(CasesError, match=message):
        read_boxes(tmp_path / name)
