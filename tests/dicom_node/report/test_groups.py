"""What a level's group says beyond its three grades."""

from dataclasses import replace

import pytest

from dicom_node.report.objects import ObjectKind, build_objects
from dicom_node.report.wording import region_words, worst_grades
from grading.grades import Finding, Grade, Region, RegionOrigin, StudyGrades
from tests.dicom_factories import mr_series, report_context, study_grades
from tests.dicom_node.report.reading import codes, meaning, named, number, read_back
from tests.full_study import FullStudy


def test_each_root_is_coded_with_its_side_and_its_distribution(
    full_study: FullStudy,
) -> None:
    document = read_back(full_study.made(ObjectKind.STRUCTURED_REPORT))

    group = named(document, "Measurement Group")[4]
    (root,) = named(group, "Left nerve root compression grade")
    site, *shares = root.ContentSequence

    assert codes(group, "Left nerve root compression grade") == ["LNRC-G3"]
    assert codes(group, "Right nerve root compression grade") == ["LNRC-G0"]
    assert meaning(site) == "Finding Site"
    assert codes(site, "Laterality") == ["7771000"]
    assert [number(share) for share in shares] == [2, 6, 22, 70]


def test_sides_add_no_number_beside_the_region(full_study: FullStudy) -> None:
    document = read_back(full_study.made(ObjectKind.STRUCTURED_REPORT))

    groups = named(document, "Measurement Group")
    assert len(groups) == len(full_study.grades.levels)
    for group in groups:
        assert sum(item.ValueType == "NUM" for item in group.ContentSequence) == 3


def test_the_worst_slice_is_named_where_it_differs_from_the_mean(
    full_study: FullStudy,
) -> None:
    document = read_back(full_study.made(ObjectKind.STRUCTURED_REPORT))
    level = full_study.grades.levels[3]

    first, *_, fourth, fifth = named(document, "Measurement Group")
    (worst,) = named(fourth, "LDH grade of the worst slice")
    (image,) = worst.ContentSequence

    assert not named(first, "LDH grade of the worst slice")
    assert not named(fifth, "LDH grade of the worst slice"), "3 is the mean as well"
    assert worst.ConceptCodeSequence[0].CodeValue == "LDH-G3"
    assert image.RelationshipType == "INFERRED FROM"
    uid = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert uid == level.worst[Finding.LDH].sop_instance_uid


def test_a_level_without_worst_slices_names_none() -> None:
    grades = study_grades(mr_series())

    assert worst_grades(grades, grades.levels[0]) == {}


def test_a_worst_slice_is_found_by_its_own_grade(full_study: FullStudy) -> None:
    grades = full_study.grades

    assert worst_grades(grades, grades.levels[3]) == {
        Finding.LDH: Grade.GRADE_3,
        Finding.LCCS: Grade.GRADE_2,
        Finding.LNRC: Grade.GRADE_3,
    }


@pytest.mark.parametrize("origin", RegionOrigin)
def test_every_origin_of_a_region_is_told_in_words(origin: RegionOrigin) -> None:
    series = mr_series()
    grades = with_region(study_grades(series), Region(30, 30, 48, origin, 1.25))

    (report, *_) = build_objects(series, grades, report_context())
    (group,) = named(read_back(report.dataset), "Measurement Group")

    said = [
        item.TextValue for item in group.ContentSequence if meaning(item) == "Comment"
    ]
    assert said == [region_words(Region(0, 0, 1, origin, 1.25))]
    assert said[0].endswith("Repeated looks differed by 1.2 mm.")


def test_each_origin_of_a_region_has_other_words() -> None:
    words = {region_words(Region(0, 0, 1, origin)) for origin in RegionOrigin}

    assert len(words) == len(RegionOrigin)
    assert "mean nothing" in region_words(Region(0, 0, 1, RegionOrigin.CENTRE))


def with_region(grades: StudyGrades, region: Region) -> StudyGrades:
    slices = tuple(replace(it, region=region) for it in grades.slices)
    return replace(grades, slices=slices)


def test_the_sagittal_image_is_listed_as_evidence_and_in_the_library(
    full_study: FullStudy,
) -> None:
    document = read_back(full_study.made(ObjectKind.STRUCTURED_REPORT))
    view = full_study.grades.sagittal
    assert view is not None

    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    listed = [it.SeriesInstanceUID for it in study.ReferencedSeriesSequence]
    axial, sagittal = named(document, "Image Library Group")

    assert listed[1] == view.key.series_instance_uid
    assert len(named(axial, "Source")) == 17
    (image,) = named(sagittal, "Source")
    uid = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert uid == view.key.sop_instance_uid
