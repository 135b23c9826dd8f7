"""What a radiologist could paste: one paragraph per level, in plain words."""

from __future__ import annotations

from dicom_node.report.fixed import fixed
from dicom_node.report.phrases import Phrases
from dicom_node.report.wording import percent, worst_grades
from grading.grades import Finding, Grade, Grading, LevelGrade, Side, StudyGrades


def paragraphs(grades: StudyGrades, phrases: Phrases) -> list[str]:
    """Return one paragraph per level or slab, cranial to caudal."""
    opening = fixed(phrases.language).openings[grades.model.basis]
    return [opening + _paragraph(grades, level, phrases) for level in grades.levels]


def _paragraph(grades: StudyGrades, level: LevelGrade, phrases: Phrases) -> str:
    """Say the three findings, then each side's root: another one may be in doubt."""
    worst = worst_grades(grades, level)
    said: list[str] = []
    for finding in Finding:
        if (grading := level.grades.get(finding)) is not None:
            said.append(_finding(finding, grading, worst.get(finding), phrases))
        else:
            said.append(phrases.not_graded.format(finding=finding))
    said += [_root(level.roots[side], side, phrases) for side in level.roots]
    if level.roots_differ:
        said.append(fixed(phrases.language).doubts.roots_differ)
    return phrases.paragraph.format(place=level.name, findings=phrases.joint.join(said))


def _finding(
    finding: Finding, grading: Grading, worst: Grade | None, phrases: Phrases
) -> str:
    words = phrases.grades[finding][grading.grade]
    if worst is not None:
        words = phrases.worst.format(words=words, grade=f"{worst:d}")
    return _doubted(words, grading, phrases)


def _root(grading: Grading, side: Side, phrases: Phrases) -> str:
    words = phrases.grades[Finding.LNRC][grading.grade]
    return _doubted(phrases.side(side).format(words=words), grading, phrases)


def _doubted(words: str, grading: Grading, phrases: Phrases) -> str:
    if not grading.needs_reader:
        return words
    share = percent(grading.probability)
    return phrases.uncertain.format(words=words, probability=share)
