"""What the report says: the content tree of a TID 1500 Measurement Report.

What a person reads comes first, one TID 1410 group per level or slab second, the
image library last (PS3.16 annex A).
"""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import ContentItem, ContentSequence
from pydicom import Dataset
from pydicom.uid import UID

from dicom_node.report import codes
from dicom_node.report.codes import SCALES, Concept
from dicom_node.report.context import MANUFACTURER, MODEL_NAME, Installation
from dicom_node.report.evidence import Evidence, Instance, Reference
from dicom_node.report.identity import copied_elements, raw_text, tracking_uid
from dicom_node.report.items import (
    ACQUIRES,
    CONTAINS,
    HAS_PROPERTIES,
    MODIFIES,
    OBSERVES,
    SELECTED_FROM,
    code_item,
    container_item,
    image_item,
    outline_item,
    percentage_item,
    text_item,
    uid_item,
)
from dicom_node.report.regions import graded_rectangle
from dicom_node.report.wording import (
    calibration,
    comments_after,
    comments_before,
    plain_text,
    short_text,
    summary_line,
)
from grading.grades import Finding, Grading, LevelGrade, ModelIdentity, StudyGrades


def report_content(
    evidence: Evidence, grades: StudyGrades, installation: Installation
) -> ContentItem:
    return container_item(
        codes.IMAGING_MEASUREMENT_REPORT,
        [
            code_item(codes.LANGUAGE, codes.ENGLISH, MODIFIES),
            *_observer(installation),
            code_item(codes.PROCEDURE_REPORTED, _procedure(evidence.first), MODIFIES),
            _qualitative_evaluations(grades),
            *_imaging_measurements(evidence, grades),
            _image_library(evidence),
        ],
        relationship=None,
        template="1500",
    )


def _observer(installation: Installation) -> list[ContentItem]:
    """Return the device observer context (TID 1002, 1004)."""
    serial_number = short_text(installation.serial_number)
    texts = (
        (codes.DEVICE_OBSERVER_NAME, MODEL_NAME),
        (codes.DEVICE_OBSERVER_MANUFACTURER, MANUFACTURER),
        (codes.DEVICE_OBSERVER_MODEL_NAME, MODEL_NAME),
        (codes.DEVICE_OBSERVER_SERIAL_NUMBER, serial_number),
    )
    return [
        code_item(codes.OBSERVER_TYPE, codes.DEVICE, OBSERVES),
        uid_item(codes.DEVICE_OBSERVER_UID, installation.device_uid, OBSERVES),
        *(text_item(name, text, OBSERVES) for name, text in texts if text),
    ]


def _procedure(source: Dataset) -> Concept:
    """Return the study's own procedure code where it is fit to be repeated."""
    items = copied_elements(source, ["ProcedureCodeSequence"]).get(
        "ProcedureCodeSequence"
    )
    if not items:
        return codes.MR_LUMBAR_SPINE
    keywords = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    value, scheme, meaning = (raw_text(items[0], keyword) for keyword in keywords)
    limits = (codes.MAX_SH_CHARACTERS, codes.MAX_SH_CHARACTERS, codes.MAX_LO_CHARACTERS)
    for text, limit in zip((value, scheme, meaning), limits, strict=True):
        if not 0 < len(text) <= limit or plain_text(text) != text:
            return codes.MR_LUMBAR_SPINE
    return Concept(value, scheme, meaning, "the study")


def _qualitative_evaluations(grades: StudyGrades) -> ContentItem:
    """Return what a person reads: warnings, a line per level, what is missing."""
    lines = (
        *((codes.COMMENT, text) for text in comments_before(grades)),
        *((codes.SUMMARY, summary_line(level)) for level in grades.levels),
        *((codes.COMMENT, text) for text in comments_after(grades)),
    )
    items = [text_item(name, text, CONTAINS) for name, text in lines]
    return container_item(codes.QUALITATIVE_EVALUATIONS, items)


def _imaging_measurements(evidence: Evidence, grades: StudyGrades) -> list[ContentItem]:
    """Return the groups, or nothing where no level was graded."""
    groups = [_group(evidence, grades, level) for level in grades.levels]
    return [container_item(codes.IMAGING_MEASUREMENTS, groups)] if groups else []


