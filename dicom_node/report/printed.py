"""The printout's pages: whose study, what was graded, in words, and the picture.

Unlike the picture it carries the patient's name and ID, on every page: a printout
lies about, and one without an identity is dangerous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from reportlab.pdfgen.canvas import Canvas

from dicom_node.report.account import Account
from dicom_node.report.canvas import GRADE_COLOURS, ON_COLOURS, WARNING
from dicom_node.report.codes import SCALES
from dicom_node.report.identity import readable
from dicom_node.report.paper import (
    GREY,
    HEIGHT,
    MARGIN,
    WIDTH,
    Paper,
    box,
    broken,
    draw_image,
    rule,
    write,
)
from dicom_node.report.wording import DISCLAIMER, NEEDS_READER, percent, worst_grades
from grading.grades import (
    Finding,
    Grade,
    Grading,
    LevelGrade,
    Side,
    StudyGrades,
)

TITLE = "AI lumbar grading (unverified)"
"""Of the document and of its window: without the patient."""
IDENTITY = (
    ("Patient", "PatientName"),
    ("Patient ID", "PatientID"),
    ("Issuer of ID", "IssuerOfPatientID"),
    ("Birth date", "PatientBirthDate"),
    ("Sex", "PatientSex"),
    ("Study date", "StudyDate"),
    ("Accession number", "AccessionNumber"),
    ("Study", "StudyDescription"),
    ("Study Instance UID", "StudyInstanceUID"),
)
_BAND = 20.0
_HEADER = MARGIN + 34
_FOOTER = HEIGHT - 56
_NAMES = 84.0
_ROW = 30.0
_TEXT = 9.0


@dataclass(frozen=True, slots=True)
class Imprint:
    """Who made the printout, when, and from which revision."""

    software: str
    revision: int
    moment: datetime


def printed_pages(
    source: Dataset,
    grades: StudyGrades,
    account: Account,
    picture: NDArray[np.uint8],
    imprint: Imprint,
) -> bytes:
    """Return the PDF; ``picture`` is the summary picture, ``source`` a graded image."""
    paper = Paper(bottom=_FOOTER, top=_HEADER, y=_HEADER)
    paper.line("AI lumbar grading", 18, bold=True)
    paper.line(DISCLAIMER, 10, bold=True)
    paper.y += 6
    _put_identity(paper, source)
    _put_table(paper, grades)
    _put_texts(paper, "In words", account.paragraphs)
    # The first two stand in the band and below the title.
    _put_texts(paper, "Beware", account.warnings[2:])
    _put_texts(paper, "Not graded, and remarks", account.remarks)
    paper.new_page()
    paper.put(partial(_place_picture, picture=picture, y=paper.y))
    whose = f"{readable(source, 'PatientName')}   ID {readable(source, 'PatientID')}"
    return paper.rendered(
        TITLE,
        partial(
            _decorate,
            first=account.warnings[0],
            whose=whose,
            foot=_foot(grades, imprint),
        ),
    )


def _put_identity(paper: Paper, source: Dataset) -> None:
    """Write what the study says of itself, empty values too: absent is a fact."""
    for label, keyword in IDENTITY:
        value = readable(source, keyword) or "(empty)"
        lines = broken(value, 10, WIDTH - MARGIN - _NAMES * 2)
        for number, line in enumerate(lines):
            paper.room(14)
            if not number:
                paper.put(
                    partial(write, x=MARGIN, y=paper.y, text=label, size=9, colour=GREY)
                )
            paper.line(line, 10, x=MARGIN + _NAMES + 20)
    paper.y += 8


def _put_table(paper: Paper, grades: StudyGrades) -> None:
    """Write one row per level: figure and colour, probability, worst slice, roots."""
    titles = [f"{scale.finding} ({scale.author})" for scale in SCALES.values()]
    roots = any(level.roots for level in grades.levels)
    columns = [*titles, *([f"{side} root" for side in Side] if roots else [])]
    across = (WIDTH - 2 * MARGIN - _NAMES) / max(len(columns), 1)
    paper.room(24 + _ROW)
    for number, title in enumerate(columns):
        x = MARGIN + _NAMES + number * across
        paper.put(partial(write, x=x, y=paper.y, text=title, size=9.5, bold=True))
    paper.y += 16
    for level in grades.levels:
        paper.room(_ROW)
        paper.put(partial(rule, y=paper.y - 2))
        cells = _cells(grades, level, roots=roots)
        paper.put(
            partial(_draw_row, y=paper.y, level=level, cells=cells, across=across)
        )
        paper.y += _ROW
    paper.y += 8


Cell = tuple[Grading | None, Grade | None]
"""What was graded, and the worst slice's grade where it is another one."""


