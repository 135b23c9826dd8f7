"""What two viewers show of the report, walked as they walk it.

OHIF shows of a document titled 126000 the regions, their numbers and their finding
site, and no codes; of another title it prints text. Weasis prints the whole tree. In a
container that is not SEPARATE neither prints a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from pydicom import Dataset

from dicom_node.report.objects import ObjectKind
from dicom_node.report.wording import DISCLAIMER
from grading.grades import FIRST_LINES, Basis
from tests.dicom_node.report.reading import items, meaning, named, number, read_back
from tests.full_study import FullStudy

MEASUREMENT_REPORT = "126000"
FIRST_LINE = FIRST_LINES[Basis.PHANTOM]


@dataclass(frozen=True)
class Box:
    """What OHIF draws of one group."""

    image: str
    points: tuple[float, ...]
    label: str
    numbers: tuple[str, ...]


def title(document: Dataset) -> str:
    return str(document.ConceptNameCodeSequence[0].CodeValue)


def ohif_boxes(document: Dataset) -> list[Box]:
    """Walk a measurement report as OHIF's measurement viewport does.

    It finds groups by their tracking UID, merges those that share one, takes the first
    SCOORD of each with the image it was selected from, and shows the numbers that
    stand directly in the group.
    """
    assert title(document) == MEASUREMENT_REPORT
    (measurements,) = named(document, "Imaging Measurements")
    groups: dict[str, list[Dataset]] = {}
    for group in measurements.ContentSequence:
        (tracking,) = named(group, "Tracking Unique Identifier")
        groups.setdefault(tracking.UID, []).extend(group.ContentSequence)
    return [_ohif_box(content) for content in groups.values()]


def _ohif_box(content: list[Dataset]) -> Box:
    scoord = next(item for item in content if item.ValueType == "SCOORD")
    image = scoord.ContentSequence[0].ReferencedSOPSequence[0]
    site = next(item for item in content if meaning(item) == "Finding Site")
    numbers = [item for item in content if item.ValueType == "NUM"]
    return Box(
        image.ReferencedSOPInstanceUID,
        tuple(scoord.GraphicData),
        site.ConceptCodeSequence[0].CodeMeaning,
        tuple(f"{meaning(item)}: {number(item)}" for item in numbers),
    )


def ohif_text(document: Dataset) -> list[str]:
    """Print a document as OHIF's text viewport does: no children of codes, numbers."""
    return [line for item in document.ContentSequence for line in _ohif_lines(item)]


def _ohif_lines(item: Dataset) -> Iterator[str]:
    if item.ValueType == "CONTAINER":
        assert item.ContinuityOfContent == "SEPARATE", "names would be lost"
        yield meaning(item)
        for child in item.ContentSequence:
            yield from _ohif_lines(child)
    elif item.ValueType in {"IMAGE", "SCOORD"}:
        yield f"[{item.ValueType} is not supported]"
    else:
        yield f"{meaning(item)}: {value(item)}"


def value(item: Dataset) -> str:
    kinds: dict[str, Callable[[], object]] = {
        "TEXT": lambda: item.TextValue,
        "CODE": lambda: item.ConceptCodeSequence[0].CodeMeaning,
        "NUM": lambda: f"{number(item)} %",
        "UIDREF": lambda: item.UID,
        "IMAGE": lambda: "link",
        "SCOORD": lambda: "link",
    }
    return str(kinds[item.ValueType]())


def weasis(document: Dataset) -> list[str]:
    """Print the whole tree as Weasis does; images and regions become links."""
    assert document.ContinuityOfContent == "SEPARATE"
    return [
        meaning(item)
        if item.ValueType == "CONTAINER"
        else f"{meaning(item)}: {value(item)}"
        for item in items(document)
    ]


@pytest.fixture(params=[0, 1, 2], ids=["3D", "comprehensive", "enhanced"])
def report(request: pytest.FixtureRequest, full_study: FullStudy) -> Dataset:
    return read_back(full_study.made(ObjectKind.STRUCTURED_REPORT, request.param))


def test_ohif_shows_a_box_with_site_and_three_probabilities_per_level(
    report: Dataset, full_study: FullStudy
) -> None:
    boxes = ohif_boxes(report)

    levels = full_study.grades.levels
    assert [box.label for box in boxes] == [f"{level.name} disc" for level in levels]
    assert [box.image for box in boxes] == [
        level.key_slice.sop_instance_uid for level in levels
    ]
    assert boxes[4].numbers == (
        "LDH probability of reported grade: 78.0",
        "LCCS probability of reported grade: 61.0",
        "LNRC probability of reported grade: 70.0",
    )
    for box in boxes:
        assert len(box.points) == 10
        assert box.points[:2] == box.points[-2:]
        assert all(0 <= place <= 512 for place in box.points)


def test_weasis_shows_the_first_line_before_any_grade_and_names_every_value(
    report: Dataset,
) -> None:
    lines = weasis(report)

    first = lines.index("Qualitative Evaluations")
    assert lines[first + 1] == f"Comment: {FIRST_LINE}"
    assert lines[first + 2] == f"Comment: {DISCLAIMER}"
    grade = "Lumbar disc herniation grade (MSU size): MSU grade 3: beyond facet line"
    assert first < lines.index(grade)
    assert not any("grade" in line for line in lines[:first])
    assert (
        "Left nerve root compression grade: Pfirrmann grade 3: compression of nerve "
        in ("\n".join(lines) + " ")
    )
    assert lines.count("Image Region: link") == 5
    assert lines.count("Source of Measurement: link") >= 17


def test_weasis_shows_a_summary_line_per_level_within_the_first_screen(
    report: Dataset,
) -> None:
    lines = weasis(report)

    summaries = [
        place for place, line in enumerate(lines) if line.startswith("Summary")
    ]
    assert len(summaries) == 5
    assert summaries[-1] < 25


def test_ohif_prints_the_text_report_with_every_grade(full_study: FullStudy) -> None:
    document = read_back(full_study.made(ObjectKind.TEXT_REPORT))
    assert title(document) != MEASUREMENT_REPORT

    lines = ohif_text(document)

    assert not any("not supported" in line for line in lines)
    first = lines.index("Findings")
    assert lines[first + 1] == f"Finding: {FIRST_LINE}"
    assert any(line.startswith("Finding: L5/S1: LDH 3 (MSU, 78%)") for line in lines)
    assert any("large disc herniation beyond the intra-facet" in line for line in lines)


def test_every_value_can_be_understood_without_its_name(report: Dataset) -> None:
    grades = [
        value(item)
        for item in items(report)
        if item.ValueType == "CODE" and "grade" in meaning(item)
    ]

    assert len(grades) >= 25
    assert all(" grade " in text and ": " in text for text in grades)
