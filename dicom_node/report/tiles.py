"""One tile of the summary picture: a level's key slice and its three grades.

A grade is a figure, a bar of filled cells, and a colour, so that it reads in
greyscale and without colour vision as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dicom_node.report.canvas import (
    GRADE_COLOURS,
    LINE,
    MUTED,
    ON_COLOURS,
    PANEL,
    TEXT,
    WARNING,
    Box,
    Canvas,
    Colour,
)
from dicom_node.report.evidence import Evidence
from dicom_node.report.images import draw_key_slice, draw_sagittal
from dicom_node.report.wording import percent, worst_grades
from grading.grades import (
    Finding,
    Grade,
    Grading,
    LevelGrade,
    SagittalView,
    Side,
    StudyGrades,
)

_PADDING = 10.0
_TITLE = 34.0
_LINE_OF_GRADE = 27.0
_ROOMY = 54.0
"""From this height on a grade's cells stand below its figure."""
_NARROWEST_GRADES = 128.0
_SAGITTAL_LABELS = 172.0
_CHIP_STEP = 41.0
"""Finding, figure and probability side by side need as much."""


def tile_boxes(count: int, area: Box) -> list[Box]:
    """Divide an area into one box per level, in rows, filled from the left."""
    columns = count if count <= 3 else math.ceil(count / 2)
    if not columns:
        return []
    gap = 12.0
    rows = math.ceil(count / columns)
    width = (area.width - gap * (columns - 1)) / columns
    height = (area.height - gap * (rows - 1)) / rows
    places = [divmod(number, columns) for number in range(count)]
    corners = [
        (area.left + column * (width + gap), area.top + row * (height + gap))
        for row, column in places
    ]
    return [Box(left, top, left + width, top + height) for left, top in corners]


def draw_tile(
    canvas: Canvas, evidence: Evidence, grades: StudyGrades, level: LevelGrade, box: Box
) -> None:
    """Draw name, key slice and grades of one level into ``box``."""
    canvas.draw.rounded_rectangle(box.corners, 6, fill=PANEL)
    canvas.text((box.left + _PADDING, box.top + 8), level.name, 18, weight=0.4)
    place = (box.right - _PADDING, box.top + 11)
    canvas.text(place, _remark(grades, level), 13, MUTED, anchor="ra")
    lines = len(Finding) + bool(level.roots)
    image, column = _parts(box, lines)
    draw_key_slice(canvas, evidence, grades, level, image)
    worst = worst_grades(grades, level)
    step = column.height / lines
    cells = [
        Box(column.left, top, column.right, top + step)
        for top in (column.top + number * step for number in range(lines))
    ]
    for finding, cell in zip(Finding, cells, strict=False):
        grading = level.grades.get(finding)
        _draw_grade(canvas, finding, grading, worst.get(finding), cell)
    if level.roots:
        _draw_roots(canvas, level.roots, cells[-1])


def draw_sagittal_tile(
    canvas: Canvas,
    evidence: Evidence,
    grades: StudyGrades,
    view: SagittalView,
    box: Box,
) -> None:
    """Draw where the levels lie, and each one's three grades beside it."""
    canvas.draw.rounded_rectangle(box.corners, 6, fill=PANEL)
    title = (box.left + _PADDING, box.top + 8)
    canvas.text(title, "Where the levels lie", 18, weight=0.4)
    inner = Box(
        box.left + _PADDING, box.top + _TITLE + 14, box.right - _PADDING, box.bottom - 8
    )
    edge = inner.right - _SAGITTAL_LABELS
    column = edge + 52
    for number, finding in enumerate(Finding):
        place = (column + number * _CHIP_STEP + 12, inner.top - 10)
        canvas.text(place, finding.value, 12, MUTED, anchor="mm")
    image = Box(inner.left, inner.top, edge - 4, inner.bottom)
    heights = draw_sagittal(canvas, evidence, view, image)
    by_level = {level.level: level for level in grades.levels}
    for disc, y in zip(view.discs, heights, strict=False):
        canvas.text((edge, y), disc.level, 15, anchor="lm", weight=0.3)
        level = by_level.get(disc.level)
        _draw_chips(canvas, level.grades if level else {}, (column, y))


def _draw_chips(
    canvas: Canvas, gradings: Mapping[Finding, Grading], corner: tuple[float, float]
) -> None:
    """Draw a row of figures, a dash where there is no grade; ``corner`` left middle."""
    left, middle = corner
    for number, finding in enumerate(Finding):
        chip = Box(left, middle - 11, left + 24, middle + 11).moved(
            number * _CHIP_STEP, 0
        )
        if finding in gradings:
            _draw_chip(canvas, gradings[finding].grade, chip)
        else:
            canvas.text(chip.middle, "-", 15, MUTED, anchor="mm")


