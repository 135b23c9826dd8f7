"""Boxes that somebody drew around the canal: a CSV or JSON table of rectangles.

Pixels are counted from 0 at the centre of the first one. A JSON file is a list of
objects with the columns of the CSV file as keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.evaluation.delimited import CasesError, read_delimited
from grading.training.manifest import Box

EDGES = ("first_row", "first_column", "last_row", "last_column")
PLACES = ("series", "sop_instance", "frame", "file")


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box and the image it lies on, named as in a table of grades."""

    source: str
    series: str
    sop_instance: str
    frame: int
    file: str
    box: Box


def read_boxes(path: Path) -> list[DrawnBox]:
    """Read a table of boxes, by the file's suffix JSON or CSV.

    Raises
    ------
    CasesError
        A row names no image, an edge is no number, or a box has no inside.
    OSError
        The file cannot be read.
    """
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
    return [_drawn(path, number, cells) for number, cells in rows]


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for row in read_delimited(path, EDGES, PLACES).rows():
        edges = {edge: row.number(edge, "a number of pixels") for edge in EDGES}
        yield row.spot.line, {**row.cells, **edges}


def _json_rows(path: Path) -> Sequence[tuple[int, Mapping[str, object]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CasesError(path, None, f"not JSON: {error}") from error
    if not isinstance(content, list) or not all(isinstance(x, dict) for x in content):
        raise CasesError(path, None, "not a list of objects; write one per box")
    return list(enumerate(content, start=1))


def _number(cells: Mapping[str, object], name: str) -> float:
    try:
        return float(str(cells[name]))
    except (KeyError, ValueError):
        raise ValueError(f"`{name}` is {cells.get(name)!r}") from None


def _drawn(path: Path, number: int, cells: Mapping[str, object]) -> DrawnBox:
    try:
        box = Box(*(_number(cells, edge) for edge in EDGES))
        frame = int(_number(cells, "frame")) if cells.get("frame") else 1
    except ValueError as error:
        raise CasesError(path, number, f"{error}; write a number of pixels") from error
    if not (box.first_row < box.last_row and box.first_column < box.last_column):
        raise CasesError(path, number, f"{box} has no inside; swap its edges")
    series, sop_instance, file = (
        str(cells.get(name) or "") for name in ("series", "sop_instance", "file")
    )
    if not sop_instance and not file:
        raise CasesError(path, number, "names no image; fill `sop_instance` or `file`")
    return DrawnBox(
        f"{path.name} {number}",
        series,
        sop_instance,
        frame,
        file.replace("\\", "/"),
        box,
    )
