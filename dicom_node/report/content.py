"""What the report says: the content tree of a TID 1500 Measurement Report.

What a person reads comes first, one TID 1410 group per level or slab second, the
image library last (PS3.16 annex A).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import UID

from dicom_node.report import codes
from dicom_node.report.account import Account
from dicom_node.report.codes import Concept
from dicom_node.report.context import MANUFACTURER, MODEL_NAME, Installation
from dicom_node.report.evidence import Evidence, Instance, Reference
from dicom_node.report.groups import measurement_group
from dicom_node.report.identity import copied_elements, raw_text
from dicom_node.report.items import (
    ACQUIRES,
    CONTAINS,
    MODIFIES,
    OBSERVES,
    code_item,
    container_item,
    image_item,
    text_item,
    uid_item,
)
from dicom_node.report.wording import plain_text, short_text
from grading.grades import StudyGrades


def report_content(
    evidence: Evidence,
    grades: StudyGrades,
    account: Account,
    installation: Installation,
) -> Dataset:
    return container_item(
        codes.IMAGING_MEASUREMENT_REPORT,
        [
            *report_context(evidence, installation),
            _qualitative_evaluations(account),
            *_imaging_measurements(evidence, grades),
            _image_library(evidence),
        ],
        relationship=None,
        template="1500",
    )


def report_context(evidence: Evidence, installation: Installation) -> list[Dataset]:
    """Return language, observer and procedure, which every document begins with."""
    return [
        code_item(codes.LANGUAGE, codes.ENGLISH, MODIFIES),
        *_observer(installation),
        code_item(codes.PROCEDURE_REPORTED, _procedure(evidence.first), MODIFIES),
    ]


def _observer(installation: Installation) -> list[Dataset]:
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


def _qualitative_evaluations(account: Account) -> Dataset:
    """Return what a person reads: warnings, a line per level, what is missing."""
    lines = (
        *((codes.COMMENT, text) for text in account.warnings),
        *((codes.SUMMARY, text) for text in account.lines),
        *((codes.NARRATIVE_SUMMARY, text) for text in account.paragraphs),
        *((codes.COMMENT, text) for text in account.remarks),
    )
    items = [text_item(name, text, CONTAINS) for name, text in lines]
    return container_item(codes.QUALITATIVE_EVALUATIONS, items)


def _imaging_measurements(evidence: Evidence, grades: StudyGrades) -> list[Dataset]:
    """Return the groups, or nothing where no level was graded."""
    groups = [measurement_group(evidence, grades, level) for level in grades.levels]
    return [container_item(codes.IMAGING_MEASUREMENTS, groups)] if groups else []


def _image_library(evidence: Evidence) -> Dataset:
    """Return a compact library: descriptors once per series (TID 1600)."""
    groups = [_library_group(series) for series in evidence.by_series()]
    return container_item(codes.IMAGE_LIBRARY, groups)


def _library_group(series: Sequence[Instance]) -> Dataset:
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
