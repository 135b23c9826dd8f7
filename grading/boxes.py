"""Boxes that a person drew around the canal, as JSON beside the images.

A file is a list of objects, one per box::

    [{"sop_instance": "1.2.3", "series": "1.2", "frame": 1,
      "first_row": 100, "first_column": 120, "last_row": 200, "last_column": 220}]

Pixels are counted from 0 at the centre of the first one. An image is named by its SOP
Instance UID, with the series where several share it, or by ``file``, the path below
the folder of the images. ``frame`` is counted from 1 and may be left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from grading.grades import SliceKey

EDGES = ("first_row", "first_column", "last_row", "last_column")


class BoxError(GradingError):
    """A box cannot be used; says which one, what was found, and what would do."""

    def __init__(self, path: Path, entry: int | None, sentence: str) -> None:
        place = f"{path}, entry {entry}" if entry else f"{path}"
        super().__init__(f"{place}: {sentence}")
        self.entry = entry
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that somebody drew, in pixels from 0 at the first one's centre."""

    first_row: float
    first_column: float
    last_row: float
    last_column: float

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column."""
        return (
            (self.first_row + self.last_row) / 2,
            (self.first_column + self.last_column) / 2,
        )

    def lies_within(self, rows: int, columns: int) -> bool:
        """Tell whether no edge leaves an image of that size."""
        return (
            self.first_row >= -0.5
            and self.first_column >= -0.5
            and self.last_row <= rows - 0.5
            and self.last_column <= columns - 0.5
        )


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box and the image it lies on, named as in a table of grades."""

    source: str
    """The file's name and the entry's number."""
    series: str
    sop_instance: str
    frame: int
    file: str
    box: Box


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image that boxes may lie on."""

    key: SliceKey
    file: str
    """Below the folder of the images, with slashes."""
    rows: int
    columns: int

    def is_named_by(self, drawn: DrawnBox) -> bool:
        """Tell whether a box is about this image."""
        return (
            drawn.frame == self.key.frame
            and drawn.sop_instance in ("", self.key.sop_instance_uid)
            and drawn.series in ("", self.key.series_instance_uid)
            and drawn.file in ("", self.file)
        )


def read_boxes(path: Path) -> list[DrawnBox]:
    """Read a JSON file of boxes.

    Raises
    ------
    BoxError
        It is no list of boxes, an entry names no image, or a box has no inside.
    OSError
        The file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise BoxError(path, None, f"not JSON: {error}") from error
    if not isinstance(content, list) or not all(isinstance(x, dict) for x in content):
        raise BoxError(path, None, "not a list of objects; write one per box")
    return [drawn_box(path, n, cells) for n, cells in enumerate(content, start=1)]


def drawn_box(path: Path, entry: int, cells: Mapping[str, object]) -> DrawnBox:
    """Return the box that an entry of a file describes.

    Raises
    ------
    BoxError
        It names no image, an edge is no number, or the box has no inside.
    """
    try:
        box = Box(*(_number(cells, edge) for edge in EDGES))
        frame = int(_number(cells, "frame")) if cells.get("frame") else 1
    except ValueError as error:
        # Not the whole entry: it may hold the patient's key.
        raise BoxError(path, entry, f"{error}; write a number of pixels") from error
    if not (box.first_row < box.last_row and box.first_column < box.last_column):
        raise BoxError(path, entry, f"{box} has no inside; swap its edges")
    series, sop_instance, file = (
        str(cells.get(name) or "") for name in ("series", "sop_instance", "file")
    )
    if not sop_instance and not file:
        raise BoxError(path, entry, "names no image; fill `sop_instance` or `file`")
    source = f"{path.name} {entry}"
    return DrawnBox(source, series, sop_instance, frame, file.replace("\\", "/"), box)


def boxes_on(
    path: Path, drawn: Sequence[DrawnBox], images: Iterable[NamedImage]
) -> Mapping[SliceKey, Box]:
    """Put every box of a file on its image.

    Raises
    ------
    BoxError
        No image or several have the name, an image has two boxes, or a box
        reaches outside its image.
    """
    known = tuple(images)
    placed: dict[SliceKey, Box] = {}
    for entry, one in enumerate(drawn, start=1):
        image = _image_of(path, entry, one, known)
        if image.key in placed:
            raise BoxError(path, entry, "its image has a box already; remove one")
        placed[image.key] = one.box
    return placed


def _image_of(
    path: Path, entry: int, drawn: DrawnBox, images: Sequence[NamedImage]
) -> NamedImage:
    named = [image for image in images if image.is_named_by(drawn)]
    if not named:
        name = drawn.sop_instance or drawn.file
        raise BoxError(
            path, entry, f"no image is named {name} frame {drawn.frame}; remove the box"
        )
    if len(named) > 1:
        raise BoxError(
            path, entry, f"{len(named)} images have this name; fill `series` as well"
        )
    (image,) = named
    if not drawn.box.lies_within(image.rows, image.columns):
        raise BoxError(
            path,
            entry,
            f"{drawn.box} reaches outside its image of {image.rows} rows "
            f"and {image.columns} columns; count pixels from 0 at the top left",
        )
    return image


def _number(cells: Mapping[str, object], name: str) -> float:
    try:
        number = float(str(cells[name]))
    except (KeyError, ValueError):
        raise ValueError(f"`{name}` is {cells.get(name)!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"`{name}` is {number}")
    return number
