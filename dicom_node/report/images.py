"""Slices on the summary picture: the key slice of a level, and the sagittal one.

Everything is placed in the image coordinates of DICOM (see ``regions``) and only
then turned into pixels of the picture.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicom_node.report.canvas import MARK, MUTED, REGION, Box, Canvas
from dicom_node.report.evidence import Evidence
from dicom_node.report.regions import PIXEL_CENTRE, Rectangle, graded_rectangle, square
from grading.errors import NotGradable
from grading.grades import (
    AxialMarks,
    LevelGrade,
    PixelPoint,
    SagittalView,
    SliceKey,
    StudyGrades,
)
from grading.series import decode

CONTEXT_SCALE = 1.35
"""How much wider than the graded square the image shown is, for orientation."""
SAGITTAL_MARGIN_MM = 45.0
"""Round the discs: a vertebra above and the sacrum below."""
WINDOW_PERCENTILES = (1.0, 99.5)
"""The dark end is air and bone, the bright end CSF and fat near the coil."""


def draw_key_slice(
    canvas: Canvas, evidence: Evidence, grades: StudyGrades, level: LevelGrade, box: Box
) -> None:
    """Draw the surroundings of the graded square, the square, and what was found."""
    header = evidence.header(level.key_slice)
    pixels = _pixels(canvas, evidence, level.key_slice, box)
    if pixels is None:
        return
    slice_grade = grades.slice_grade(level.key_slice)
    region = slice_grade.region
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
    _draw_marks(canvas, slice_grade.marks, shown, place)


def _draw_marks(
    canvas: Canvas, marks: AxialMarks, shown: Rectangle, place: Box
) -> None:
    """Draw the intra-facet line with its ends, and the posterior disc margin."""
    facets = [point for point in (marks.facet_right, marks.facet_left) if point]
    ends = [_point(facet, shown, place) for facet in facets]
    if len(ends) == 2:
        canvas.draw.line([*ends[0], *ends[1]], MARK, width=2)
    for x, y in ends:
        canvas.draw.line((x, y - 6, x, y + 6), MARK, width=2)
    if marks.disc_margin:
        x, y = _point(marks.disc_margin, shown, place)
        canvas.draw.line((x - 5, y, x + 5, y), MARK)
        canvas.draw.line((x, y - 5, x, y + 5), MARK)


def draw_sagittal(
    canvas: Canvas, evidence: Evidence, view: SagittalView, box: Box
) -> list[float]:
    """Draw the sagittal image at the left of ``box``; return where each disc lies.

    One height in pixels of the picture per disc, in their order; empty where the
    image cannot be shown. A line leads from each disc to the right edge.
    """
    header = evidence.header(view.key)
    pixels = _pixels(canvas, evidence, view.key, box)
    if pixels is None:
        return []
    spacing_mm = header.spacing_mm or (1.0, 1.0)
    shown = _spine(view, spacing_mm, box.width / box.height, pixels)
    place = _place(shown, spacing_mm, box)
    place = Box(box.left, place.top, box.left + place.width, place.bottom)
    _paste(canvas, pixels, shown, place)
    heights = []
    for disc in view.discs:
        x, y = _point(disc.point, shown, place)
        canvas.draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=MARK)
        canvas.draw.line((x, y, box.right, y), MARK)
        heights.append(y)
    return heights


def _spine(
    view: SagittalView,
    spacing_mm: tuple[float, float],
    aspect: float,
    pixels: NDArray[np.float32],
) -> Rectangle:
    """Return the part round the discs, about as wide as its place, in the image."""
    margin = SAGITTAL_MARGIN_MM / spacing_mm[0]
    rows = [disc.point.row for disc in view.discs]
    columns = [disc.point.column for disc in view.discs]
    top, bottom = min(rows) - margin, max(rows) + margin
    middle = (min(columns) + max(columns)) / 2
    half = (bottom - top) * spacing_mm[0] * aspect / spacing_mm[1] / 2
    wanted = Rectangle(middle - half, top, middle + half, bottom)
    return wanted.clipped(pixels.shape[1], pixels.shape[0])


def _pixels(
    canvas: Canvas, evidence: Evidence, key: SliceKey, box: Box
) -> NDArray[np.float32] | None:
    """Decode a slice, or say in its place that it cannot be shown."""
    try:
        return decode(evidence.instance(key).dataset, key.frame)
    except NotGradable:
        canvas.text(box.middle, "image cannot be shown", 14, MUTED, anchor="mm")
        return None


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


def _point(point: PixelPoint, shown: Rectangle, place: Box) -> tuple[float, float]:
    """Return where a place on the image lies on the picture: x, then y."""
    across, down = place.width / shown.width, place.height / shown.height
    return (
        place.left + (point.column + PIXEL_CENTRE - shown.left) * across,
        place.top + (point.row + PIXEL_CENTRE - shown.top) * down,
    )
