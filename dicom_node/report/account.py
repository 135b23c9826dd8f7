"""Everything that is said in words about a study, in reading order.

One account for the structured report, the text report and the printout, so that no
two of them can say different things.
"""

from __future__ import annotations

from dataclasses import dataclass

from dicom_node.report.evidence import Evidence, Instance
from dicom_node.report.fixed import fixed
from dicom_node.report.identity import raw_text
from dicom_node.report.narrative import paragraphs
from dicom_node.report.phrases import Phrases
from dicom_node.report.wording import (
    DISCLAIMER,
    EXCLUSIONS,
    comments_after,
    comments_before,
    plain_text,
    summary_line,
    uncalibrated,
    uncertain_grades,
    worst_grades,
)
from grading.grades import FIRST_LINES, StudyGrades

MOST_NUMBERS = 20
"""More missing images than this are counted, not named."""


@dataclass(frozen=True, slots=True)
class Account:
    """Sentences for a person."""

    warnings: tuple[str, ...]
    """The first line, what to beware of, and the grades for a reader."""
    lines: tuple[str, ...]
    """One per level or slab, cranial to caudal: its grades and probabilities."""
    paragraphs: tuple[str, ...]
    """One per level or slab: the same as a radiologist would put it."""
    remarks: tuple[str, ...]
    """What was not graded and why, and images that seem to be missing."""


def account_of(evidence: Evidence, grades: StudyGrades, phrases: Phrases) -> Account:
    """Say everything once; plain ASCII but for what the phrases' language needs."""
    known = _translations(grades, phrases)
    return Account(
        warnings=tuple(known.get(text, text) for text in comments_before(grades)),
        lines=tuple(
            plain_text(summary_line(level, worst_grades(grades, level)))
            for level in grades.levels
        ),
        paragraphs=tuple(paragraphs(grades, phrases)),
        remarks=(*missing_images(evidence), *comments_after(grades)),
    )


def _translations(grades: StudyGrades, phrases: Phrases) -> dict[str, str]:
    """Return what is said before any grade by its English."""
    words = fixed(phrases.language)
    said = words.sentences
    english = {basis.value: line for basis, line in FIRST_LINES.items()}
    english |= {"disclaimer": DISCLAIMER, "exclusions": EXCLUSIONS}
    known = {english[name]: sentence for name, sentence in said.items()}
    for sentences in (uncalibrated, uncertain_grades):
        translated = sentences(grades, words.doubts)
        known |= dict(zip(sentences(grades), translated, strict=True))
    return known


def missing_images(evidence: Evidence) -> list[str]:
    """Return a sentence for each graded series whose instance numbers have gaps.

    A scanner numbers the images of a series without gaps, and a PACS that was asked
    for only some of them is seldom noticed otherwise.
    """
    said = [_gaps(series) for series in evidence.by_series()]
    return [sentence for sentence in said if sentence]


def _gaps(series: tuple[Instance, ...]) -> str:
    numbers = {_number(instance, "InstanceNumber") for instance in series} - {None}
    known = sorted(number for number in numbers if number is not None)
    if len(known) < 2:
        return ""
    absent = sorted(set(range(known[0], known[-1] + 1)) - set(known))
    # Numbers that leap mean something else than an image's place in its series.
    if not absent or len(absent) >= len(known):
        return ""
    named = f"{len(absent)} images"
    if len(absent) <= MOST_NUMBERS:
        named = f"image {', '.join(str(number) for number in absent)}"
    place = _number(series[0], "SeriesNumber")
    name = "a graded series" if place is None else f"series {place}"
    return (
        f"Images seem to be missing: {named} between {known[0]} and {known[-1]} of "
        f"{name} was not received or not graded."
    )


def _number(instance: Instance, keyword: str) -> int | None:
    text = raw_text(instance.dataset, keyword).strip()
    return int(text) if text.isdigit() and len(text) <= 9 else None
