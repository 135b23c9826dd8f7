"""The summary picture as pixels: the one output that every viewer shows.

First line, a tile per level or slab, the distribution of every grade, what the
grades mean, what to beware of, and who graded. Nothing from the patient's header is
drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from dicom_node.report.account import missing_images
from dicom_node.report.canvas import (
    GRADE_COLOURS,
    LINE,
    MUTED,
    ON_COLOUR,
    ON_COLOURS,
    SIDE_PIXELS,
    WARNING,
    Box,
    Canvas,
)
from dicom_node.report.codes import SCALES, Scale
from dicom_node.report.evidence import Evidence
from dicom_node.report.tiles import draw_sagittal_tile, draw_tile, tile_boxes
from dicom_node.report.wording import (
    DISCLAIMER,
    EXCLUSIONS,
    beside_discs,
    levels_without_grades,
    percent,
    picture_notes,
    plain_text,
    refused_count,
    uncalibrated,
    uncertain_grades,
    worst_grades,
)
from grading.grades import (
    FIRST_LINES,
    Finding,
    Grade,
    Grading,
    LevelGrade,
    SagittalView,
    StudyGrades,
)

MAX_TILES = 8
"""As many as stay legible; the lumbar spine has five discs."""
MAX_REMARK_LINES = 7
MARKS_REMARK = (
    "Square: what was analysed. Pale line: the intra-facet line between the facets."
)
WORST_REMARK = "Max: the highest grade of a single slice."
UNCALIBRATED_REMARK = "Not all probabilities are calibrated."
MARGIN = 20.0
WIDTH = SIDE_PIXELS - 2 * MARGIN

_ROW = 22.0
_LEGEND_LINE = 16.0
_REMARK_LINE = 18.0
_NAMES = 118.0
_COLUMN = (WIDTH - _NAMES) / len(Finding)
_COLUMN_GAP = 24.0


@dataclass(frozen=True, slots=True)
class Caption:
    """Who made the picture, when, and from which revision."""

    revision: int
    moment: datetime
    software: str


def draw_summary(
    evidence: Evidence, grades: StudyGrades, caption: Caption
) -> NDArray[np.uint8]:
    """Draw the summary picture: ``(rows, columns, 3) uint8``, RGB."""
    canvas = Canvas.blank()
    shown = grades.levels[:MAX_TILES]
    top = _draw_head(canvas, grades)
    bottom = _draw_foot(canvas, _remarks(evidence, grades), _signature(grades, caption))
    bottom = _draw_table(canvas, shown, bottom)
    area = Box(MARGIN, top, MARGIN + WIDTH, bottom)
    view = _sagittal(evidence, grades)
    boxes = tile_boxes(len(shown) + bool(view), area)
    for level, box in zip(shown, boxes, strict=False):
        draw_tile(canvas, evidence, grades, level, box)
    if view:
        draw_sagittal_tile(canvas, evidence, grades, view, boxes[-1])
    return np.asarray(canvas.image)


def _sagittal(evidence: Evidence, grades: StudyGrades) -> SagittalView | None:
    """Return the sagittal view where there is something to show of it."""
    view = grades.sagittal
    return view if view and view.discs and evidence.holds(view.key) else None


def _draw_head(canvas: Canvas, grades: StudyGrades) -> float:
    """Draw the first lines and return where the next thing may begin."""
    canvas.draw.rectangle((0, 0, SIDE_PIXELS, 34), fill=WARNING)
    first_line = FIRST_LINES[grades.model.basis]
    canvas.text((MARGIN, 17), first_line, 17, ON_COLOUR, anchor="lm", weight=0.4)
    canvas.text((MARGIN, 59), "AI lumbar grading", 26, anchor="lm", weight=0.4)
    canvas.text((MARGIN + WIDTH, 60), DISCLAIMER, 15, WARNING, anchor="rm")
    return 82.0


def _draw_foot(canvas: Canvas, remarks: Sequence[str], signature: str) -> float:
    """Draw remarks and signature at the bottom; return where they begin."""
    lines = _remark_lines(canvas, remarks)
    top = SIDE_PIXELS - 30 - _REMARK_LINE * len(lines)
    canvas.draw.line((MARGIN, top - 7, MARGIN + WIDTH, top - 7), LINE)
    for number, line in enumerate(lines):
        canvas.text((MARGIN, top + number * _REMARK_LINE), line, 14, MUTED)
    canvas.text((MARGIN, SIDE_PIXELS - 14), signature, 13, MUTED, anchor="lm")
    return top - 14


def _signature(grades: StudyGrades, caption: Caption) -> str:
    model = grades.model
    return plain_text(
        f"{caption.software}  |  bundle {model.name} {model.version}, "
        f"sha256 {model.sha256[:16]}, basis {model.basis}  |  "
        f"revision {caption.revision}  |  {caption.moment:%Y-%m-%d %H:%M %Z}"
    )


def _remarks(evidence: Evidence, grades: StudyGrades) -> list[str]:
    """Return what a person has to know, the most important first."""
    hidden = len(grades.levels) - MAX_TILES
    more = f"{hidden} more levels or slabs are in the structured report only."
    return [
        *([more] if hidden > 0 else []),
        *uncertain_grades(grades),
        EXCLUSIONS,
        *missing_images(evidence),
        *levels_without_grades(grades),
        *beside_discs(grades),
        *picture_notes(grades),
        refused_count(grades),
        " ".join(_key_to_signs(grades)),
    ]


def _remark_lines(canvas: Canvas, remarks: Sequence[str]) -> list[str]:
    """Return the remarks as lines, and say so where not all of them fit."""
    lines = [line for text in remarks if text for line in canvas.lines(text, 14, WIDTH)]
    if len(lines) <= MAX_REMARK_LINES:
        return lines
    return [*lines[: MAX_REMARK_LINES - 1], "More remarks in the structured report."]


def _key_to_signs(grades: StudyGrades) -> list[str]:
    """Return what the signs mean, of those that are drawn."""
    keys = {level.key_slice for level in grades.levels}
    marked = any(it.key in keys and it.marks.facet_right for it in grades.slices)
    worse = any(worst_grades(grades, level) for level in grades.levels)
    return [
        *([UNCALIBRATED_REMARK] if uncalibrated(grades) else []),
        *([MARKS_REMARK] if marked else []),
        *([WORST_REMARK] if worse else []),
    ]


def _draw_table(canvas: Canvas, shown: Sequence[LevelGrade], bottom: float) -> float:
    """Draw the distribution of every grade and the legend; return where they begin."""
    legend = bottom - len(Grade) * _LEGEND_LINE
    rows = legend - len(shown) * _ROW - 6
    top = rows - 24
    for number, scale in enumerate(SCALES.values()):
        left = MARGIN + _NAMES + number * _COLUMN
        title = f"{scale.finding}  ({scale.author})"
        canvas.text((left, top + 12), title, 16, anchor="lm", weight=0.3)
        _draw_column(canvas, scale, shown, Box(left, rows, left + _COLUMN, legend))
        _draw_legend(canvas, scale, (left, legend))
    for place, level in enumerate(shown):
        y = rows + (place + 0.5) * _ROW
        canvas.text((MARGIN, y), level.name, 15, anchor="lm")
    canvas.text((MARGIN, legend), "Grades mean", 13, MUTED)
    return top - 8


def _draw_column(
    canvas: Canvas, scale: Scale, shown: Sequence[LevelGrade], box: Box
) -> None:
    for place, level in enumerate(shown):
        top = box.top + place * _ROW
        cell = Box(box.left, top + 1, box.right - _COLUMN_GAP, top + _ROW - 1)
        _draw_distribution(canvas, level.grades.get(scale.finding), cell)


def _draw_distribution(canvas: Canvas, grading: Grading | None, box: Box) -> None:
    """Draw the probabilities of grade 0 to 3 as one bar, left to right."""
    place = (box.left, box.middle[1])
    if grading is None:
        canvas.text(place, "not graded", 14, MUTED, anchor="lm")
        return
    canvas.text(place, f"{grading.grade:d}", 16, anchor="lm", weight=0.4)
    start = box.left + 18
    unit = box.right - start
    for grade, probability in zip(Grade, grading.probabilities, strict=True):
        end = start + probability * unit
        _draw_share(canvas, grade, probability, Box(start, box.top, end, box.bottom))
        start = end


def _draw_share(canvas: Canvas, grade: Grade, probability: float, box: Box) -> None:
    """Draw one grade's part of a bar, labelled where the label fits."""
    right = max(box.left, box.right - 2)
    corners = (box.left, box.top + 1, right, box.bottom - 1)
    canvas.draw.rectangle(corners, fill=GRADE_COLOURS[grade])
    label = f"{grade:d}: {percent(probability)}"
    if box.width > canvas.width(label, 13) + 8:
        colour = ON_COLOURS[grade]
        canvas.text(box.middle, label, 13, colour, anchor="mm", weight=0.2)


def _draw_legend(canvas: Canvas, scale: Scale, corner: tuple[float, float]) -> None:
    left, top = corner
    for grade, wording in zip(Grade, scale.wordings, strict=True):
        y = top + grade * _LEGEND_LINE
        colour = GRADE_COLOURS[grade] if grade else MUTED
        canvas.text((left, y), f"{grade:d}", 13, colour, weight=0.3)
        canvas.text((left + 18, y), wording, 13, MUTED)
