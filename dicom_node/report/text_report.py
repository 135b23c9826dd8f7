"""The report as plain text, for a PACS that takes no coded one.

TID 2000 in Basic Text SR: no private code, no number, no coordinates. What the
coded report says in words stands here word for word.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.uid import BasicTextSRStorage

from dicom_node.report import codes
from dicom_node.report.account import Account
from dicom_node.report.codes import Concept
from dicom_node.report.content import report_context
from dicom_node.report.context import ReportContext
from dicom_node.report.documents import DocumentSeries, document
from dicom_node.report.evidence import Evidence
from dicom_node.report.items import CONTAINS, container_item, text_item
from grading.grades import StudyGrades

SERIES = DocumentSeries("text report", 9805, "AI Lumbar Grading text (unverified)")
SOP_CLASS = BasicTextSRStorage


def text_report(
    evidence: Evidence, grades: StudyGrades, account: Account, context: ReportContext
) -> Dataset:
    """Build the text report: warnings and grades, then the narrative."""
    findings = (*account.warnings, *account.lines, *account.remarks)
    sections = [_section(codes.FINDINGS, codes.FINDING, findings)]
    if account.paragraphs:
        said = account.paragraphs
        sections.append(_section(codes.CONCLUSIONS, codes.CONCLUSION, said))
    content = container_item(
        codes.DIAGNOSTIC_IMAGING_REPORT,
        [*report_context(evidence, context.installation), *sections],
        relationship=None,
        template="2000",
    )
    return document(SOP_CLASS, SERIES, content, evidence, grades, context)


def _section(name: Concept, item: Concept, texts: Iterable[str]) -> Dataset:
    return container_item(name, [text_item(item, text, CONTAINS) for text in texts])