def _draw_chip(canvas: Canvas, grade: Grade, chip: Box) -> None:
    canvas.draw.rounded_rectangle(chip.corners, 4, fill=GRADE_COLOURS[grade])
    figure = f"{grade:d}"
    colour = ON_COLOURS[grade]
    canvas.text(chip.middle, figure, 18, colour, anchor="mm", weight=0.5)


def _draw_roots(canvas: Canvas, roots: Mapping[Side, Grading], box: Box) -> None:
    """Draw the grade of each side's root, the patient's right at the left."""
    for number, side in enumerate(Side):
        left = box.left + number * box.width / len(Side)
        middle = box.middle[1]
        canvas.text((left, middle), side[0].upper(), 15, MUTED, anchor="lm")
        if side not in roots:
            canvas.text((left + 18, middle), "-", 15, MUTED, anchor="lm")
            continue
        chip = Box(left + 16, middle - 11, left + 40, middle + 11)
        _draw_chip(canvas, roots[side].grade, chip)
        text, colour = _probability(roots[side])
        canvas.text((chip.right + 5, middle), text, 14, colour, anchor="lm")


def _remark(grades: StudyGrades, level: LevelGrade) -> str:
    count = len(level.slices)
    slices = f"{count} slice" if count == 1 else f"{count} slices"
    located = grades.slice_grade(level.key_slice).region.located
    return slices if located else f"{slices}, not located"


def _parts(box: Box, lines: int) -> tuple[Box, Box]:
    """Return the places of image and grades: whichever leaves the larger image.

    Beside each other in a wide tile, below each other in a tall one.
    """
    inner = Box(
        box.left + _PADDING, box.top + _TITLE, box.right - _PADDING, box.bottom - 8
    )
    below = lines * _LINE_OF_GRADE
    side_beside = min(inner.height, inner.width - _PADDING - _NARROWEST_GRADES)
    side_above = min(inner.width, inner.height - below - 6)
    if side_beside > max(side_above, lines * _ROOMY):
        edge = inner.left + side_beside
        image = Box(inner.left, inner.top, edge, inner.top + side_beside)
        return image, Box(edge + _PADDING, image.top, inner.right, image.bottom)
    edge = inner.bottom - below
    image = Box(inner.left, inner.top, inner.right, edge - 6)
    return image, Box(inner.left, edge, inner.right, inner.bottom)


def _draw_grade(
    canvas: Canvas,
    finding: Finding,
    grading: Grading | None,
    worst: Grade | None,
    box: Box,
) -> None:
    """Draw finding, figure, probability and cells; cells below where there is room."""
    roomy = box.height > _ROOMY
    middle = box.middle[1] - (11 if roomy else 0)
    canvas.text((box.left, middle), finding.value, 15, MUTED, anchor="lm")
    if grading is None:
        canvas.text((box.left + 52, middle), "not graded", 14, MUTED, anchor="lm")
        return
    chip = Box(box.left + 50, middle - 12, box.left + 78, middle + 12)
    _draw_chip(canvas, grading.grade, chip)
    text, colour = _probability(grading)
    place = (box.right, middle)
    bold = 0.3 if grading.needs_reader else 0.0
    canvas.text(place, text, 15, colour, anchor="rm", weight=bold)
    if roomy:
        cells = Box(box.left, middle + 18, box.right, middle + 32)
    else:
        cells = Box(chip.right + 8, middle - 7, box.right - 48, middle + 7)
    _draw_cells(canvas, grading.grade, worst, cells)


def _probability(grading: Grading) -> tuple[str, Colour]:
    """Return the probability; of a grade for a reader with a question mark."""
    text = percent(grading.probability)
    return (f"{text}?", WARNING) if grading.needs_reader else (text, TEXT)


def _draw_cells(canvas: Canvas, grade: Grade, worst: Grade | None, box: Box) -> None:
    """Fill as many of three cells as the grade says; name the worst slice's."""
    step = (box.width + 4) / Grade.GRADE_3
    for cell in range(Grade.GRADE_3):
        left = box.left + cell * step
        corners = (left, box.top, left + step - 4, box.bottom)
        filled = cell < grade
        colour = GRADE_COLOURS[grade]
        canvas.draw.rectangle(
            corners, fill=colour if filled else None, outline=colour if filled else LINE
        )
    if worst is not None and worst > grade:
        left = box.left + (worst - 1) * step
        place = (left + (step - 4) / 2, box.middle[1])
        label = f"max {worst:d}" if step > 48 else f"{worst:d}!"
        canvas.text(place, label, 12, TEXT, anchor="mm")
