"""What `grade` prints, for machines and for a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dicom_node.listing import as_json, as_table
from grading.grades import (
    FIRST_LINES,
    AxialMarks,
    Basis,
    DiscMark,
    Finding,
    Grading,
    Level,
    PixelPoint,
    Plane,
    Region,
    RegionOrigin,
    SagittalView,
    Side,
    SliceKey,
    StudyGrades,
    Weighting,
)
from tests.dicom_factories import enhanced_mr, mr_series, study_grades

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "grade.schema.json").read_text()
)

Edit = Callable[[dict[str, Any]], object]


def printed(content: object) -> Any:
    """Return what a reader of the printed JSON sees."""
    return json.loads(json.dumps(content))


def objects_in(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects_in(part)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_study_beside_every_disc_is_printed_without_levels() -> None:
    grades = replace(study_grades(mr_series()), levels=())

    jsonschema.validate(printed(as_json(grades)), SCHEMA)
    assert "per disc level" in as_table(grades)


def test_the_schema_knows_every_key_and_lets_no_other_pass() -> None:
    for schema in objects_in(SCHEMA):
        assert "description" in schema
        assert "additionalProperties" in schema
        assert set(schema.get("required", ())) == set(schema.get("properties", ()))


def test_the_schema_names_every_plane_weighting_level_and_basis() -> None:
    parts = SCHEMA["$defs"]

    assert parts["series"]["properties"]["plane"]["enum"] == list(Plane)
    assert parts["series"]["properties"]["weighting"]["enum"] == list(Weighting)
    assert parts["level_name"]["enum"] == [*Level, None]
    assert parts["model"]["properties"]["basis"]["enum"] == list(Basis)


@pytest.mark.parametrize("levels", [(), (Level.L3_L4, Level.L4_L5)])
def test_the_json_keeps_to_the_schema(levels: tuple[Level, ...]) -> None:
    graded = study_grades(mr_series(5), slabs=(3, 2), levels=levels, notes=("Beware.",))

    content = printed(as_json(graded))

    jsonschema.validate(content, SCHEMA)
    assert [level["slab"] for level in content["levels"]] == [1, 2]
    assert [level["level"] for level in content["levels"]] == (
        ["L3/L4", "L4/L5"] if levels else [None, None]
    )


def test_a_list_of_studies_keeps_to_the_schema_too() -> None:
    content = printed([as_json(study_grades(mr_series(3)))] * 2)

    jsonschema.validate(content, SCHEMA)


def test_frames_of_one_image_are_told_apart() -> None:
    content = printed(as_json(study_grades([enhanced_mr(frames=3)])))

    jsonschema.validate(content, SCHEMA)
    assert [found["frame"] for found in content["slices"]] == [1, 2, 3]


def test_further_heads_are_printed_by_their_names() -> None:
    graded = study_grades(mr_series(1))
    further = {"facet": Grading((0.1, 0.2, 0.3, 0.4))}
    slices = tuple(replace(found, further=further) for found in graded.slices)

    content = printed(as_json(replace(graded, slices=slices)))

    jsonschema.validate(content, SCHEMA)
    assert content["slices"][0]["further"] == {
        "facet": {
            "grade": 3,
            "probabilities": [0.1, 0.2, 0.3, 0.4],
            "temperature": 1.0,
            "threshold": None,
            "needs_reader": False,
        }
    }


def located() -> StudyGrades:
    """Return a study with everything that landmarks and levels tell."""
    graded = study_grades(mr_series(3), slabs=(3,), levels=(Level.L4_L5,))
    root = Grading((0.1, 0.2, 0.3, 0.4))
    through, beside, lost = graded.slices
    (level,) = graded.levels
    return replace(
        graded,
        slices=(
            replace(
                through,
                level=Level.L4_L5,
                through_disc=True,
                region=Region(1.0, 2.0, 54.0, RegionOrigin.LANDMARKS, 1.5),
                marks=AxialMarks(sac_centre=PixelPoint(5.0, 2.0)),
                roots={Side.LEFT: root},
            ),
            replace(beside, level=Level.L4_L5, through_disc=False),
            replace(lost, level=None),
        ),
        levels=(
            replace(level, worst={Finding.LDH: beside.key}, roots={Side.LEFT: root}),
        ),
        sagittal=SagittalView(
            SliceKey("2.25.8", "2.25.8.1"),
            (DiscMark(Level.L4_L5, PixelPoint(30.0, 40.0)),),
        ),
    )


def test_landmarks_and_levels_are_printed() -> None:
    content = printed(as_json(located()))

    jsonschema.validate(content, SCHEMA)
    through, beside, _ = content["slices"]
    assert (through["through_disc"], beside["through_disc"]) == (True, False)
    assert through["region"]["origin"] == "landmarks"
    assert through["region"]["spread_mm"] == 1.5
    assert through["marks"]["sac_centre"] == {"row": 5.0, "column": 2.0}
    assert through["marks"]["disc_margin"] is None
    assert through["roots"]["left"]["grade"] == 3
    assert through["roots"]["right"] is None
    (level,) = content["levels"]
    assert level["worst"]["LDH"]["sop_instance_uid"] == beside["sop_instance_uid"]
    assert level["worst"]["LNRC"] is None
    assert content["sagittal"]["discs"] == [
        {"level": "L4/L5", "row": 30.0, "column": 40.0}
    ]


def test_the_schema_names_every_mark_origin_and_side() -> None:
    parts = SCHEMA["$defs"]

    marks = [field.name for field in fields(AxialMarks)]
    assert parts["marks"]["required"] == marks
    assert parts["region"]["properties"]["origin"]["enum"] == list(RegionOrigin)
    assert parts["roots"]["required"] == list(Side)


def test_the_table_shows_levels_and_brackets_slices_beside_the_disc() -> None:
    lines = as_table(located()).splitlines()

    slices = lines.index("per slice (grade, its probability)") + 2
    levels = [line.split()[4] for line in lines[slices : slices + 3]]
    assert levels == ["L4/L5", "(L4/L5)", "-"]
    assert any("L4/L5" in line and "left root 3" in line for line in lines)


def test_a_series_for_the_levels_is_said_to_be_one() -> None:
    graded = study_grades(mr_series(3))
    verdicts = [replace(one, graded=False, for_levels=True) for one in graded.series]

    table = as_table(replace(graded, series=tuple(verdicts)))

    assert "  for levels  " in table


@pytest.mark.parametrize(
    "edit",
    [
        lambda study: study.update(patient="somebody"),
        lambda study: study["slices"][0].pop("region"),
        lambda study: study["slices"][0]["grades"]["LDH"].update(grade=4),
        lambda study: study["slices"][0]["grades"]["LDH"]["probabilities"].pop(),
        lambda study: study["levels"][0].update(level="L4"),
        lambda study: study["model"].update(sha256="unknown"),
        lambda study: study.update(notes=[]),
    ],
)
def test_the_schema_refuses_what_is_never_printed(edit: Edit) -> None:
    content = printed(as_json(study_grades(mr_series(3))))

    edit(content)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, SCHEMA)


@pytest.mark.parametrize("basis", list(Basis))
def test_every_output_says_first_what_speaks_for_the_model(basis: Basis) -> None:
    graded = study_grades(mr_series(3), notes=("Beware.",), basis=basis)

    assert as_table(graded).splitlines()[0] == FIRST_LINES[basis]
    assert next(iter(as_json(graded).items())) == ("first_line", FIRST_LINES[basis])
    assert as_json(graded)["notes"] == [FIRST_LINES[basis], "Beware."]


def test_the_table_has_a_line_for_every_series_slice_level_and_note() -> None:
    graded = study_grades(mr_series(4), slabs=(3, 1), notes=("Beware.",))

    lines = as_table(graded).splitlines()

    slices = lines.index("per slice (grade, its probability)") + 2
    assert [line.split()[:2] for line in lines[slices : slices + 4]] == [
        ["1", "1"],
        ["1", "2"],
        ["1", "3"],
        ["2", "4"],
    ]
    assert [line for line in lines if "slab 1 of 2" in line or "slab 2 of 2" in line]
    assert any("not graded" in line and "TE 21 ms" in line for line in lines)
    assert lines[-1] == "note: Beware."


def test_the_table_shows_grade_and_probability_of_each_finding() -> None:
    graded = study_grades(mr_series(1))

    (line,) = [line for line in as_table(graded).splitlines() if "slab 1 of 1" in line]

    # Of `gradings(1)`: LDH grade 1, LCCS grade 2, LNRC grade 0.
    assert line.split("slab 1 of 1")[1].split() == [
        "1", "(", "63%)", "2", "(", "80%)", "0", "(", "43%)",
    ]  # fmt: skip


def unsure(threshold: float) -> StudyGrades:
    """Return a study whose LDH alone has a threshold."""
    graded = study_grades(mr_series(3))

    def with_threshold(grades: Mapping[Finding, Grading]) -> Mapping[Finding, Grading]:
        ldh = replace(grades[Finding.LDH], temperature=1.5, threshold=threshold)
        return {**grades, Finding.LDH: ldh}

    return replace(
        graded,
        slices=tuple(
            replace(one, grades=with_threshold(one.grades)) for one in graded.slices
        ),
        levels=tuple(
            replace(one, grades=with_threshold(one.grades)) for one in graded.levels
        ),
    )


def test_a_grade_below_its_threshold_is_marked_for_a_reader() -> None:
    content = printed(as_json(unsure(threshold=0.7)))

    jsonschema.validate(content, SCHEMA)
    grades = content["levels"][0]["grades"]
    assert grades["LDH"]["needs_reader"] is True
    assert (grades["LDH"]["temperature"], grades["LDH"]["threshold"]) == (1.5, 0.7)
    assert grades["LNRC"]["needs_reader"] is False


def test_the_table_explains_its_question_mark_and_has_none_without_need() -> None:
    assert "( 63%)?" in as_table(unsure(threshold=0.7))
    assert "\n? the grade needs a reader" in as_table(unsure(threshold=0.7))
    assert "?" not in as_table(unsure(threshold=0.6))
