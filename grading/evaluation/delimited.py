"""Rows of a CSV file as hospitals' spreadsheets write them, each with its line.

UTF-8 with or without a byte order mark, and GB18030; commas, semicolons or tabs.
Everything else is refused with the file, the line and the cure: a table that is
half understood gives figures that look right.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DELIMITERS = ",;\t"
ENCODINGS = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}
"""Tried in this order: text of any length in GB18030 is hardly ever valid UTF-8."""
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CasesError(Exception):
    """A table cannot be used; says where, what was found, and what would do."""

    def __init__(self, path: Path, line: int | None, sentence: str) -> None:
        place = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"{place}: {sentence}")
        self.path = path
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands."""

    path: Path
    line: int
    """Counted from 1, as editors count; the header's is usually 1."""

    def seen(self, other: Spot) -> str:
        """Return where something else stands, for who reads about this spot."""
        line = f"line {other.line}"
        return line if other.path == self.path else f"{line} of {other.path.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; every column that was asked for has its cell."""

    spot: Spot
    cells: dict[str, str]
    """Without blanks around them; columns that the file lacks are empty."""
    decimal_comma: bool

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def wrong(self, sentence: str) -> CasesError:
        """Return the error that names this row."""
        return CasesError(self.spot.path, self.spot.line, sentence)

    def required(self, column: str) -> str:
        """Return a cell that must not be empty."""
        if not (text := self.cells[column]):
            raise self.wrong(f"`{column}` is empty; it must be filled in every row")
        return text

    def number(self, column: str, expected: str) -> float:
        """Return a decimal number, with a decimal comma where commas are free."""
        text = self.cells[column]
        try:
            return float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            raise self.wrong(f"`{column}` is {text!r}; write {expected}") from None


@dataclass(frozen=True, slots=True)
class Delimited:
    """A table whose header fits, its rows not yet looked at."""

    path: Path
    sha256: str
    """Of the file, as it was read."""
    encoding: str
    delimiter: str
    expected: tuple[str, ...]
    """The columns that were asked for, the optional ones too."""
    unused: tuple[str, ...]
    """The columns that were not: a misspelt one shows here."""
    content: bytes

    def rows(self) -> Iterator[Row]:
        """Yield the rows that are not empty.

        Raises
        ------
        CasesError
            A row has more or fewer cells than the header, or a quote is not closed.
        """
        codec = next(it for it, name in ENCODINGS.items() if name == self.encoding)
        text = io.TextIOWrapper(io.BytesIO(self.content), codec, newline="")
        records = _records(self.path, text, self.delimiter)
        _, header = next(records)
        names = _names(header)
        missing = dict.fromkeys(self.expected, "")
        for line, record in records:
            if len(record) != len(names):
                raise CasesError(
                    self.path,
                    line,
                    f"{len(record)} cells, but the header has {len(names)}; put a "
                    "cell that holds the delimiter in double quotes",
                )
            cells = dict(zip(names, map(str.strip, record), strict=True))
            spot = Spot(self.path, line)
            yield Row(spot, missing | cells, self.delimiter != ",")


def read_delimited(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Delimited:
    """Open a table and check its header; the order of the columns is free.

    Raises
    ------
    CasesError
        The file is empty or in no known encoding, a required column is missing, or
        a column stands twice.
    OSError
        The file cannot be read.
    """
    content = path.read_bytes()
    encoding, text = _decoded(path, content)
    if not text.strip():
        wanted = ",".join(required)
        raise CasesError(path, None, f"the file is empty; its header must be {wanted}")
    header = next(iter(text.lstrip("\n\r").splitlines()))
    delimiter = max(DELIMITERS, key=header.count)
    line, record = next(_records(path, io.StringIO(text, newline=""), delimiter))
    names = _names(record)
    _check_header(path, line, names, required)
    known = {*required, *optional}
    return Delimited(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        encoding=encoding,
        delimiter=delimiter,
        expected=(*required, *optional),
        unused=tuple(name for name in names if name and name not in known),
        content=content,
    )


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    cure = "save the table as CSV in UTF-8"
    if content.startswith(UTF_16_MARKS):
        raise CasesError(path, None, f"the file is UTF-16; {cure}")
    valid_to = 0
    for codec, name in ENCODINGS.items():
        try:
            return name, content.decode(codec)
        except UnicodeDecodeError as error:
            valid_to = max(valid_to, error.start)
    line = content.count(b"\n", 0, valid_to) + 1
    found = f"byte 0x{content[valid_to]:02X} is neither UTF-8 nor GB18030"
    raise CasesError(path, line, f"{found}; {cure}")


def _records(
    path: Path, lines: Iterable[str], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not empty with the line on which it begins."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if any(map(str.strip, record)):
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise CasesError(
            path, line, f"{error}; write a quote inside a quoted cell twice"
        ) from error


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().casefold() for name in header]


def _check_header(
    path: Path, line: int, names: Sequence[str], required: Sequence[str]
) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        raise CasesError(
            path,
            line,
            f"the header lacks {', '.join(missing)}; it must name "
            f"{', '.join(required)}, with commas, semicolons or tabs between them",
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise CasesError(path, line, f"column {', '.join(twice)} stands twice")
