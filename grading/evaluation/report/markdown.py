"""A report as Markdown: all of it but the figures, which stay in the page."""

from __future__ import annotations

from collections.abc import Iterator

from grading.evaluation.report.blocks import (
    SYMBOLS,
    Cell,
    Definitions,
    Document,
    FlowChart,
    Leaf,
    Notice,
    Paragraph,
    Pictures,
    Section,
    Step,
    Table,
)


def markdown(document: Document) -> str:
    """Return the report."""
    lines = [_text(document.first_line), "", f"# {_text(document.title)}"]
    for section in document.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def markdown_table(table: Table) -> str:
    """Return one table as GitHub's Markdown writes them."""
    lines = [_row(table.columns), "|---" * len(table.columns) + "|"]
    lines += [_row([_cell(cell) for cell in row]) for row in table.rows]
    if table.note:
        lines += ["", _text(table.note)]
    return "\n".join(lines)


def _section(section: Section) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    for block in section.blocks:
        if text := _block(block):
            yield from ("", text)


def _block(block: Leaf) -> str:
    match block:
        case Table():
            return f"### {_text(block.title)}\n\n{markdown_table(block)}"
        case Paragraph():
            return _text(block.text)
        case Notice():
            lead = f"{SYMBOLS[block.mark]} {_text(block.lead)}"
            return f"> **{lead}:** {_text(block.text)}"
        case FlowChart():
            boxes = (*block.steps, *block.ends)
            return "\n".join(line for step in boxes for line in _step(step))
        case Definitions():
            return "\n".join(
                f"- **{_text(word)}**: {_text(meaning)}"
                for word, meaning in block.entries
            )
        case Pictures():
            return ""


def _step(step: Step) -> Iterator[str]:
    yield f"- **{_text(step.title)}**" + "".join(
        f"; {_text(line)}" for line in step.lines
    )
    for line in step.aside:
        yield f"  - {_text(line)}"


def _row(texts: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(_text(text) for text in texts)} |"


def _cell(cell: Cell) -> str:
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text


def _text(text: str) -> str:
    """Return text that Markdown takes for nothing but text."""
    escaped = "".join(f"\\{it}" if it in r"\`*_[]<>|#" else it for it in text)
    return " ".join(escaped.split())
