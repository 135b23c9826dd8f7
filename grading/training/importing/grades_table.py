"""A table of grades: a CSV file with a row per slice or per disc level.

A row names its image by ``sop_instance`` (and ``series`` where UIDs repeat) or by
``file``, or its level by ``study`` and ``level``. Grades stand in ``LDH``, ``LCCS``
and ``LNRC``; an empty cell means that nobody graded that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grading.evaluation.delimited import CasesError, Row, read_delimited
from grading.evaluation.places import Facts, read_grade
from grading.grades import Finding, Level
from grading.training.importing.labels import Label
from grading.training.manifest import Part

PLACES = ("study", "series", "sop_instance", "frame", "file", "level", "slab")
FACTS = ("patient", "site", "scanner", "part", "excluded")
GRADES = tuple(finding.lower() for finding in Finding)


def read_grades(path: Path) -> tuple[list[Label], Sequence[str]]:
    """Read a table of grades.

    Returns
    -------
    list
        The labels, in the table's order.
    Sequence
        The columns that were not looked at: a misspelt one shows here.

    Raises
    ------
    CasesError
        A cell cannot be understood, a row names no image, two rows are about the
        same, or a patient has two sites or parts; the message names the line.
    OSError
        The file cannot be read.
    """
    table = read_delimited(path, GRADES, (*PLACES, *FACTS))
    facts = Facts()
    first_lines: dict[object, int] = {}
    labels = []
    for row in table.rows():
        label = _label(path, row)
        _check_facts(row, label, facts)
        place = _place(label)
        if (line := first_lines.setdefault(place, row.spot.line)) != row.spot.line:
            raise row.wrong(f"line {line} is about the same; remove one of the two")
        labels.append(label)
    if not labels:
        raise CasesError(path, None, "there is no row below the header; nothing to do")
    return labels, table.unused


def _label(path: Path, row: Row) -> Label:
    label = Label(
        source=f"{path.name} line {row.spot.line}",
        study=row["study"],
        series=row["series"],
        sop_instance=row["sop_instance"],
        frame=_count(row, "frame") or 1,
        file=row["file"].replace("\\", "/"),
        level=_level(row),
        slab=_count(row, "slab"),
        grades={
            finding: grade
            for finding, column in zip(Finding, GRADES, strict=True)
            if (grade := read_grade(row, column)) is not None
        },
        patient=row["patient"],
        site=row["site"],
        scanner=row["scanner"],
        part=_part(row),
        excluded=row["excluded"],
    )
    if not label.about_image and not (label.study and label.level):
        raise row.wrong(
            "the row names neither an image nor a level; fill `sop_instance` or "
            "`file`, or `study` and `level`"
        )
    return label


def _level(row: Row) -> Level | None:
    text = row["level"].upper()
    if not text:
        return None
    if text not in list(Level):
        raise row.wrong(f"`level` is {text!r}; write {', '.join(Level)}, or nothing")
    return Level(text)


def _count(row: Row, column: str) -> int | None:
    text = row[column]
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise row.wrong(f"`{column}` is {text!r}; it is counted from 1")
    return int(text)


def _part(row: Row) -> Part | None:
    text = row["part"].lower()
    if not text:
        return None
    if text not in list(Part):
        raise row.wrong(f"`part` is {text!r}; write {', '.join(Part)}, or nothing")
    return Part(text)


def _check_facts(row: Row, label: Label, facts: Facts) -> None:
    if label.study:
        facts.check(row, "study", label.study, "patient", label.patient)
        facts.check(row, "study", label.study, "scanner", label.scanner)
    if label.patient:
        facts.check(row, "patient", label.patient, "site", label.site)
        facts.check(row, "patient", label.patient, "part", label.part or "")


def _place(label: Label) -> object:
    """Return what no two rows may share."""
    if label.about_image:
        return (label.series, label.sop_instance, label.frame, label.file)
    return (label.study, label.level)
