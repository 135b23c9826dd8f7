"""One tile of the summary picture: a level's key slice and its three grades.

A grade is a figure, a bar of filled cells, and a colour, so that it reads in
greyscale and without colour vision as well.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicom_node.report.canvas import (
    GRADE_COLOURS,
    LINE,
    MUTED,
    ON_COLOUR,
    PANEL,
    REGION,
    WARNING,
    Box,
    Canvas,
    Colour,
)
from dicom_node.report.evidence import Evidence
from dicom_node.report.regions import Rectangle, graded_rectangle, square
from dicom_node.report.wording import percent
from grading.errors import NotGradable
from grading.grades import Finding, Grade, Grading, LevelGrade, StudyGrades
from grading.series import decode

CONTEXT_SCALE = 1.35
"""How much wider than the graded square the image shown is, for orientation."""
WINDOW_PERCENTILES = (1.0, 99.5)
"""The dark end is air and bone, the bright end CSF and fat near the coil."""

_PADDING = 10.0
_TITLE = 34.0
_LINE_OF_GRADE = 27.0
_ROOMY = 54.0
"""From this height on a grade's cells stand below its figure."""
_NARROWEST_GRADES = 128.0
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
    image, column = _parts(box)
    _draw_key_slice(canvas, evidence, grades, level, image)
    step = column.height / len(Finding)
    for number, finding in enumerate(Finding):
        top = column.top + number * step
        cell = Box(column.left, top, column.right, top + step)
        _draw_grade(canvas, finding, level.grades.get(finding), cell)


def _remark(grades: StudyGrades, level: LevelGrade) -> str:
    count = len(level.slices)
    slices = f"{count} slice" if count == 1 else f"{count} slices"
    located = grades.slice_grade(level.key_slice).region.located
    return slices if located else f"{slices}, not located"


def _parts(box: Box) -> tuple[Box, Box]:
    """Return the places of image and grades: whichever leaves the larger image.

    Beside each other in a wide tile, below each other in a tall one.
    """
    inner = Box(
        box.left + _PADDING, box.top + _TITLE, box.right - _PADDING, box.bottom - 8
    )
    below = len(Finding) * _LINE_OF_GRADE
    side_beside = min(inner.height, inner.width - _PADDING - _NARROWEST_GRADES)
    side_above = min(inner.width, inner.height - below - 6)
    if side_beside > max(side_above, len(Finding) * _ROOMY):
        edge = inner.left + side_beside
        image = Box(inner.left, inner.top, edge, inner.top + side_beside)
        return image, Box(edge + _PADDING, image.top, inner.right, image.bottom)
    edge = inner.bottom - below
    image = Box(inner.left, inner.top, inner.right, edge - 6)
    return image, Box(inner.left, edge, inner.right, inner.bottom)


def _draw_grade(
    canvas: Canvas, finding: Finding, grading: Grading | None, box: Box
) -> None:
    """Draw finding, figure, probability and cells; cells below where there is room."""
    roomy = box.height > _ROOMY
    middle = box.middle[1] - (11 if roomy else 0)
    canvas.text((box.left, middle), finding.value, 15, MUTED, anchor="lm")
    if grading is None:
        canvas.text((box.left + 52, middle), "not graded", 14, MUTED, anchor="lm")
        return
    colour = GRADE_COLOURS[grading.grade]
    chip = Box(box.left + 50, middle - 12, box.left + 78, middle + 12)
    canvas.draw.rounded_rectangle(chip.corners, 4, fill=colour)
    figure = f"{grading.grade:d}"
    canvas.text(chip.middle, figure, 18, ON_COLOUR, anchor="mm", weight=0.5)
    _draw_probability(canvas, grading, (box.right, middle))
    if roomy:
        cells = Box(box.left, middle + 18, box.right, middle + 28)
    else:
        cells = Box(chip.right + 8, middle - 7, box.right - 48, middle + 7)
    _draw_cells(canvas, grading.grade, colour, cells)


def _draw_probability(
    canvas: Canvas, grading: Grading, place: tuple[float, float]
) -> None:
    """Draw the probability; a grade that needs a reader has a question mark too."""
    if grading.needs_reader:
        text = f"{percent(grading.probability)}?"
        canvas.text(place, text, 15, WARNING, anchor="rm", weight=0.3)
    else:
        canvas.text(place, percent(grading.probability), 15, anchor="rm")


