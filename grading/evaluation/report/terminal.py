"""The short form of a report, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.report.blocks import (
    SYMBOLS,
    Cell,
    Document,
    Notice,
    Section,
    Table,
)


def terminal(document: Document) -> str:
    """Return the first line, and notices and tables of the first section."""
    section = document.sections[0]
    return "\n".join([document.first_line, *_lines(section)])


def _lines(section: Section) -> Iterator[str]:
    for block in section.blocks:
        if isinstance(block, Notice):
            yield f"{SYMBOLS[block.mark]} {block.lead}: {block.text}"
        elif isinstance(block, Table):
            yield from ("", block.title, *_aligned(block))


def _aligned(table: Table) -> Iterator[str]:
    rows = [list(table.columns), *([_text(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for heading, *cells in rows:
        padded = [f"{cell:>{w}}" for cell, w in zip(cells, widths[1:], strict=True)]
        yield "  ".join([f"{heading:<{widths[0]}}", *padded]).rstrip()


def _text(cell: Cell) -> str:
    # Why there is no interval, or no value, is told in the report: sentences would
    # make the lines too long for a terminal.
    is_reason = cell.figure is not None and cell.figure.low is None
    return (
        f"{cell.text} ({cell.detail})" if cell.detail and not is_reason else cell.text
    )
