"""What a report consists of, before it is a page, Markdown or a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grading.evaluation.outcomes import Figure


class Mark(StrEnum):
    """What a reader must not overlook; shown by a symbol, a word and a colour."""

    BETTER = "better"
    UNSURE = "unsure"
    WORSE = "worse"


SYMBOLS = {Mark.BETTER: "▲", Mark.UNSURE: "≈", Mark.WORSE: "▼"}
"""No two of one shape, so that a print without colour tells them apart."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    detail: str = ""
    """Smaller, below the text: an interval, or why there is no value."""
    mark: Mark | None = None
    figure: Figure | None = None
    """What the text was printed from, for programs."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of each row is its heading."""

    name: str
    """Of its CSV file."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """A sentence below it."""
    rows_together: int = 1
    """So many rows belong to each other, from the first."""
    folded: bool = False
    """Long, or in numbers what a picture shows: the page shows it on demand."""
    words: frozenset[int] = frozenset()
    """Columns of text, which read better from the left; figures stand at the right."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure."""

    svg: str
    alternative: str
    """What it shows, for who cannot see it."""
    caption: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Figures beside each other, as far as the page is wide."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Text that must jump to the eye."""

    mark: Mark
    lead: str
    """What it is about, in bold."""
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One box of a flow chart."""

    title: str
    lines: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    """What leaves the flow behind this box."""


@dataclass(frozen=True, slots=True)
class FlowChart:
    """Boxes from top to bottom; the last row's stand side by side."""

    steps: tuple[Step, ...]
    ends: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """Words and what they mean, one line each."""

    entries: tuple[tuple[str, str], ...]


Leaf = Table | Pictures | Paragraph | Notice | FlowChart | Definitions


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    first_line: str
    """What the predictions rest on: before anything else, in every form."""
    sections: tuple[Section, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table, in order."""
        return tuple(
            block
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Table)
        )