def _cells(grades: StudyGrades, level: LevelGrade, *, roots: bool) -> list[Cell]:
    worst = worst_grades(grades, level)
    cells: list[Cell] = [(level.grades.get(f), worst.get(f)) for f in Finding]
    return cells + ([(level.roots.get(side), None) for side in Side] if roots else [])


def _draw_row(
    canvas: Canvas, y: float, level: LevelGrade, cells: Sequence[Cell], across: float
) -> None:
    slices = f"{len(level.slices)} slice" + ("" if len(level.slices) == 1 else "s")
    write(canvas, MARGIN, y + 2, level.name, 11, bold=True)
    write(canvas, MARGIN, y + 15, slices, 8, colour=GREY)
    for number, (grading, worst) in enumerate(cells):
        _draw_cell(canvas, MARGIN + _NAMES + number * across, y, grading, worst)


def _draw_cell(
    canvas: Canvas, x: float, y: float, grading: Grading | None, worst: Grade | None
) -> None:
    if grading is None:
        write(canvas, x, y + 6, "not graded", 9, colour=GREY)
        return
    box(canvas, x, y + 3, 20, 20, GRADE_COLOURS[grading.grade])
    figure = f"{grading.grade:d}"
    ink = ON_COLOURS[grading.grade]
    write(canvas, x + 6, y + 4, figure, 14, bold=True, colour=ink)
    write(canvas, x + 25, y + 3, percent(grading.probability), 10)
    if worst is not None:
        write(canvas, x + 48, y + 5, f"worst {worst:d}", 7.5, colour=GREY)
    if grading.needs_reader:
        write(canvas, x + 25, y + 15, NEEDS_READER, 7.5)


def _put_texts(paper: Paper, title: str, texts: Sequence[str]) -> None:
    if not texts:
        return
    paper.room(40)
    paper.line(title, 11, bold=True)
    for text in texts:
        paper.paragraph(text, _TEXT)
    paper.y += 4


def _place_picture(canvas: Canvas, picture: NDArray[np.uint8], y: float) -> None:
    image = Image.fromarray(picture)
    draw_image(canvas, image, MARGIN, y, WIDTH - 2 * MARGIN)


def _foot(grades: StudyGrades, imprint: Imprint) -> str:
    model = grades.model
    return (
        f"{imprint.software}, bundle {model.name} {model.version}, "
        f"sha256 {model.sha256[:16]}, basis {model.basis}, revision "
        f"{imprint.revision}, {imprint.moment:%Y-%m-%d %H:%M %Z}"
    )


def _decorate(
    canvas: Canvas, number: int, count: int, first: str, whose: str, foot: str
) -> None:
    """Write the first line, whose page it is, and who made it, on every page."""
    box(canvas, 0, 0, WIDTH, _BAND, WARNING)
    write(canvas, MARGIN, 4, first, 9.5, bold=True)
    (name, *_) = broken(whose, 9.5, WIDTH - 2 * MARGIN)
    write(canvas, MARGIN, _BAND + 8, name, 9.5, bold=True)
    rule(canvas, _BAND + 24)
    rule(canvas, HEIGHT - 50)
    (said, *_) = broken(foot, 7.5, WIDTH - 2 * MARGIN - 60)
    write(canvas, MARGIN, HEIGHT - 44, said, 7.5, colour=GREY)
    place = f"page {number} of {count}"
    write(canvas, WIDTH - MARGIN - 50, HEIGHT - 44, place, 7.5, colour=GREY)
    write(canvas, MARGIN, HEIGHT - 32, DISCLAIMER, 7.5, colour=GREY)
