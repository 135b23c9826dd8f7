"""The header of a document: what it is, what it rests on, what it replaces.

Not with highdicom's document classes: they fail on headers that are common (absent
attributes, character sets whose first value is empty or Korean), list an image once
where two series share its UID, and take the time of the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)

from dicom_node.report.context import Predecessor, ReportContext
from dicom_node.report.evidence import Evidence, Instance
from dicom_node.report.header import finish_header
from dicom_node.report.identity import series_instance_uid, sop_instance_uid
from grading.grades import StudyGrades

DOCUMENT_CLASSES = (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    BasicTextSRStorage,
)
"""Every SOP class that an earlier revision's document may have."""


@dataclass(frozen=True, slots=True)
class DocumentSeries:
    """The series that holds every revision of one kind of document."""

    kind: str
    """Part of the derived UIDs; another word would make other UIDs."""
    number: int
    description: str


def document(
    sop_class_uid: str,
    series: DocumentSeries,
    content: Dataset,
    evidence: Evidence,
    grades: StudyGrades,
    context: ReportContext,
) -> Dataset:
    """Put a header before the content."""
    study = grades.study_instance_uid
    made = Dataset()
    made.SOPClassUID = sop_class_uid
    made.SOPInstanceUID = sop_instance_uid(
        study,
        (graded.key for graded in grades.slices),
        grades.model,
        series.kind,
        sop_class_uid,
        context.revision,
    )
    made.StudyInstanceUID = study
    made.SeriesInstanceUID = series_instance_uid(study, series.kind)
    for element in content:
        made.add(element)
    _put_document(made, series)
    made.CurrentRequestedProcedureEvidenceSequence = [_evidence_item(evidence, study)]
    predecessors = _preceding(sop_class_uid, context.predecessors)
    if predecessors:
        made.PredecessorDocumentsSequence = [_predecessors(predecessors, study)]
    finish_header(made, evidence.first, grades.model, context)
    return made


def share_encoded_content(documents: Sequence[Dataset]) -> None:
    """Encode the tree that finished documents have in common once, for all of them.

    Most of the time that writing a document takes is the tree's; it stays readable.
    """
    tag = BaseTag(tag_for_keyword("ContentSequence") or 0)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    terms = documents[0].get("SpecificCharacterSet")
    encodings = convert_encodings(terms) if terms else [default_encoding]
    write_sequence(buffer, documents[0][tag], encodings)
    content = buffer.getvalue()
    for made in documents:
        made[tag] = RawDataElement(tag, "SQ", len(content), content, 0, False, True)


def _put_document(made: Dataset, series: DocumentSeries) -> None:
    """Say what document this is (PS3.3 C.17.1, C.17.2): complete, never verified."""
    made.Modality = "SR"
    made.SeriesNumber = series.number
    made.SeriesDescription = series.description
    made.CompletionFlag = "COMPLETE"
    made.VerificationFlag = "UNVERIFIED"
    made.PreliminaryFlag = "PRELIMINARY"
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = []


def _evidence_item(evidence: Evidence, study_instance_uid: str) -> Dataset:
    """List every image, also where two series share a SOP Instance UID."""
    return _study_item(
        study_instance_uid,
        [
            (series[0].series_instance_uid, _sop_items(series))
            for series in evidence.by_series()
        ],
    )


def _sop_items(instances: Iterable[Instance]) -> list[Dataset]:
    return [_sop_item(i.sop_class_uid, i.sop_instance_uid) for i in instances]


def _predecessors(predecessors: Sequence[Predecessor], study: str) -> Dataset:
    series: dict[str, list[Dataset]] = {}
    for predecessor in predecessors:
        series.setdefault(predecessor.series_instance_uid, []).append(
            _sop_item(predecessor.sop_class_uid, predecessor.sop_instance_uid)
        )
    return _study_item(study, list(series.items()))


def _preceding(
    sop_class_uid: str, predecessors: Sequence[Predecessor]
) -> list[Predecessor]:
    """Return what this document replaces: only documents, its own class if any.

    An earlier revision was made in every class too, and a PACS has one of them.
    """
    documents = [p for p in predecessors if p.sop_class_uid in DOCUMENT_CLASSES]
    return [p for p in documents if p.sop_class_uid == sop_class_uid] or documents


def _study_item(study: str, series: list[tuple[str, list[Dataset]]]) -> Dataset:
    """Return an item of the Hierarchical SOP Instance Reference (PS3.3 C.17.2.1)."""
    ds = Dataset()
    ds.StudyInstanceUID = study
    ds.ReferencedSeriesSequence = [_series_item(uid, items) for uid, items in series]
    return ds


def _series_item(series_uid: str, sop_items: list[Dataset]) -> Dataset:
    ds = Dataset()
    ds.SeriesInstanceUID = series_uid
    ds.ReferencedSOPSequence = sop_items
    return ds


def _sop_item(sop_class_uid: str, sop_uid: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = sop_class_uid
    ds.ReferencedSOPInstanceUID = sop_uid
    return ds
