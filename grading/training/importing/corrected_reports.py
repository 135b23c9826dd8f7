"""Grades from this node's structured reports that a radiologist has verified.

A reader corrects the coded grades of a report (TID 1500) and verifies it: only then
is it anybody's word but the model's. Codes are those of the node's private scheme,
restated here because grading knows no node; a test holds the two side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset

from grading.grades import Finding, Grade, Level
from grading.training.importing.archive import Archive
from grading.training.importing.labels import Label, LeftOut

Code = tuple[str, str]
"""Code Value and Coding Scheme Designator (PS3.3 8.8)."""

MEASUREMENT_GROUP: Code = ("125007", "DCM")
FINDING_SITE: Code = ("363698007", "SCT")
SOURCE_OF_MEASUREMENT: Code = ("121112", "DCM")
DISCS: Mapping[Code, Level] = {
    ("76206002", "SCT"): Level.T12_L1,
    ("80064006", "SCT"): Level.L1_L2,
    ("67459009", "SCT"): Level.L2_L3,
    ("62551000", "SCT"): Level.L3_L4,
    ("84020006", "SCT"): Level.L4_L5,
    ("715056000", "SCT"): Level.L5_S1,
}
PRIVATE_SCHEME = "99LUMBAR"
SCALES: Mapping[Code, Finding] = {
    (f"{finding}-GRADE", PRIVATE_SCHEME): finding for finding in Finding
}
GRADES: Mapping[Code, tuple[Finding, Grade]] = {
    (f"{finding}-G{grade:d}", PRIVATE_SCHEME): (finding, grade)
    for finding in Finding
    for grade in Grade
}

VERIFIED = "VERIFIED"
"""Verification Flag (0040,A493)."""


@dataclass(frozen=True, slots=True)
class _Reported:
    """What one measurement group says."""

    level: Level | None
    grades: Mapping[Finding, Grade]
    images: tuple[tuple[str, int], ...]
    """SOP Instance UID and frame of each graded image."""


def report_labels(archive: Archive) -> tuple[list[Label], list[LeftOut]]:
    """Return the labels of verified reports, and the reports that are of no use.

    Of a report that another one names as its predecessor the later one counts.
    """
    replaced = {uid for ds in archive.reports.values() for uid in _replaced(ds)}
    labels: list[Label] = []
    left_out: list[LeftOut] = []
    for file, ds in archive.reports.items():
        found, reason = _read(file, ds, replaced)
        if reason:
            uid = str(ds.get("SOPInstanceUID", ""))
            study = str(ds.get("StudyInstanceUID", ""))
            left_out.append(
                LeftOut(f"report: {reason}", file=file, study=study, sop_instance=uid)
            )
        else:
            labels += found
    return labels, left_out


def _read(file: str, ds: Dataset, replaced: set[str]) -> tuple[list[Label], str]:
    """Return a report's labels, or why it has none."""
    if reason := _objection(ds, replaced):
        return [], reason
    try:
        found = list(_labels(file, ds))
    # A report from anywhere: whatever its content makes fail, the others count.
    except Exception as error:  # noqa: BLE001
        return [], f"its content is damaged ({type(error).__name__})"
    return found, "" if found else "no grade of this node"


def _replaced(ds: Dataset) -> set[str]:
    try:
        return set(_predecessors(ds))
    # Likewise: what cannot be read names nothing.
    except Exception:  # noqa: BLE001
        return set()


def _objection(ds: Dataset, replaced: set[str]) -> str:
    if ds.get("VerificationFlag") != VERIFIED:
        return "nobody has verified it, it holds the model's own grades"
    if str(ds.get("SOPInstanceUID", "")) in replaced:
        return "a later report replaces it"
    return ""


def _labels(file: str, ds: Dataset) -> Iterator[Label]:
    series = _series_by_instance(ds)
    for item in _items(ds):
        if _name(item) != MEASUREMENT_GROUP:
            continue
        reported = _reported(item)
        if not reported.grades:
            continue
        for sop_instance, frame in reported.images:
            places = series.get(sop_instance, set())
            yield Label(
                source=file,
                study=str(ds.get("StudyInstanceUID", "")),
                # Two series may share the UID: the image is then not told apart.
                series=next(iter(places)) if len(places) == 1 else "",
                sop_instance=sop_instance,
                frame=frame,
                level=reported.level,
                grades=reported.grades,
            )


def _reported(group: Dataset) -> _Reported:
    grades: dict[Finding, Grade] = {}
    level = None
    images: list[tuple[str, int]] = []
    # What lies deeper belongs to one grade: a root's site, the worst slice's image.
    for item in group.get("ContentSequence", ()):
        name = _name(item)
        value = _code(item, "ConceptCodeSequence")
        if name == FINDING_SITE:
            level = DISCS.get(value)
        elif name in SCALES and GRADES.get(value, (None, None))[0] is SCALES[name]:
            finding, grade = GRADES[value]
            grades[finding] = grade
        elif name == SOURCE_OF_MEASUREMENT:
            images += _images(item)
    return _Reported(level, grades, tuple(images))


def _images(item: Dataset) -> Iterator[tuple[str, int]]:
    for reference in item.get("ReferencedSOPSequence", ()):
        frames = reference.get("ReferencedFrameNumber") or [1]
        for frame in [frames] if isinstance(frames, int) else frames:
            yield str(reference.get("ReferencedSOPInstanceUID", "")), int(frame)


def _items(node: Dataset) -> Iterator[Dataset]:
    """Yield every content item below ``node``, depth first."""
    for item in node.get("ContentSequence", ()):
        yield item
        yield from _items(item)


def _name(item: Dataset) -> Code:
    return _code(item, "ConceptNameCodeSequence")


def _code(item: Dataset, keyword: str) -> Code:
    codes = item.get(keyword) or [Dataset()]
    return (
        str(codes[0].get("CodeValue", "")),
        str(codes[0].get("CodingSchemeDesignator", "")),
    )


def _series_by_instance(ds: Dataset) -> Mapping[str, set[str]]:
    """Return the series of each instance that the report lists as evidence."""
    found: dict[str, set[str]] = {}
    for study in ds.get("CurrentRequestedProcedureEvidenceSequence", ()):
        for series in study.get("ReferencedSeriesSequence", ()):
            for instance in series.get("ReferencedSOPSequence", ()):
                uid = str(instance.get("ReferencedSOPInstanceUID", ""))
                found.setdefault(uid, set()).add(str(series.get("SeriesInstanceUID")))
    return found


def _predecessors(ds: Dataset) -> Iterator[str]:
    for study in ds.get("PredecessorDocumentsSequence", ()):
        for series in study.get("ReferencedSeriesSequence", ()):
            for instance in series.get("ReferencedSOPSequence", ()):
                yield str(instance.get("ReferencedSOPInstanceUID", ""))
