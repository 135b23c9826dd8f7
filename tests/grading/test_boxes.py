"""Boxes beside images, as a person writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grading.boxes import Box, BoxError, NamedImage, boxes_on, read_boxes
from grading.grades import SliceKey

FILE = Path("boxes.json")
EDGES = {"first_row": 10, "first_column": 20, "last_row": 30, "last_column": 40}
IMAGES = [
    NamedImage(SliceKey("1", "1.1"), "a/1.dcm", 64, 64),
    NamedImage(SliceKey("2", "1.1"), "b/1.dcm", 64, 64),
    NamedImage(SliceKey("1", "1.2", 1), "a/2.dcm", 64, 64),
    NamedImage(SliceKey("1", "1.2", 2), "a/2.dcm", 64, 64),
]


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / FILE
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_box_is_read_and_put_on_its_image(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            {"sop_instance": "1.1", "series": "2", **EDGES},
            {"file": "a\\2.dcm", "frame": 2, **EDGES},
        ],
    )

    placed = boxes_on(path, read_boxes(path), IMAGES)

    box = Box(10, 20, 30, 40)
    assert placed == {SliceKey("2", "1.1"): box, SliceKey("1", "1.2", 2): box}
    assert box.centre == (20, 30)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not JSON"),
        ("{}", "not a list of objects; write one per box"),
        ('["a"]', "not a list of objects; write one per box"),
        ([EDGES], "entry 1: names no image; fill `sop_instance` or `file`"),
        ([{"file": "a/2.dcm", **EDGES, "last_row": 10}], "entry 1: .*swap its edges"),
        (
            [{"file": "a/2.dcm", **EDGES, "last_row": "x"}],
            "entry 1: .*write a number of pixels",
        ),
        ('[{"file": "a", "first_row": NaN}]', "entry 1: .*write a number of pixels"),
        ([{"file": "a/2.dcm"}], "entry 1: `first_row` is None"),
        (
            [{"file": "a/2.dcm", "frame": "x", **EDGES}],
            "entry 1: .*write a number of pixels",
        ),
    ],
)
def test_an_unfit_file_is_refused_with_entry_and_cure(
    tmp_path: Path, content: object, sentence: str
) -> None:
    with pytest.raises(BoxError, match=f"boxes.json.*{sentence}"):
        read_boxes(written(tmp_path, content))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (
            [{"file": "a/1.dcm", **EDGES}, {"file": "c.dcm", **EDGES}],
            "entry 2: no image is named c.dcm frame 1; remove the box",
        ),
        (
            [{"sop_instance": "1.1", **EDGES}],
            "entry 1: 2 images have this name; fill `series`",
        ),
        (
            [{"file": "a/1.dcm", **EDGES}, {"file": "a/1.dcm", **EDGES}],
            "entry 2: its image has a box already; remove one",
        ),
        (
            [{"file": "a/1.dcm", **EDGES, "last_row": 120}],
            "entry 1: .*outside its image of 64 rows and 64 columns; count pixels",
        ),
        (
            [{"file": "a/1.dcm", **EDGES, "first_column": -60}],
            "entry 1: .*outside its image",
        ),
    ],
)
def test_a_box_that_fits_no_image_is_refused_with_entry_and_cure(
    tmp_path: Path, entries: list[object], sentence: str
) -> None:
    path = written(tmp_path, entries)

    with pytest.raises(BoxError, match=sentence):
        boxes_on(path, read_boxes(path), IMAGES)
