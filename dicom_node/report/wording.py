"""What the objects say in plain words, for the report and the picture alike.

Our own text stays in the part of ASCII that every character set of PS3.3 C.12.1.1.2
shares, so that it can stand beside a name in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicom_node.report.codes import MAX_LO_CHARACTERS, SCALES
from dicom_node.report.fixed import Doubts, fixed
from dicom_node.report.phrases import Language
from grading.grades import (
    FIRST_LINES,
    Finding,
    Grade,
    Grading,
    Level,
    LevelGrade,
    Region,
    RegionOrigin,
    SeriesVerdict,
    Side,
    StudyGrades,
    quoted,
)

DISCLAIMER = "AI result. Not verified by a physician. For research use only."
# The exclusion criteria of the study whose method this is (Su et al. 2022).
EXCLUSIONS = (
    "Not trained for and not valid in vertebral fracture, tumour, active "
    "inflammation, earlier lumbar spine surgery or severe image artefacts."
)
NEEDS_READER = "needs a reader"
ENGLISH = fixed(Language.ENGLISH).doubts
REGION_WORDS: Mapping[RegionOrigin, str] = {
    RegionOrigin.DRAWN: "The region was drawn by a person.",
    RegionOrigin.LANDMARKS: "The region lies between landmarks found on this slice.",
    RegionOrigin.NEIGHBOURS: (
        "The region was carried over from slices beside this one, "
        "for want of landmarks on it."
    ),
    RegionOrigin.CENTRE: (
        "The region is the image centre, not located: where the spinal canal is not "
        "in it, the grades mean nothing."
    ),
}
LUMBAR_LEVELS = tuple(level for level in Level if level is not Level.T12_L1)
"""The levels that a lumbar study is expected to show."""
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


def summary_line(
    level: LevelGrade, worst: Mapping[Finding, Grade] | None = None
) -> str:
    """Return ``L4/L5: LDH 3 (MSU, 61%); LCCS 3 (Lee, 37%); LNRC 3 (Pfirrmann, 44%)``.

    A finding that a level lacks is said to be not graded; a grade that the bundle is
    too unsure of is said to need a reader: ``LNRC 3 (Pfirrmann, 44%, needs a reader)``.
    Behind them stands what the worst slice and each side's root received.
    """
    worst = worst or {}
    words = [
        _words(finding, level.grades.get(finding), worst.get(finding))
        for finding in Finding
    ]
    words += [_root_words(side, root) for side, root in level.roots.items()]
    return f"{level.name}: {'; '.join(words)}"


def worst_grades(grades: StudyGrades, level: LevelGrade) -> Mapping[Finding, Grade]:
    """Return the grade of the worst slice, of the findings where it is a higher one.

    A level's grade is that of a mean, and may be higher than that of any slice.
    """
    found = {
        finding: slice_grade.grades[finding].grade
        for finding, key in level.worst.items()
        if finding in (slice_grade := grades.slice_grade(key)).grades
    }
    return {
        finding: grade
        for finding, grade in found.items()
        if finding in level.grades and grade > level.grades[finding].grade
    }


def region_words(region: Region) -> str:
    """Return where a region came from, and how sure its place is."""
    words = REGION_WORDS[region.origin]
    if region.spread_mm is None:
        return words
    return f"{words} Repeated looks differed by {region.spread_mm:.1f} mm."


def comments_before(grades: StudyGrades) -> list[str]:
    """Return what must be read before any grade."""
    return [
        FIRST_LINES[grades.model.basis],
        DISCLAIMER,
        EXCLUSIONS,
        *uncalibrated(grades),
        *uncertain_grades(grades),
    ]


def uncertain_grades(grades: StudyGrades, words: Doubts = ENGLISH) -> list[str]:
    """Return one sentence that names the grades for a reader, or none.

    Whole names of levels, so that it reads alone in a viewer that shows no tree.
    """
    places: dict[str, list[str]] = {}
    for level in grades.levels:
        for name, grading in _named(level, words):
            if grading.needs_reader:
                places.setdefault(name, []).append(level.name)
    doubted = [
        words.place.format(name=name, levels=", ".join(at))
        for name, at in sorted(places.items())
    ]
    if not doubted:
        return []
    return [words.uncertain.format(places="; ".join(doubted))]


def uncalibrated(grades: StudyGrades, words: Doubts = ENGLISH) -> list[str]:
    """Return one sentence that names the probabilities that nobody calibrated."""
    names = dict.fromkeys(
        name
        for level in grades.levels
        for name, grading in _named(level, words)
        if not grading.calibrated
    )
    return [words.uncalibrated.format(names=", ".join(names))] if names else []


def _named(level: LevelGrade, words: Doubts) -> list[tuple[str, Grading]]:
    """Return what a level received, with its name in the words' language."""
    sides = {Side.RIGHT: words.right, Side.LEFT: words.left}
    return [
        *((str(f), level.grades[f]) for f in Finding if f in level.grades),
        *((sides[side], level.roots[side]) for side in Side if side in level.roots),
    ]


