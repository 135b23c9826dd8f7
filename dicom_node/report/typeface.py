"""Which font writes which character, and what to do where none does.

A name that cannot be read on paper is dangerous, one that is read wrongly more so: a
character that no font here has is written as its number, ``[U+1F600]``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby

from PIL import ImageFont, features
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Face:
    """A font that comes with the node, and where in Unicode it is looked for."""

    name: str
    ranges: tuple[Range, ...]
    shaped: bool = False
    """Written from right to left, or with letters that change beside each other:
    drawn by the text engine of Pillow, which can do that."""


WESTERN = Face("western", ((0x20, 0x2FFF),))
BOLD = Face("western-bold", ((0x20, 0x7E),))
EAST_ASIAN = Face("east-asian", ((0x3000, 0x9FFF), (0xAC00, 0xFFFF)))
FACES = (
    Face("hebrew", ((0x590, 0x5FF),), shaped=True),
    Face("arabic", ((0x600, 0x6FF),), shaped=True),
    Face("devanagari", ((0x900, 0x97F),), shaped=True),
    Face("thai", ((0xE00, 0xE7F),), shaped=True),
    WESTERN,
    EAST_ASIAN,
)


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that one font writes."""

    face: Face
    text: str


def runs(text: str) -> list[Run]:
    """Divide a line by font; blanks go with what stands before them."""
    pieces: list[tuple[Face, str]] = []
    for character in text:
        face = face_of(character)
        if character == " " and pieces:
            face = pieces[-1][0]
        pieces.append((face, character) if face else (WESTERN, _number(character)))
    return [
        Run(face, "".join(piece for _, piece in group))
        for face, group in groupby(pieces, key=lambda piece: piece[0])
    ]


@lru_cache(maxsize=4096)
def face_of(character: str) -> Face | None:
    """Return the font that has a character, or None where no font has it."""
    code = ord(character)
    candidates = (face for face in FACES if _lies_in(code, face.ranges))
    return next((face for face in candidates if _has(face, code)), None)


def width(text: str, size: float) -> float:
    """Return how wide a line is, in the unit of ``size``."""
    return sum(run_width(run, size) for run in runs(text))


def run_width(run: Run, size: float) -> float:
    """Return how wide a run is, in the unit of ``size``."""
    if not run.face.shaped:
        registered(run.face)
        return float(pdfmetrics.stringWidth(run.text, run.face.name, size))
    return float(raster_font(run.face).getlength(run.text)) * size / RASTER_SIZE


@cache
def registered(face: Face) -> TTFont:
    """Return a font as the PDF library knows it."""
    font = TTFont(face.name, BytesIO(_content(face)), shapable=False)
    pdfmetrics.registerFont(font)
    return font


RASTER_SIZE = 96
"""Pixels per em of text that is drawn as an image: sharp at 600 dots per inch."""


@cache
def raster_font(face: Face) -> ImageFont.FreeTypeFont:
    """Return a font as Pillow knows it."""
    engine = ImageFont.Layout.RAQM
    return ImageFont.truetype(
        BytesIO(_content(face)), RASTER_SIZE, layout_engine=engine
    )


@cache
def _content(face: Face) -> bytes:
    packed = files("dicom_node.report.fonts").joinpath(f"{face.name}.ttf.gz")
    return gzip.decompress(packed.read_bytes())


def _has(face: Face, code: int) -> bool:
    # Without its text engine Pillow would draw such a script wrongly.
    if face.shaped and not features.check("raqm"):
        return False
    return code in registered(face).face.charToGlyph


def _lies_in(code: int, ranges: Iterable[Range]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _number(character: str) -> str:
    return f"[U+{ord(character):04X}]"