def _draw_cells(canvas: Canvas, grade: Grade, colour: Colour, box: Box) -> None:
    """Fill as many of three cells as the grade says."""
    step = (box.width + 4) / Grade.GRADE_3
    for cell in range(Grade.GRADE_3):
        left = box.left + cell * step
        corners = (left, box.top, left + step - 4, box.bottom)
        filled = cell < grade
        canvas.draw.rectangle(
            corners, fill=colour if filled else None, outline=colour if filled else LINE
        )


def _draw_key_slice(
    canvas: Canvas, evidence: Evidence, grades: StudyGrades, level: LevelGrade, box: Box
) -> None:
    """Draw the surroundings of the graded square, and the square itself."""
    header = evidence.header(level.key_slice)
    try:
        pixels = decode(evidence.instance(level.key_slice).dataset, header.key.frame)
    except NotGradable:
        canvas.text(box.middle, "image cannot be shown", 14, MUTED, anchor="mm")
        return
    region = grades.slice_grade(level.key_slice).region
    spacing_mm = header.spacing_mm or (1.0, 1.0)
    graded = graded_rectangle(region, header)
    shown = _surroundings(square(region, spacing_mm, CONTEXT_SCALE), graded, pixels)
    place = _place(shown, spacing_mm, box)
    _paste(canvas, pixels, shown, place)
    frame = _on_picture(graded, shown, place)
    if region.located:
        canvas.draw.rectangle(frame.corners, outline=REGION)
    else:
        canvas.dashes(frame, REGION)


def _surroundings(
    wanted: Rectangle, graded: Rectangle, pixels: NDArray[np.float32]
) -> Rectangle:
    """Return the surroundings inside the image, never less than was graded."""
    rows, columns = pixels.shape
    inside = wanted.clipped(columns, rows)
    return Rectangle(
        min(inside.left, graded.left),
        min(inside.top, graded.top),
        max(inside.right, graded.right),
        max(inside.bottom, graded.bottom),
    )


def _place(shown: Rectangle, spacing_mm: tuple[float, float], box: Box) -> Box:
    """Fit what is shown into ``box``, in true proportions, on whole pixels."""
    width_mm, height_mm = shown.width * spacing_mm[1], shown.height * spacing_mm[0]
    scale = min(box.width / width_mm, box.height / height_mm)
    width = max(1, round(width_mm * scale))
    height = max(1, round(height_mm * scale))
    x, y = box.middle
    left, top = round(x - width / 2), round(y - height / 2)
    return Box(left, top, left + width, top + height)


def _paste(
    canvas: Canvas, pixels: NDArray[np.float32], shown: Rectangle, place: Box
) -> None:
    rows = slice(math.floor(shown.top), math.ceil(shown.bottom))
    columns = slice(math.floor(shown.left), math.ceil(shown.right))
    image = Image.fromarray(_windowed(pixels[rows, columns]))
    crop = image.resize(
        (round(place.width), round(place.height)),
        Image.Resampling.BICUBIC,
        box=(
            shown.left - columns.start,
            shown.top - rows.start,
            shown.right - columns.start,
            shown.bottom - rows.start,
        ),
    )
    corner = (round(place.left), round(place.top))
    canvas.image.paste(crop.convert("RGB"), corner)


def _windowed(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spread the range of what is shown over 256 greys; a constant is black."""
    finite = np.nan_to_num(pixels)
    low, high = (float(p) for p in np.percentile(finite, WINDOW_PERCENTILES))
    if high <= low:
        return np.zeros(pixels.shape, np.uint8)
    grey: NDArray[np.float32] = np.clip((finite - low) / (high - low), 0, 1) * 255
    return grey.astype(np.uint8)


def _on_picture(graded: Rectangle, shown: Rectangle, place: Box) -> Box:
    across, down = place.width / shown.width, place.height / shown.height
    left = place.left + (graded.left - shown.left) * across
    top = place.top + (graded.top - shown.top) * down
    return Box(left, top, left + graded.width * across, top + graded.height * down)
