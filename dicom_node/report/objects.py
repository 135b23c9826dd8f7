"""Everything that goes back to the PACS for one graded study."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from pydicom import Dataset, dcmwrite

from dicom_node.report.account import account_of
from dicom_node.report.context import (
    Installation,
    Predecessor,
    ReportContext,
    Wanted,
)
from dicom_node.report.documents import share_encoded_content
from dicom_node.report.evidence import evidence_of
from dicom_node.report.localised import localise, writable
from dicom_node.report.picture import summary_picture
from dicom_node.report.printout import printout
from dicom_node.report.structured_report import structured_reports
from dicom_node.report.text_report import text_report
from grading.grades import StudyGrades
from storage.outbox import ObjectKind

__all__ = [
    "Installation",
    "ObjectKind",
    "Predecessor",
    "ReportContext",
    "ReportObject",
    "Wanted",
    "build_objects",
    "part10",
]


@dataclass(frozen=True, slots=True)
class ReportObject:
    """One object, ready to be written and sent."""

    kind: ObjectKind
    rank: int
    """0 is preferred; higher ones say the same in a SOP class for a PACS that
    refuses the one before."""
    dataset: Dataset

    @property
    def sop_class_uid(self) -> str:
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        return str(self.dataset.SOPInstanceUID)

    @property
    def series_instance_uid(self) -> str:
        return str(self.dataset.SeriesInstanceUID)


def build_objects(
    evidence: Sequence[Dataset],
    grades: StudyGrades,
    context: ReportContext,
    wanted: Wanted = Wanted(),  # noqa: B008 - frozen
) -> list[ReportObject]:
    """Build what is wanted; the structured report in every SOP class.

    ``evidence`` is every graded instance with its pixels, and the sagittal one; the
    first one gives patient and study. The same arguments give the same bytes,
    wherever and whenever.

    Raises
    ------
    ValueError
        There is no evidence, or a graded slice is not among it.
    """
    with _source_warnings_logged_only():
        indexed = evidence_of(evidence)
        phrases = writable(context.phrases, indexed.first)
        account = account_of(indexed, grades, phrases)
        text = text_report(indexed, grades, account, context)
        reports = structured_reports(
            indexed,
            grades,
            account,
            context,
            comprehensive_3d=wanted.comprehensive_3d,
        )
        for document in (*reports, text):
            localise(document, phrases, indexed.first)
        share_encoded_content(reports)
        ranked = {
            ObjectKind.STRUCTURED_REPORT: [*reports, text],
            ObjectKind.TEXT_REPORT: [text],
        }
        if ObjectKind.PICTURE in wanted.kinds:
            picture = summary_picture(indexed, grades, context)
            ranked[ObjectKind.PICTURE] = [picture]
        if ObjectKind.PRINTOUT in wanted.kinds:
            printed = printout(indexed, grades, account, context)
            ranked[ObjectKind.PRINTOUT] = [printed]
    return [
        ReportObject(kind, rank, dataset)
        for kind, datasets in ranked.items()
        if kind in wanted.kinds
        for rank, dataset in enumerate(datasets)
    ]


def part10(dataset: Dataset) -> bytes:
    """Return an object as a Part 10 file (PS3.10 7), Explicit VR Little Endian."""
    buffer = BytesIO()
    with _source_warnings_logged_only():
        dcmwrite(
            buffer,
            dataset,
            implicit_vr=False,
            little_endian=True,
            enforce_file_format=True,
        )
    return buffer.getvalue()


@contextmanager
def _source_warnings_logged_only() -> Iterator[None]:
    """Keep pydicom from warning of what the study's own header has wrong.

    It goes back as it came, and pydicom logs each warning besides.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
