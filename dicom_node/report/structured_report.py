"""StudyGrades to a structured report, in every SOP class that may carry it."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)

from dicom_node.report.account import Account
from dicom_node.report.content import report_content
from dicom_node.report.context import ReportContext
from dicom_node.report.documents import DocumentSeries, document
from dicom_node.report.evidence import Evidence
from grading.grades import StudyGrades

SERIES = DocumentSeries("structured report", 9801, "AI Lumbar Grading SR (unverified)")
SOP_CLASSES = (ComprehensiveSRStorage, EnhancedSRStorage)
"""Whose content may be this tree, the preferred one first."""
ALL_SOP_CLASSES = (Comprehensive3DSRStorage, *SOP_CLASSES)
"""With the class that some destinations ask for: same tree, other UID."""


def structured_reports(
    evidence: Evidence,
    grades: StudyGrades,
    account: Account,
    context: ReportContext,
    *,
    comprehensive_3d: bool = False,
) -> list[Dataset]:
    """Build the report once per SOP class, the preferred class first.

    They share one tree, which takes longest to make: nobody changes it in one only.
    """
    content = report_content(evidence, grades, account, context.installation)
    return [
        document(uid, SERIES, content, evidence, grades, context)
        for uid in (ALL_SOP_CLASSES if comprehensive_3d else SOP_CLASSES)
    ]
