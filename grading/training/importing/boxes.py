"""Boxes that somebody drew around the canal: a CSV or JSON table of rectangles.

The JSON file is that of `grading.boxes`; a CSV file has its keys as columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grading import boxes
from grading.boxes import EDGES, BoxError, DrawnBox
from grading.evaluation.delimited import CasesError, read_delimited

PLACES = ("series", "sop_instance", "frame", "file")


def read_boxes(path: Path) -> list[DrawnBox]:
    """Read a table of boxes, by the file's suffix JSON or CSV.

    Raises
    ------
    CasesError
        A row names no image, an edge is no number, or a box has no inside.
    OSError
        The file cannot be read.
    """
    try:
        if path.suffix.lower() == ".json":
            return boxes.read_boxes(path)
        return list(_from_csv(path))
    except BoxError as error:
        raise CasesError(path, error.entry, error.sentence) from error


def _from_csv(path: Path) -> Iterator[DrawnBox]:
    for row in read_delimited(path, EDGES, PLACES).rows():
        edges = {edge: row.number(edge, "a number of pixels") for edge in EDGES}
        yield boxes.drawn_box(path, row.spot.line, {**row.cells, **edges})
