"""The content of the report, read back from its Part 10 bytes."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import highdicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    EnhancedMRImageStorage,
    EnhancedSRStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.report.codes import SCALES
from dicom_node.report.context import Predecessor, ReportContext
from dicom_node.report.narrative import paragraphs
from dicom_node.report.objects import build_objects, part10
from dicom_node.report.phrases import Language, shipped
from dicom_node.report.wording import DISCLAIMER, EXCLUSIONS, uncalibrated
from grading.grades import (
    FIRST_LINES,
    Basis,
    Finding,
    Level,
    LevelGrade,
    StudyGrades,
)
from tests.dicom_factories import (
    FRAME_OF_REFERENCE_UID,
    MODEL,
    REFUSED,
    SERIES_UID,
    STUDY_UID,
    enhanced_mr,
    mr_image,
    mr_series,
    put_raw,
    report_context,
    study_grades,
)
from tests.dicom_node.report.reading import codes, items, named, number, texts


def report(
    evidence: Sequence[Dataset],
    grades: StudyGrades,
    context: ReportContext | None = None,
    rank: int = 0,
) -> Dataset:
    objects = build_objects(evidence, grades, context or report_context())
    return dcmread(BytesIO(part10(objects[rank].dataset)))


def remarks(document: Dataset) -> list[str]:
    """Return what stands beside the grades, not that of the groups."""
    return texts(named(document, "Qualitative Evaluations")[0], "Comment")


@pytest.mark.parametrize("rank", [0, 1])
def test_no_container_runs_its_values_together(rank: int) -> None:
    document = report(mr_series(), study_grades(mr_series()), rank=rank)

    containers = [
        item for item in (document, *items(document)) if item.ValueType == "CONTAINER"
    ]

    assert len(containers) == 6
    assert {item.ContinuityOfContent for item in containers} == {"SEPARATE"}


def test_what_a_person_reads_comes_first_and_begins_with_the_basis() -> None:
    grades = study_grades(mr_series(), [2, 2], notes=["Slab 1 is long."])

    document = report(mr_series(), grades)

    containers = [i for i in document.ContentSequence if i.ValueType == "CONTAINER"]
    first, *_, last = containers

    assert first.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    assert last.ConceptNameCodeSequence[0].CodeMeaning == "Image Library"
    assert [item.TextValue for item in first.ContentSequence] == [
        FIRST_LINES[Basis.PHANTOM],
        DISCLAIMER,
        EXCLUSIONS,
        *uncalibrated(grades),
        "slab 1 of 2: LDH 1 (MSU, 63%); LCCS 2 (Lee, 80%); LNRC 0 (Pfirrmann, 43%)",
        "slab 2 of 2: LDH 2 (MSU, 63%); LCCS 3 (Lee, 80%); LNRC 1 (Pfirrmann, 43%)",
        *paragraphs(grades, shipped(Language.ENGLISH)),
        "Slab 1 is long.",
        "Not graded: 'T1 AX': not T2-weighted: TE 21 ms",
    ]


def test_grades_and_probabilities_read_back_equal() -> None:
    grades = study_grades(mr_series(), [2, 2])

    document = report(mr_series(), grades)

    groups = named(document, "Measurement Group")
    for group, level in zip(groups, grades.levels, strict=True):
        for finding, grading in level.grades.items():
            scale = SCALES[finding]
            (coded,) = named(group, scale.name.meaning)
            (reported,) = named(group, scale.reported.meaning)
            shares = [number(item) for item in coded.ContentSequence]
            value = coded.ConceptCodeSequence[0].CodeValue
            assert value == f"{finding}-G{grading.grade:d}"
            assert shares == [round(100 * p, 1) for p in grading.probabilities]
            assert number(reported) == round(100 * grading.probability, 1)


def test_a_group_puts_only_three_numbers_beside_its_region() -> None:
    document = report(mr_series(), study_grades(mr_series()))

    (group,) = named(document, "Measurement Group")

    assert sum(item.ValueType == "NUM" for item in group.ContentSequence) == 3


def test_a_slab_without_level_lies_in_the_lumbar_spine() -> None:
    document = report(mr_series(), study_grades(mr_series(), [2, 2]))

    assert texts(document, "Tracking Identifier") == ["slab 1 of 2", "slab 2 of 2"]
    assert codes(document, "Finding Site") == ["122496007", "122496007"]
    assert codes(document, "Finding") == ["122496007", "122496007"]


def test_a_known_level_is_named_by_its_disc() -> None:
    levels = [Level.L4_L5, Level.L5_S1]

    document = report(mr_series(), study_grades(mr_series(), [2, 2], levels=levels))

    assert texts(document, "Tracking Identifier") == ["L4/L5 disc", "L5/S1 disc"]
    assert codes(document, "Finding Site") == ["84020006", "715056000"]


def test_every_group_has_a_tracking_uid_of_its_own_that_revisions_keep() -> None:
    grades = study_grades(mr_series(), [2, 2])

    first, second = (
        [
            item.UID
            for item in named(
                report(mr_series(), grades, report_context(revision)),
                "Tracking Unique Identifier",
            )
        ]
        for revision in (1, 2)
    )

    assert first == second
    assert len(set(first)) == 2


def test_the_region_is_a_closed_line_on_the_key_slice() -> None:
    document = report(mr_series(), study_grades(mr_series()))

    (region,) = named(document, "Image Region")
    (source,) = region.ContentSequence

    # 48 mm at 1.5 mm a pixel, round the middle of 64 pixels.
    assert list(region.GraphicData) == [16, 16, 48, 16, 48, 48, 16, 48, 16, 16]
    assert region.GraphicType == "POLYLINE"
    assert source.RelationshipType == "SELECTED FROM"
    reference = source.ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == f"{SERIES_UID}.3"
    assert "ReferencedFrameNumber" not in reference


def test_frames_of_a_multi_frame_image_are_referred_to_by_number() -> None:
    image = enhanced_mr(frames=4)

    document = report([image], study_grades([image], [1, 3]))

    sources = named(document, "Source of Measurement")
    frames = [i.ReferencedSOPSequence[0].ReferencedFrameNumber for i in sources]
    key = named(document, "Image Region")[1].ContentSequence[0]
    assert frames == [1, [2, 3, 4]]
    assert key.ReferencedSOPSequence[0].ReferencedFrameNumber == 3


def test_series_that_share_instance_uids_are_all_listed() -> None:
    one, other = mr_series(), mr_series(series_uid="2.25.2002")
    for image, twin in zip(one, other, strict=True):
        twin.SOPInstanceUID = image.SOPInstanceUID
    both = [*one, *other]

    document = report(both, study_grades(both, [4, 4]))

    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    listed = {
        series.SeriesInstanceUID: len(series.ReferencedSOPSequence)
        for series in study.ReferencedSeriesSequence
    }
    assert study.StudyInstanceUID == STUDY_UID
    assert listed == {SERIES_UID: 4, "2.25.2002": 4}
    assert len(named(document, "Image Library Group")) == 2


def test_an_image_without_sop_class_is_referred_to_as_the_archive_knows_it() -> None:
    image = mr_image()
    del image.SOPClassUID
    image.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage

    document = report([image], study_grades([image]))

    (source,) = named(document, "Source of Measurement")
    reference = source.ReferencedSOPSequence[0]
    assert reference.ReferencedSOPClassUID == EnhancedMRImageStorage


def test_the_library_is_compact() -> None:
    document = report(mr_series(), study_grades(mr_series()))

    (group,) = named(document, "Image Library Group")

    kinds = [item.ValueType for item in group.ContentSequence]
    assert kinds == ["CODE", "CODE", "UIDREF", *["IMAGE"] * 4]
    assert named(group, "Frame of Reference UID")[0].UID == FRAME_OF_REFERENCE_UID


def test_the_algorithm_is_named_down_to_its_weights() -> None:
    document = report(mr_series(), study_grades(mr_series()))

    assert texts(document, "Algorithm Name") == [MODEL.name]
    assert texts(document, "Algorithm Version") == [MODEL.version]
    assert texts(document, "Algorithm Parameters") == [
        (
            f"weights sha256:{MODEL.sha256}; basis: phantom; LDH not calibrated; "
            "LCCS not calibrated; LNRC not calibrated"
        )
    ]


def test_the_report_never_claims_to_be_verified() -> None:
    document = report(mr_series(), study_grades(mr_series()))

    assert document.CompletionFlag == "COMPLETE"
    assert document.VerificationFlag == "UNVERIFIED"
    assert document.PreliminaryFlag == "PRELIMINARY"
    assert document.ContentQualification == "RESEARCH"
    assert "(unverified)" in document.SeriesDescription


def test_the_procedure_is_the_one_of_the_study() -> None:
    image = mr_image()
    image.ProcedureCodeSequence = [Dataset()]
    image.ProcedureCodeSequence[0].CodeValue = "MRLSP"
    image.ProcedureCodeSequence[0].CodingSchemeDesignator = "99SITE"
    image.ProcedureCodeSequence[0].CodeMeaning = "MR lumbar spine plain"

    assert procedure(image) == "MRLSP"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("CodeMeaning", "\u8170\u690e"),
        ("CodeMeaning", None),
        ("CodeValue", "far too long a value"),
        ("CodingSchemeDesignator", None),
    ],
)
def test_a_procedure_code_unfit_to_be_repeated_gives_way(
    keyword: str, value: str | None
) -> None:
    image = mr_image()
    image.SpecificCharacterSet = "ISO_IR 192"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "MRLSP", "99SITE"
    code.CodeMeaning = "MR lumbar spine plain"
    put_raw(code, keyword, (value or "").encode())
    image.ProcedureCodeSequence = [code]

    assert procedure(image) == "24968-0"


def procedure(image: Dataset) -> str:
    return codes(report([image], study_grades([image])), "Procedure reported")[0]


def test_a_level_that_lacks_a_finding_gets_no_number_for_it() -> None:
    grades = study_grades(mr_series())
    (level,) = grades.levels
    only_ldh = {Finding.LDH: level.grades[Finding.LDH]}
    lacking = LevelGrade(
        level.level, 1, 1, level.key_slice, level.slices, grades=only_ldh
    )

    document = report(mr_series(), replace(grades, levels=(lacking,)))

    assert not named(document, SCALES[Finding.LNRC].reported.meaning)
    assert "LNRC not graded" in texts(document, "Summary")[0]


def test_a_study_without_any_level_still_says_why() -> None:
    grades = replace(study_grades(mr_series()), levels=(), slices=())

    document = report(mr_series(), grades)

    assert not named(document, "Imaging Measurements")
    assert remarks(document)[-1].startswith("Not graded: 'T1 AX'")


def test_odd_descriptions_are_quoted_as_far_as_ascii_goes() -> None:
    odd = replace(REFUSED, description="T2 \u8ef8\u4f4d\nAX\\1")
    grades = replace(study_grades(mr_series()), series=(odd,))

    document = report(mr_series(), grades)

    assert remarks(document)[-1].startswith("Not graded: 'T2 ?? AX/1': ")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_revision_names_the_document_it_replaces_and_no_picture(rank: int) -> None:
    earlier = [
        Predecessor(ComprehensiveSRStorage, "2.25.51", "2.25.5"),
        Predecessor(EnhancedSRStorage, "2.25.52", "2.25.5"),
        Predecessor(SecondaryCaptureImageStorage, "2.25.61", "2.25.6"),
    ]

    document = report(
        mr_series(),
        study_grades(mr_series()),
        report_context(2, predecessors=earlier),
        rank,
    )

    (study,) = document.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert series.SeriesInstanceUID == "2.25.5"
    assert instance.ReferencedSOPInstanceUID == f"2.25.5{rank + 1}"
    assert document.InstanceNumber == 2


def test_highdicom_reads_the_groups_back() -> None:
    objects = build_objects(
        mr_series(), study_grades(mr_series(), [2, 2]), report_context()
    )

    document = highdicom.sr.srread(BytesIO(part10(objects[0].dataset)))

    assert isinstance(document.content, highdicom.sr.MeasurementReport)
    groups = document.content.get_planar_roi_measurement_groups()
    assert [len(group.get_measurements()) for group in groups] == [3, 3]


def test_our_two_classes_never_share_a_uid_but_share_the_series() -> None:
    first = report(mr_series(), study_grades(mr_series()), rank=0)
    second = report(mr_series(), study_grades(mr_series()), rank=1)

    assert first.SOPClassUID == ComprehensiveSRStorage
    assert second.SOPClassUID == EnhancedSRStorage
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