def comments_after(grades: StudyGrades) -> list[str]:
    """Return notes, levels without grades and refused series, each sentence once."""
    refused = [_refusal(verdict) for verdict in grades.series if not verdict.graded]
    said = [*grades.notes, *levels_without_grades(grades), *beside_discs(grades)]
    plain = (plain_text(sentence) for sentence in [*said, *refused])
    return [sentence for sentence in dict.fromkeys(plain) if sentence]


def levels_without_grades(grades: StudyGrades) -> list[str]:
    """Return a sentence per reason that names the lumbar levels no slice counted for.

    Nothing where no level was determined: then nobody knows which are missing.
    """
    graded = {level.level for level in grades.levels} - {None}
    if not graded and grades.sagittal is None:
        return []
    reasons: dict[str, list[Level]] = {}
    for level in LUMBAR_LEVELS:
        if level not in graded:
            reasons.setdefault(_why_not(level, grades), []).append(level)
    return [
        f"Not graded, because {why}: {', '.join(levels)}."
        for why, levels in reasons.items()
    ]


def _why_not(level: Level, grades: StudyGrades) -> str:
    """Say why no slice counts for a level."""
    if any(one.level is level for one in grades.slices):
        return "slices lie beside the disc but none passes through it"
    view = grades.sagittal
    if view and level not in {mark.level for mark in view.discs}:
        return "the disc was not found on the sagittal images"
    return "no graded slice lies at the level"


def beside_discs(grades: StudyGrades) -> list[str]:
    """Return one sentence on the slices that pass through no disc, or none."""
    beside = sum(it.through_disc is False for it in grades.slices)
    if not beside:
        return []
    slices = "1 slice passes" if beside == 1 else f"{beside} slices pass"
    counts = "counts" if beside == 1 else "count"
    return [f"{slices} beside the discs and {counts} for no level."]


def picture_notes(grades: StudyGrades) -> list[str]:
    """Return the notes, without those that quote the header's free text.

    A series description may hold anything, a name as well, and what is drawn into
    pixels cannot be de-identified any more.
    """
    quotable = [note for note in grades.notes if not _quotes(note, grades.series)]
    return [plain_text(note) for note in dict.fromkeys(quotable)]


def refused_count(grades: StudyGrades) -> str:
    """Return how many series were not graded, or nothing where all were."""
    refused = sum(not (it.graded or it.for_levels) for it in grades.series)
    if not refused:
        return ""
    return f"{refused} series not graded; the structured report says why."


def calibration(finding: Finding, grading: Grading) -> str:
    """Return ``LDH temperature 1.31, reader below 62%`` or ``LDH not calibrated``."""
    words = [
        f"temperature {grading.temperature:.4g}"
        if grading.calibrated
        else "not calibrated",
        _reader_below(grading.threshold or 0.0),
    ]
    return f"{finding} {', '.join(word for word in words if word)}"


def _reader_below(threshold: float) -> str:
    if threshold > 1:
        return "reader for every grade"
    return f"reader below {percent(threshold)}" if threshold else ""


def _words(
    finding: Finding, grading: Grading | None, worst: Grade | None = None
) -> str:
    if grading is None:
        return f"{finding} not graded"
    author = SCALES[finding].author
    words = f"{author}, {percent(grading.probability)}"
    if worst is not None:
        words += f", worst slice {worst:d}"
    if grading.needs_reader:
        words += f", {NEEDS_READER}"
    return f"{finding} {grading.grade:d} ({words})"


def _root_words(side: Side, grading: Grading) -> str:
    words = f"{side} root {grading.grade:d} ({percent(grading.probability)}"
    return f"{words}, {NEEDS_READER})" if grading.needs_reader else f"{words})"


def _refusal(verdict: SeriesVerdict) -> str:
    name = verdict.description or "series without description"
    fate = "For the levels only" if verdict.for_levels else "Not graded"
    return f"{fate}: '{name}': {verdict.reason}"


def _quotes(note: str, series: Sequence[SeriesVerdict]) -> bool:
    return any(v.description and quoted(v.description) in note for v in series)
