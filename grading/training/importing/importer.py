"""Import an archive: from whichever labels it has to a manifest on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grading.evaluation.delimited import CasesError
from grading.training.importing import rsna
from grading.training.importing.archive import Archive, read_archive
from grading.training.importing.assemble import (
    LEFT_OUT_NAME,
    MANIFEST_NAME,
    Imported,
    assemble,
    write_left_out,
)
from grading.training.importing.boxes import read_boxes
from grading.training.importing.corrected_reports import report_labels
from grading.training.importing.grades_table import read_grades
from grading.training.importing.labels import Label, LeftOut
from grading.training.importing.matching import match
from grading.training.importing.phantom_truth import read_truths
from grading.training.importing.pseudonyms import pseudonyms_of
from grading.training.manifest import write_manifest


@dataclass(frozen=True, slots=True)
class Labelling:
    """The labels of an archive, before they have met its images."""

    labels: Sequence[Label]
    left_out: Sequence[LeftOut] = ()
    remarks: Sequence[str] = ()
    """Sentences for whoever imports."""


Labeller = Callable[[Archive], Labelling]


def from_table(path: Path) -> Labeller:
    """Take grades from a hospital's own table."""

    def label(_: Archive) -> Labelling:
        labels, unused = read_grades(path)
        remark = f"{path.name}: columns not used: {', '.join(unused)}."
        return Labelling(labels, remarks=[remark] if unused else [])

    return label


def from_rsna(grades: Path, points: Path) -> Labeller:
    """Take the grades of RSNA 2024."""

    def label(archive: Archive) -> Labelling:
        levels = rsna.read_grades(grades)
        labels, left_out = rsna.rsna_labels(archive, levels, rsna.read_points(points))
        return Labelling(labels, left_out, [rsna.counts(levels)])

    return label


def from_reports(archive: Archive) -> Labelling:
    """Take grades from verified reports of this node in the archive."""
    labels, left_out = report_labels(archive)
    return Labelling(labels, left_out)


def from_phantom_truth(archive: Archive) -> Labelling:
    """Take grades from the truth beside phantom studies."""
    return Labelling(read_truths(archive.folder))


def import_archive(
    folder: Path, out: Path, labeller: Labeller, boxes: Path | None, site: str
) -> tuple[Imported, Sequence[str]]:
    """Write manifest and left-out table of an archive into ``out``.

    Returns
    -------
    Imported
        As written.
    Sequence
        Remarks on the labels.

    Raises
    ------
    CasesError
        A table cannot be understood, or no image has a label that can be used; the
        table of what was left out is written nevertheless.
    OSError
        The archive cannot be read, or the output not written.
    """
    archive = read_archive(folder)
    labelling = labeller(archive)
    drawn = read_boxes(boxes) if boxes else ()
    matched = match(archive, labelling.labels, drawn)
    matched = replace(matched, left_out=(*labelling.left_out, *matched.left_out))
    out.mkdir(parents=True, exist_ok=True)
    imported = assemble(archive, matched, pseudonyms_of(out), site)
    write_left_out(out / LEFT_OUT_NAME, imported.left_out)
    if not imported.manifest.images:
        raise CasesError(
            folder,
            None,
            f"no image has a label that can be used; {out / LEFT_OUT_NAME} says why",
        )
    write_manifest(out / MANIFEST_NAME, imported.manifest)
    return imported, labelling.remarks
