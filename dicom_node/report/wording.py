"""What the objects say in plain words, for the report and the picture alike.

Our own text stays in the part of ASCII that every character set of PS3.3 C.12.1.1.2
shares, so that it can stand beside a name in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from dicom_node.report.codes import MAX_LO_CHARACTERS, SCALES
from grading.grades import (
    FIRST_LINES,
    Finding,
    Grading,
    LevelGrade,
    SeriesVerdict,
    StudyGrades,
)

DISCLAIMER = "AI result. Not verified by a physician. For research use only."
# The exclusion criteria of the study whose method this is (Su et al. 2022).
EXCLUSIONS = (
    "Not trained for and not valid in vertebral fracture, tumour, active "
    "inflammation, earlier lumbar spine surgery or severe image artefacts."
)
NEEDS_READER = "needs a reader"
# ISO_IR 13 shows a yen sign and an overline in the places of these two.
_SHARED_BY_ALL = str.maketrans({"\\": "/", "~": "-"})


def plain_text(text: str) -> str:
    """Return ``text`` on one line, with '?' for what not every character set has."""
    one_line = " ".join(text.split()).translate(_SHARED_BY_ALL)
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in one_line)


def short_text(text: str) -> str:
    """Return ``text`` fit for an LO value."""
    return plain_text(text)[:MAX_LO_CHARACTERS]


def percent(probability: float) -> str:
    """Return a probability as ``63%``."""
    return f"{100 * probability:.0f}%"


def summary_line(level: LevelGrade) -> str:
    """Return ``L4/L5: LDH 3 (MSU, 61%); LCCS 3 (Lee, 37%); LNRC 3 (Pfirrmann, 44%)``.

    A finding that a level lacks is said to be not graded; a grade that the bundle is
    too unsure of is said to need a reader: ``LNRC 3 (Pfirrmann, 44%, needs a reader)``.
    """
    words = [_words(finding, level.grades.get(finding)) for finding in Finding]
    return f"{level.name}: {'; '.join(words)}"


def comments_before(grades: StudyGrades) -> list[str]:
    """Return what must be read before any grade."""
    return [
        FIRST_LINES[grades.model.basis],
        DISCLAIMER,
        EXCLUSIONS,
        *uncertain_grades(grades),
    ]


def uncertain_grades(grades: StudyGrades) -> list[str]:
    """Return one sentence that names the grades for a reader, or none.

    Whole names of levels, so that it reads alone in a viewer that shows no tree.
    """
    places = {
        finding: [
            level.name
            for level in grades.levels
            if (grading := level.grades.get(finding)) and grading.needs_reader
        ]
        for finding in Finding
    }
    named = [f"{finding} at {', '.join(at)}" for finding, at in places.items() if at]
    if not named:
        return []
    said = "The model is too unsure of these grades, they need a reader"
    return [f"{said}: {'; '.join(named)}."]


def comments_after(grades: StudyGrades) -> list[str]:
    """Return notes and refused series, each sentence once."""
    refused = [_refusal(verdict) for verdict in grades.series if not verdict.graded]
    plain = (plain_text(sentence) for sentence in [*grades.notes, *refused])
    return [sentence for sentence in dict.fromkeys(plain) if sentence]


def picture_notes(grades: StudyGrades) -> list[str]:
    """Return the notes, without those that quote the header's free text.

    A series description may hold anything, a name as well, and what is drawn into
    pixels cannot be de-identified any more.
    """
    quotable = [note for note in grades.notes if not _quotes(note, grades.series)]
    return [plain_text(note) for note in dict.fromkeys(quotable)]


def refused_count(grades: StudyGrades) -> str:
    """Return how many series were not graded, or nothing where all were."""
    refused = sum(not verdict.graded for verdict in grades.series)
    if not refused:
        return ""
    return f"{refused} series not graded; the structured report says why."


def calibration(finding: Finding, grading: Grading) -> str:
    """Return ``LDH temperature 1.31, reader below 62%``; nothing where neither is."""
    words = [
        f"temperature {grading.temperature:.4g}" if grading.temperature != 1 else "",
        _reader_below(grading.threshold or 0.0),
    ]
    said = ", ".join(word for word in words if word)
    return f"{finding} {said}" if said else ""


def _reader_below(threshold: float) -> str:
    if threshold > 1:
        return "reader for every grade"
    return f"reader below {percent(threshold)}" if threshold else ""


def _words(finding: Finding, grading: Grading | None) -> str:
    if grading is None:
        return f"{finding} not graded"
    author = SCALES[finding].author
    words = f"{author}, {percent(grading.probability)}"
    if grading.needs_reader:
        words += f", {NEEDS_READER}"
    return f"{finding} {grading.grade:d} ({words})"


def _refusal(verdict: SeriesVerdict) -> str:
    name = verdict.description or "series without description"
    return f"Not graded: '{name}': {verdict.reason}"


def _quotes(note: str, series: Sequence[SeriesVerdict]) -> bool:
    return any(v.description and v.description in note for v in series)
