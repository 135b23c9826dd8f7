from typing import cast

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code

from dicom_node.report import codes
from dicom_node.report.codes import (
    DISCS,
    SCALES,
    SIDES,
    Concept,
    private_concepts,
    site,
)
from grading.grades import Finding, Grade, Level, Side

Meanings = dict[str, tuple[str, list[int]]]
STANDARD = sorted(
    (concept for concept in vars(codes).values() if isinstance(concept, Concept)),
    key=lambda concept: concept.value,
)


def test_every_level_has_a_disc_and_no_level_is_the_lumbar_spine() -> None:
    assert set(DISCS) == set(Level)
    assert site(None).meaning == "Lumbar spine"
    assert site(Level.L5_S1).value == "715056000"


def test_every_finding_and_grade_has_a_code_of_its_own() -> None:
    assert set(SCALES) == set(Finding)

    values = [concept.value for concept in private_concepts()]

    scales, roots = len(Finding) * (3 + 2 * len(Grade)), len(Side) * (1 + len(Grade))
    assert len(values) == len(set(values)) == scales + roots


def test_private_codes_stay_what_they_are_once_released() -> None:
    ldh = [c for c in private_concepts() if c.value.startswith("LDH")]

    assert [(c.value, c.meaning) for c in ldh] == [
        ("LDH-GRADE", "Lumbar disc herniation grade (MSU size)"),
        ("LDH-G0", "MSU grade 0: no herniation"),
        ("LDH-G1", "MSU grade 1: up to 50% of distance to facet line"),
        ("LDH-G2", "MSU grade 2: more than 50% of distance to facet line"),
        ("LDH-G3", "MSU grade 3: beyond facet line"),
        ("LDH-P0", "LDH probability of grade 0"),
        ("LDH-P1", "LDH probability of grade 1"),
        ("LDH-P2", "LDH probability of grade 2"),
        ("LDH-P3", "LDH probability of grade 3"),
        ("LDH-PREP", "LDH probability of reported grade"),
        ("LDH-WORST", "LDH grade of the worst slice"),
    ]


def test_each_side_s_root_has_codes_of_its_own() -> None:
    right = [c for c in private_concepts() if c.value.startswith("LNRC-R-")]

    assert [(c.value, c.meaning) for c in right] == [
        ("LNRC-R-GRADE", "Right nerve root compression grade"),
        ("LNRC-R-P0", "LNRC right root: probability of grade 0"),
        ("LNRC-R-P1", "LNRC right root: probability of grade 1"),
        ("LNRC-R-P2", "LNRC right root: probability of grade 2"),
        ("LNRC-R-P3", "LNRC right root: probability of grade 3"),
    ]
    assert SIDES[Side.LEFT].meaning == "Left"


def test_a_grade_is_understandable_without_the_name_of_its_scale() -> None:
    for scale in SCALES.values():
        for grade in Grade:
            assert scale.grades[grade].meaning.startswith(
                f"{scale.author} grade {grade:d}: "
            )


@pytest.mark.parametrize(
    "concept", [c for c in STANDARD if c.scheme == "DCM"], ids=lambda c: c.value
)
def test_dicom_codes_mean_what_the_standard_says(concept: Concept) -> None:
    known = {
        value: meaning
        for meanings in cast(dict[str, Meanings], concepts["DCM"]).values()
        for value, (meaning, *_) in meanings.items()
    }

    assert known[concept.value].lower() == concept.meaning.lower()


@pytest.mark.parametrize("level", Level)
def test_disc_codes_mean_what_the_standard_says(level: Level) -> None:
    name = {
        Level.T12_L1: "T12L1Disc",
        Level.L1_L2: "L1L2Disc",
        Level.L2_L3: "L2L3Disc",
        Level.L3_L4: "L3L4Disc",
        Level.L4_L5: "L4L5Disc",
        Level.L5_S1: "L5S1Disc",
    }[level]

    assert getattr(dictionary.SCT, name) == DISCS[level].code


@pytest.mark.parametrize(
    ("value", "meaning"), [("X" * 17, "too long"), ("", "none"), ("X", "y" * 65)]
)
def test_a_code_that_does_not_fit_is_refused(value: str, meaning: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to"):
        Concept(value, "99LUMBAR", meaning, "made up")


def test_the_private_scheme_is_identified_without_a_uid() -> None:
    item = codes.coding_scheme_item()

    assert item.CodingSchemeDesignator == "99LUMBAR"
    assert "CodingSchemeUID" not in item


def test_a_concept_is_the_same_code_for_pydicom() -> None:
    assert codes.SUMMARY.code == Code("121111", "DCM", "Summary")
