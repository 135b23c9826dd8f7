"""What is said in words of a study, once for every document."""

from dataclasses import replace

import pytest

from dicom_node.report.account import account_of, missing_images
from dicom_node.report.evidence import evidence_of
from dicom_node.report.objects import ObjectKind, Wanted, build_objects
from dicom_node.report.phrases import Language, shipped
from dicom_node.report.wording import beside_discs, levels_without_grades
from grading.grades import (
    FIRST_LINES,
    Basis,
    DiscMark,
    Finding,
    Level,
    LevelGrade,
    PixelPoint,
    SagittalView,
    Side,
)
from tests.dicom_factories import mr_series, put_raw, report_context, study_grades
from tests.dicom_node.report.reading import items, meaning, read_back


def missing(*numbers: str) -> list[str]:
    series = mr_series(len(numbers))
    for image, number in zip(series, numbers, strict=True):
        put_raw(image, "InstanceNumber", number.encode())
    return missing_images(evidence_of(series))


def test_images_that_seem_to_be_missing_are_named_by_their_numbers() -> None:
    assert missing("1", "2", "5", "6") == [
        (
            "Images seem to be missing: image 3, 4 between 1 and 6 of series 3 was not "
            "received or not graded."
        )
    ]


@pytest.mark.parametrize(
    "numbers",
    [
        ("1", "2", "3", "4"),
        ("4", "1", "3", "2"),
        ("7",),
        ("1", "100", "200"),
        ("1", "1", "2"),
        ("", "x", "-1", "99999999999"),
    ],
)
def test_no_images_are_missed_where_the_numbers_do_not_tell(
    numbers: tuple[str, ...],
) -> None:
    assert missing(*numbers) == []


def test_many_missing_images_are_counted() -> None:
    numbers = [str(n) for n in range(1, 60) if n % 5 != 2 and n % 7 != 3]

    (said,) = missing(*numbers)

    assert said.startswith("Images seem to be missing: 20 images between") or (
        "image 2, 3" in said
    )


def test_the_levels_that_no_slice_counted_for_are_named() -> None:
    grades = study_grades(mr_series(), [2, 2], levels=[Level.L4_L5, Level.L5_S1])

    assert levels_without_grades(grades) == [
        "Not graded, because no graded slice lies at the level: L1/L2, L2/L3, L3/L4."
    ]


def test_each_missing_level_has_its_true_reason() -> None:
    grades = study_grades(mr_series(), [2, 2], levels=[Level.L4_L5, Level.L5_S1])
    beside = replace(grades.slices[0], level=Level.L3_L4, through_disc=False)
    seen = (Level.L1_L2, Level.L3_L4, Level.L4_L5, Level.L5_S1)
    view = SagittalView(
        beside.key, tuple(DiscMark(it, PixelPoint(1, 1)) for it in seen)
    )

    said = levels_without_grades(
        replace(grades, slices=(beside, *grades.slices), sagittal=view)
    )

    assert said == [
        "Not graded, because no graded slice lies at the level: L1/L2.",
        "Not graded, because the disc was not found on the sagittal images: L2/L3.",
        (
            "Not graded, because slices lie beside the disc but none passes through "
            "it: L3/L4."
        ),
    ]


@pytest.mark.parametrize("language", Language)
def test_every_warning_follows_the_language(language: Language) -> None:
    grades = study_grades(mr_series())
    (level,) = grades.levels
    doubted = {f: replace(it, threshold=2.0) for f, it in level.grades.items()}
    roots = {Side.LEFT: replace(doubted[Finding.LNRC])}
    unsure = replace(grades, levels=(replace(level, grades=doubted, roots=roots),))
    evidence = evidence_of(mr_series())

    account = account_of(evidence, unsure, shipped(language))

    assert len(account.warnings) == 5
    for warning in account.warnings:
        assert warning.isascii() is (language is Language.ENGLISH)
    for finding in Finding:
        assert finding in account.warnings[-1]
    assert "root" not in account.warnings[-1] or language is Language.ENGLISH


def test_no_level_is_missed_where_none_was_determined() -> None:
    assert levels_without_grades(study_grades(mr_series(), [2, 2])) == []


def test_slices_that_pass_beside_the_discs_are_counted() -> None:
    grades = study_grades(mr_series())
    first, second, *others = grades.slices
    one = replace(first, through_disc=False)
    both = [one, replace(second, through_disc=False)]

    said = [
        beside_discs(replace(grades, slices=(*some, *others))) for some in ([one], both)
    ]

    assert said == [
        ["1 slice passes beside the discs and counts for no level."],
        ["2 slices pass beside the discs and count for no level."],
    ]
    assert beside_discs(grades) == []


def test_the_text_report_says_what_the_structured_report_says() -> None:
    series = mr_series()
    grades = study_grades(series, [2, 2], notes=["Slab 1 is long."])
    account = account_of(evidence_of(series), grades, shipped(Language.ENGLISH))

    wanted = Wanted(frozenset({ObjectKind.TEXT_REPORT}))
    (built,) = build_objects(series, grades, report_context(), wanted)
    document = read_back(built.dataset)

    said = [item.TextValue for item in items(document) if item.ValueType == "TEXT"]
    words = [*account.warnings, *account.lines, *account.remarks, *account.paragraphs]
    assert said[-len(words) :] == words
    assert words[0] == FIRST_LINES[Basis.PHANTOM]
    assert "Slab 1 is long." in said


def test_the_text_report_has_nothing_that_basic_text_sr_forbids() -> None:
    series = mr_series()
    wanted = Wanted(frozenset({ObjectKind.TEXT_REPORT}))
    (built,) = build_objects(series, study_grades(series), report_context(), wanted)

    content = list(items(read_back(built.dataset)))

    assert {item.ValueType for item in content} == {
        "CONTAINER",
        "TEXT",
        "CODE",
        "UIDREF",
    }
    schemes = {
        item.ConceptNameCodeSequence[0].CodingSchemeDesignator for item in content
    }
    assert "99LUMBAR" not in schemes
    containers = [item for item in content if item.ValueType == "CONTAINER"]
    assert [meaning(item) for item in containers] == ["Findings", "Conclusions"]
    assert {item.ContinuityOfContent for item in containers} == {"SEPARATE"}


def test_a_study_without_levels_has_a_text_report_without_conclusions() -> None:
    grades = replace(study_grades(mr_series()), levels=(), slices=())
    wanted = Wanted(frozenset({ObjectKind.TEXT_REPORT}))

    (built,) = build_objects(mr_series(), grades, report_context(), wanted)

    found = items(read_back(built.dataset))
    containers = [item for item in found if item.ValueType == "CONTAINER"]
    assert [meaning(item) for item in containers] == ["Findings"]


def test_grades_of_every_level_leave_none_to_name() -> None:
    grades = study_grades(mr_series())
    (level,) = grades.levels
    every = tuple(
        LevelGrade(it, 1, 1, level.key_slice, level.slices, level.grades)
        for it in Level
        if it is not Level.T12_L1
    )

    assert levels_without_grades(replace(grades, levels=every)) == []
