"""A report as one HTML page that asks nothing of a network and runs no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from importlib import resources

from grading.evaluation.report.blocks import (
    SYMBOLS,
    Cell,
    Definitions,
    Document,
    FlowChart,
    Leaf,
    Notice,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Step,
    Table,
)

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is fetched, not even by mistake; a browser keeps to it."""


def page(document: Document) -> str:
    """Return the whole page."""
    title = html.escape(document.title)
    sections = "\n".join(
        _section(number, section)
        for number, section in enumerate(document.sections, start=1)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="basis">{html.escape(document.first_line)}</p>\n<h1>{title}</h1>\n'
        f"{_contents(document.sections)}\n{sections}\n</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    return (resources.files(__package__) / "style.css").read_text(encoding="utf-8")


def _contents(sections: Iterable[Section]) -> str:
    links = "".join(
        f'<li><a href="#s{number}">{html.escape(section.title)}</a></li>'
        for number, section in enumerate(sections, start=1)
    )
    return f"<nav><ul>{links}</ul></nav>"


def _section(number: int, section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    heading = f'<h2 id="s{number}">{html.escape(section.title)}</h2>'
    return f"<section>\n{heading}\n{blocks}\n</section>"


def _block(block: Leaf) -> str:
    match block:
        case Table():
            return _table(block)
        case Paragraph():
            return _tag("p", block.text)
        case Notice():
            lead = html.escape(f"{SYMBOLS[block.mark]} {block.lead}:")
            text = html.escape(block.text)
            return f'<p class="notice {block.mark}"><b>{lead}</b> {text}</p>'
        case FlowChart():
            return _flow_chart(block)
        case Definitions():
            entries = "".join(
                _tag("dt", word) + _tag("dd", meaning)
                for word, meaning in block.entries
            )
            return f"<dl>{entries}</dl>"
        case Pictures():
            pictures = "\n".join(_picture(picture) for picture in block.pictures)
            return f'<div class="pictures">\n{pictures}\n</div>'


def _table(table: Table) -> str:
    columns = "".join(
        f'<th scope="col"{_classes(*_words(table, i))}>{html.escape(column)}</th>'
        for i, column in enumerate(table.columns)
    )
    rows = "\n".join(_row(table, i) for i in range(len(table.rows)))
    note = _tag("p", table.note, "note") if table.note else ""
    caption = "" if table.folded else _tag("caption", table.title)
    drawn = (
        f'<div class="table"><table>\n{caption}\n'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
        f"{note}</div>"
    )
    if table.folded:
        return f"<details>{_tag('summary', table.title)}{drawn}</details>"
    return drawn


def _row(table: Table, number: int) -> str:
    heading, *cells = table.rows[number]
    begins = table.rows_together > 1 and number % table.rows_together == 0
    opening = f"<tr{_classes('begins' if begins else '')}>"
    data = "".join(
        f"<td{_classes(cell.mark or '', *_words(table, i))}>{_cell(cell)}</td>"
        for i, cell in enumerate(cells, start=1)
    )
    return f'{opening}<th scope="row">{_cell(heading)}</th>{data}</tr>'


def _words(table: Table, column: int) -> tuple[str, ...]:
    return ("words",) if column in table.words else ()


def _classes(*names: str) -> str:
    named = " ".join(filter(None, names))
    return f' class="{named}"' if named else ""


def _cell(cell: Cell) -> str:
    if not cell.detail:
        return html.escape(cell.text)
    return html.escape(cell.text) + _tag("small", cell.detail, _kind(cell))


def _kind(cell: Cell) -> str:
    """Tell small print apart: an interval stays on its line, a reason may be long."""
    if cell.figure is None:
        return ""
    return "reason" if cell.figure.low is None else "interval"


def _picture(picture: Picture) -> str:
    source = base64.b64encode(picture.svg.encode()).decode()
    alternative = html.escape(picture.alternative, quote=True)
    image = f'<img src="data:image/svg+xml;base64,{source}" alt="{alternative}">'
    return f"<figure>{image}{_tag('figcaption', picture.caption)}</figure>"


def _flow_chart(chart: FlowChart) -> str:
    arrow = '<div class="arrow" aria-hidden="true">↓</div>'
    steps = [_step(step) for step in chart.steps]
    ends = "".join(_box(step) for step in chart.ends)
    parts = f"\n{arrow}\n".join([*steps, f'<div class="ends">{ends}</div>'])
    return f'<div class="flow">\n{parts}\n</div>'


def _step(step: Step) -> str:
    aside = ""
    if step.aside:
        lines = "".join(_tag("span", line) for line in step.aside)
        aside = f'<div class="aside">{lines}</div>'
    return f'<div class="step">{_box(step)}{aside}</div>'


def _box(step: Step) -> str:
    lines = "".join(_tag("span", line) for line in step.lines)
    return f'<div class="box">{_tag("b", step.title)}{lines}</div>'


def _tag(name: str, text: str, style: str = "") -> str:
    return f"<{name}{_classes(style)}>{html.escape(text)}</{name}>"