def _group(evidence: Evidence, grades: StudyGrades, level: LevelGrade) -> ContentItem:
    """Return a Planar ROI Measurements group (TID 1410)."""
    scored = [(f, level.grades[f]) for f in Finding if f in level.grades]
    return container_item(
        codes.MEASUREMENT_GROUP,
        [
            *_tracking(grades.study_instance_uid, level),
            *_subject(codes.site(level.level)),
            *_algorithm(grades.model, level),
            *(_reported_probability(*graded) for graded in scored),
            *(_grade(*graded) for graded in scored),
            _region(evidence, grades, level),
            *(
                image_item(codes.SOURCE_OF_MEASUREMENT, reference, CONTAINS)
                for reference in evidence.references(level.slices)
            ),
        ],
        template="1410",
    )


def _tracking(study_instance_uid: str, level: LevelGrade) -> list[ContentItem]:
    identifier = f"{level.name} disc" if level.level else level.name
    uid = tracking_uid(study_instance_uid, level.name)
    return [
        text_item(codes.TRACKING_IDENTIFIER, identifier, OBSERVES),
        uid_item(codes.TRACKING_UNIQUE_IDENTIFIER, uid, OBSERVES),
    ]


def _subject(site: Concept) -> list[ContentItem]:
    return [
        code_item(codes.FINDING_CATEGORY, codes.ANATOMICAL_STRUCTURE, CONTAINS),
        code_item(codes.FINDING, site, CONTAINS),
        code_item(codes.FINDING_SITE, site, MODIFIES),
    ]


def _algorithm(model: ModelIdentity, level: LevelGrade) -> list[ContentItem]:
    """Return the algorithm identification (TID 4019)."""
    fitted = [calibration(f, level.grades[f]) for f in Finding if f in level.grades]
    words = [f"weights sha256:{model.sha256}", f"basis: {model.basis}", *fitted]
    parameters = "; ".join(word for word in words if word)
    return [
        text_item(codes.ALGORITHM_NAME, plain_text(model.name), MODIFIES),
        text_item(codes.ALGORITHM_VERSION, plain_text(model.version), MODIFIES),
        text_item(codes.ALGORITHM_MANUFACTURER, MANUFACTURER, MODIFIES),
        text_item(codes.ALGORITHM_PARAMETERS, plain_text(parameters), MODIFIES),
        code_item(codes.ALGORITHM_FAMILY, codes.ARTIFICIAL_INTELLIGENCE, MODIFIES),
    ]


def _reported_probability(finding: Finding, grading: Grading) -> ContentItem:
    """Return the one number per finding that viewers print beside the region."""
    return percentage_item(SCALES[finding].reported, grading.probability, CONTAINS)


def _grade(finding: Finding, grading: Grading) -> ContentItem:
    """Return the coded grade with its whole distribution as properties."""
    scale = SCALES[finding]
    item = code_item(scale.name, scale.grades[grading.grade], CONTAINS)
    item.ContentSequence = ContentSequence(
        [
            percentage_item(concept, probability, HAS_PROPERTIES)
            for concept, probability in zip(
                scale.probabilities, grading.probabilities, strict=True
            )
        ]
    )
    return item


def _region(evidence: Evidence, grades: StudyGrades, level: LevelGrade) -> ContentItem:
    """Return the square that was graded on the key slice, as a closed line."""
    key = level.key_slice
    box = graded_rectangle(grades.slice_grade(key).region, evidence.header(key))
    item = outline_item(codes.IMAGE_REGION, box, CONTAINS)
    source = image_item(codes.SOURCE, evidence.reference(key), SELECTED_FROM)
    item.ContentSequence = ContentSequence([source])
    return item


def _image_library(evidence: Evidence) -> ContentItem:
    """Return a compact library: descriptors once per series (TID 1600)."""
    groups = [_library_group(series) for series in evidence.by_series()]
    return container_item(codes.IMAGE_LIBRARY, groups)


def _library_group(series: Sequence[Instance]) -> ContentItem:
    frame_of_reference = raw_text(series[0].dataset, "FrameOfReferenceUID")
    descriptors = [
        code_item(codes.MODALITY, codes.MAGNETIC_RESONANCE, ACQUIRES),
        code_item(codes.TARGET_REGION, codes.LUMBAR_SPINE, ACQUIRES),
    ]
    if UID(frame_of_reference).is_valid:
        uid = uid_item(codes.FRAME_OF_REFERENCE_UID, frame_of_reference, ACQUIRES)
        descriptors.append(uid)
    images = [image_item(codes.SOURCE, Reference(i, ()), CONTAINS) for i in series]
    return container_item(codes.IMAGE_LIBRARY_GROUP, [*descriptors, *images])
