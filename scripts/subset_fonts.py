"""Make the fonts of the printout smaller than Debian ships them.

Usage: ``python scripts/subset_fonts.py``, with the Debian packages
``fonts-noto-core`` and ``fonts-droid-fallback`` and the Python package ``fonttools``.
Hints and, where a script needs no shaping, layout tables are left out; the Han, Kana
and Hangul font is compressed besides.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset

DEBIAN = Path("/usr/share")
OUT = Path(__file__).parents[1] / "dicom_node" / "report" / "fonts"


@dataclass(frozen=True)
class Face:
    """One font and the ranges of Unicode that are kept of it, ends included."""

    name: str
    source: str
    ranges: tuple[tuple[int, int], ...]
    shaped: bool = False
    """Its script needs ligatures and marks put in place."""


WESTERN = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x52F),
    (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2010, 0x203A), (0x20AC, 0x20AC),
    (0x2190, 0x2193), (0x2212, 0x2212), (0x2264, 0x2265), (0xFFFD, 0xFFFD),
)  # fmt: skip
EAST_ASIAN = (
    (0x3000, 0x30FF), (0x3130, 0x318F), (0x31A0, 0x31BF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF01, 0xFFEE),
)  # fmt: skip
FACES = (
    Face("western", "fonts/truetype/noto/NotoSans-Regular.ttf", WESTERN),
    Face("western-bold", "fonts/truetype/noto/NotoSans-Bold.ttf", ((0x20, 0x7E),)),
    Face(
        "east-asian", "fonts-droid-fallback/truetype/DroidSansFallback.ttf", EAST_ASIAN
    ),
    Face(
        "hebrew",
        "fonts/truetype/noto/NotoSansHebrew-Regular.ttf",
        ((0x590, 0x5FF),),
        shaped=True,
    ),
    Face(
        "arabic",
        "fonts/truetype/noto/NotoSansArabic-Regular.ttf",
        ((0x600, 0x6FF),),
        shaped=True,
    ),
    Face(
        "thai",
        "fonts/truetype/noto/NotoSansThai-Regular.ttf",
        ((0xE00, 0xE7F),),
        shaped=True,
    ),
    Face(
        "devanagari",
        "fonts/truetype/noto/NotoSansDevanagari-Regular.ttf",
        ((0x900, 0x97F), (0x200C, 0x200D)),
        shaped=True,
    ),
)


def main() -> None:
    """Write every font, compressed without a date."""
    for face in FACES:
        content = subsetted(face)
        path = OUT / f"{face.name}.ttf.gz"
        path.write_bytes(gzip.compress(content, 9, mtime=0))
        print(f"{path.name}: {len(content)} bytes, {path.stat().st_size} packed")


def subsetted(face: Face) -> bytes:
    """Return a font that holds the ranges only."""
    options = subset.Options()
    options.hinting = False
    options.notdef_outline = True
    if not face.shaped:
        options.layout_features = []
        options.drop_tables += ["GSUB", "GPOS", "GDEF", "vhea", "vmtx"]
    font = subset.load_font(str(DEBIAN / face.source), options)
    subsetter = subset.Subsetter(options)
    # With the blank, which goes with what stands before it.
    subsetter.populate(unicodes=[0x20, *_characters(face.ranges)])
    subsetter.subset(font)
    path = OUT / "subset.ttf"
    subset.save_font(font, str(path), options)
    content = path.read_bytes()
    path.unlink()
    return content


def _characters(ranges: Iterable[tuple[int, int]]) -> Iterable[int]:
    for first, last in ranges:
        yield from range(first, last + 1)


if __name__ == "__main__":
    main()
