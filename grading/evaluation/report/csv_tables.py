"""A report's tables as CSV: figures unrounded, intervals in columns of their own.

A table may travel without its report, so its first line says what the report's does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from grading.evaluation.report.blocks import Cell, Table

FIGURE_SUFFIXES = ("", " low", " high", " not defined because")
DETAIL_SUFFIXES = ("", " further")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_table(table: Table, first_line: str) -> str:
    """Return ``first_line`` and then a table, with CRLF line ends (RFC 4180).

    A column of figures becomes four, one with small print two.
    """
    suffixes = [_suffixes(column) for column in zip(*table.rows, strict=True)]
    header = [
        f"{column}{suffix}"
        for column, several in zip(table.columns, suffixes, strict=True)
        for suffix in several
    ]
    rows = [
        [
            text
            for cell, several in zip(row, suffixes, strict=True)
            for text in _texts(cell, len(several))
        ]
        for row in table.rows
    ]
    return write_csv((first_line,), (header, *rows))


def write_csv(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Return CSV text in which no cell is a formula.

    Spreadsheets run a text that begins like one, so it gets an apostrophe before it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return text.getvalue()


def _suffixes(column: tuple[Cell, ...]) -> tuple[str, ...]:
    if any(cell.figure is not None for cell in column):
        return FIGURE_SUFFIXES
    if any(cell.detail for cell in column):
        return DETAIL_SUFFIXES
    return ("",)


def _texts(cell: Cell, count: int) -> list[str]:
    """Return so many texts for one cell."""
    if cell.figure is None:
        texts = [_plain(cell.text), _plain(cell.detail)]
    else:
        figure = cell.figure
        numbers = figure.value, figure.low, figure.high
        texts = ["" if it is None else f"{it:.6g}" for it in numbers]
        texts.append(figure.undefined or "")
    return (texts + [""] * count)[:count]


def _plain(text: str) -> str:
    """Return a text with such blanks as programs expect."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _harmless(cell: str | int) -> str | int:
    is_text = isinstance(cell, str) and cell.startswith(FORMULA_STARTS)
    return f"'{cell}" if is_text and not _is_number(str(cell)) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
