"""The manifest: reads back as it was written, and is refused where it is not sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grading.boxes import Box
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level
from grading.training.manifest import (
    LabelledImage,
    Manifest,
    Origin,
    Part,
    read_manifest,
    write_manifest,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
EDGE = st.floats(-1e3, 1e3)
GRADES = st.dictionaries(st.sampled_from(Finding), st.sampled_from(Grade), min_size=1)
IMAGE = LabelledImage(
    patient="p1",
    study="2.25.1",
    series="2.25.1.1",
    sop_instance="2.25.1.1.1",
    frame=1,
    file="1/01.dcm",
    level=Level.L4_L5,
    grades={Finding.LDH: Grade.GRADE_2},
    box=None,
    part=Part.TRAINING,
    site="North",
    scanner="Maker 3 T",
    phantom=False,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    text=TEXT,
    grades=GRADES,
    box=st.none() | st.builds(Box, EDGE, EDGE, EDGE, EDGE),
    level=st.none() | st.sampled_from(Level),
    part=st.sampled_from(Part),
    phantom=st.booleans(),
)
def test_what_was_written_reads_back_equal(
    tmp_path: Path,
    text: str,
    grades: dict[Finding, Grade],
    box: Box | None,
    level: Level | None,
    part: Part,
    phantom: bool,
) -> None:
    image = replace(
        IMAGE,
        patient=text,
        scanner=text,
        grades=grades,
        box=box,
        level=level,
        part=part,
        phantom=phantom,
    )

    write_manifest(tmp_path / "m.jsonl", Manifest(tmp_path / "a", (image, IMAGE)))

    if text == IMAGE.patient and part is not IMAGE.part:
        return  # a patient in two parts is another test
    assert read_manifest(tmp_path / "m.jsonl").images == (image, IMAGE)


def test_the_data_root_is_found_beside_the_manifest_and_may_be_moved(
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "m.jsonl"

    write_manifest(path, Manifest(tmp_path / "archive", (IMAGE,)))

    assert '"data_root": "../archive"' in path.read_text()
    assert read_manifest(path).data_root.resolve() == tmp_path / "archive"
    assert read_manifest(path, tmp_path / "moved").data_root == tmp_path / "moved"


@pytest.mark.parametrize(
    ("phantoms", "origin"),
    [
        ((False,), Origin.PATIENTS),
        ((True,), Origin.PHANTOM),
        ((True, False), Origin.MIXED),
    ],
)
def test_the_origin_is_that_of_the_images(
    phantoms: tuple[bool, ...], origin: Origin
) -> None:
    images = tuple(replace(IMAGE, phantom=phantom) for phantom in phantoms)

    assert Manifest(Path(), images).origin is origin


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda line: line.pop("patient"), "line 3: `patient` is missing"),
        (lambda line: line.update(grades={}), "line 3: the image has no grade"),
        (lambda line: line.update(grades={"LDH": 4}), "line 3: 4 is not a valid Grade"),
        (lambda line: line.update(grades=7), "line 3: "),
        (lambda line: line.update(file="../x.dcm"), "line 3: .* outside the data root"),
        (lambda line: line.update(file="/x.dcm"), "line 3: .* outside the data root"),
        (lambda line: line.update(box=[1]), "line 3: "),
        (lambda line: line.update(box=[1, 2, 3, float("nan")]), "line 3: an edge of"),
        (lambda line: line.update(frame=0), "line 3: `frame` is 0; frames are counted"),
        (
            lambda line: line.update(part="test"),
            "line 3: this patient is in test here and in train in line 2",
        ),
    ],
)
def test_a_line_that_is_not_sound_is_named(
    tmp_path: Path, edit: Edit, message: str
) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, Manifest(tmp_path, (IMAGE, IMAGE)))
    lines = path.read_text().splitlines()
    content = json.loads(lines[2])
    edit(content)
    path.write_text("\n".join([*lines[:2], json.dumps(content)]))

    with pytest.raises(CasesError, match=message):
        read_manifest(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: `format` is None"),
        ('{"format": "other/1"}', "line 1: `format` is 'other/1', not 'lumbar-"),
        ("patient,study", "line 1: not a JSON object"),
        ('{"format": "lumbar-manifest/1"}', "line 1: `data_root` is missing"),
        (
            '{"format": "lumbar-manifest/1", "data_root": "."}',
            "the manifest names no image",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(content)

    with pytest.raises(CasesError, match=message):
        read_manifest(path)
