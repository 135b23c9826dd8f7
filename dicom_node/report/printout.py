"""StudyGrades to a printout, an Encapsulated PDF (PS3.3 A.45.1)."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from dicom_node.report.account import Account
from dicom_node.report.codes import DIAGNOSTIC_IMAGING_REPORT
from dicom_node.report.context import MODEL_NAME, ReportContext
from dicom_node.report.drawing import Caption, draw_summary
from dicom_node.report.evidence import Evidence
from dicom_node.report.header import (
    date_value,
    finish_header,
    local_time,
    time_value,
)
from dicom_node.report.identity import series_instance_uid, sop_instance_uid
from dicom_node.report.printed import TITLE, Imprint, printed_pages
from grading.grades import StudyGrades

SERIES_NUMBER = 9806
SERIES_DESCRIPTION = "AI Lumbar Grading PDF (unverified)"
KIND = "printout"
"""Part of the derived UIDs; another word would make other UIDs."""
SOP_CLASS = EncapsulatedPDFStorage


def printout(
    evidence: Evidence, grades: StudyGrades, account: Account, context: ReportContext
) -> Dataset:
    """Build the printout; it shows the patient's name and ID."""
    study = grades.study_instance_uid
    made = Dataset()
    made.SOPClassUID = SOP_CLASS
    made.SOPInstanceUID = sop_instance_uid(
        study,
        (graded.key for graded in grades.slices),
        grades.model,
        KIND,
        SOP_CLASS,
        context.revision,
    )
    made.StudyInstanceUID = study
    made.SeriesInstanceUID = series_instance_uid(study, KIND)
    made.Modality = "DOC"
    made.SeriesNumber = SERIES_NUMBER
    made.SeriesDescription = SERIES_DESCRIPTION
    made.ConversionType = "WSD"
    moment = local_time(context.created_at, evidence.first)
    made.AcquisitionDateTime = f"{date_value(moment)}{time_value(moment)}"
    _put_pdf(made, _pdf(evidence, grades, account, context))
    made.SourceInstanceSequence = [
        _source(instance.sop_class_uid, instance.sop_instance_uid)
        for instance in evidence.instances.values()
    ]
    finish_header(made, evidence.first, grades.model, context)
    return made


def _pdf(
    evidence: Evidence, grades: StudyGrades, account: Account, context: ReportContext
) -> bytes:
    moment = local_time(context.created_at, evidence.first)
    software = f"{MODEL_NAME} {context.installation.software_version}"
    picture = draw_summary(
        evidence, grades, Caption(context.revision, moment, software)
    )
    imprint = Imprint(software, context.revision, moment)
    return printed_pages(evidence.first, grades, account, picture, imprint)


def _put_pdf(made: Dataset, pdf: bytes) -> None:
    """Put the document in (PS3.3 C.24.2); its length is that without padding."""
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = TITLE
    made.ConceptNameCodeSequence = [DIAGNOSTIC_IMAGING_REPORT.item()]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)


def _source(sop_class_uid: str, sop_instance_uid_: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = sop_class_uid
    ds.ReferencedSOPInstanceUID = sop_instance_uid_
    return ds
