"""The grades of RSNA 2024 (lumbar degenerative classification) on our scales.

RSNA graded each of five levels in three steps: Normal/Mild, Moderate, Severe. Its
canal grade becomes LCCS, the worse of its two recess grades LNRC; foraminal grades
have no scale here, and herniation was not graded. What the mapping cannot say is
told in ``docs/own-data.md``.

A level's grades go to the axial images on which its recess points lie, since those
are the images that the readers looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.evaluation.delimited import Row, read_delimited
from grading.grades import Finding, Grade, Level
from grading.training.importing.archive import Archive, ArchivedImage
from grading.training.importing.labels import Label, LeftOut

LEVELS = {
    "l1_l2": Level.L1_L2,
    "l2_l3": Level.L2_L3,
    "l3_l4": Level.L3_L4,
    "l4_l5": Level.L4_L5,
    "l5_s1": Level.L5_S1,
}
CANAL = "spinal_canal_stenosis"
RECESSES = ("left_subarticular_stenosis", "right_subarticular_stenosis")
GRADES = {
    "normal/mild": Grade.GRADE_0,
    "moderate": Grade.GRADE_2,
    "severe": Grade.GRADE_3,
}
"""Normal/Mild holds our grades 0 and 1, of which 0 is the more frequent by far."""
GRADE_COLUMNS = tuple(
    f"{condition}_{level}" for condition in (CANAL, *RECESSES) for level in LEVELS
)
POINT_COLUMNS = ("study_id", "series_id", "instance_number", "condition", "level")


@dataclass(frozen=True, slots=True)
class GradedLevel:
    """One level of one study as RSNA's table has it."""

    source: str
    study_id: str
    level: Level
    canal: Grade | None
    recesses: tuple[Grade | None, Grade | None]
    """Left, right."""

    @property
    def grades(self) -> Mapping[Finding, Grade]:
        """On our scales; a finding that cannot be told is missing."""
        found = {Finding.LCCS: self.canal, Finding.LNRC: self._worse_recess}
        return {f: grade for f, grade in found.items() if grade is not None}

    @property
    def _worse_recess(self) -> Grade | None:
        known = [grade for grade in self.recesses if grade is not None]
        # With one side missing the worse side is known only where it cannot be worse.
        if len(known) == len(RECESSES) or Grade.GRADE_3 in known:
            return max(known)
        return None


Points = Mapping[tuple[str, Level], frozenset[tuple[str, int]]]
"""Series and instance number of the images that show a level, by study and level."""


def read_grades(path: Path) -> list[GradedLevel]:
    """Read RSNA's table of grades: a row per study, a column per grade.

    Raises
    ------
    CasesError
        A column is missing, or a grade is none of the three words.
    OSError
        The file cannot be read.
    """
    table = read_delimited(path, ("study_id", *GRADE_COLUMNS))
    return [
        GradedLevel(
            source=f"{path.name} line {row.spot.line}",
            study_id=row.required("study_id"),
            level=level,
            canal=_grade(row, f"{CANAL}_{name}"),
            recesses=(
                _grade(row, f"{RECESSES[0]}_{name}"),
                _grade(row, f"{RECESSES[1]}_{name}"),
            ),
        )
        for row in table.rows()
        for name, level in LEVELS.items()
    ]


def read_points(path: Path) -> Points:
    """Read on which axial images each level's recesses were graded.

    Raises
    ------
    CasesError
        A column is missing, a level is unknown, or a number is none.
    OSError
        The file cannot be read.
    """
    found: dict[tuple[str, Level], set[tuple[str, int]]] = {}
    for row in read_delimited(path, POINT_COLUMNS).rows():
        if _word(row, "condition").replace(" ", "_") not in RECESSES:
            continue
        name = _word(row, "level").replace("/", "_")
        if name not in LEVELS:
            raise row.wrong(f"`level` is {row['level']!r}; write {', '.join(LEVELS)}")
        number = _whole(row, "instance_number")
        place = (row.required("study_id"), LEVELS[name])
        found.setdefault(place, set()).add((row.required("series_id"), number))
    return {place: frozenset(images) for place, images in found.items()}


def rsna_labels(
    archive: Archive, levels: Sequence[GradedLevel], points: Points
) -> tuple[list[Label], list[LeftOut]]:
    """Return a label for each image that shows a level, and levels without an image.

    RSNA's Study Instance UID is its study number; its Series Instance UID ends in its
    series number.
    """
    by_place = {_place(image): image for image in archive.images.values()}
    labels: list[Label] = []
    left_out: list[LeftOut] = []
    for level in levels:
        places = points.get((level.study_id, level.level), frozenset())
        named = ((level.study_id, *place) for place in sorted(places))
        images = [by_place[place] for place in named if place in by_place]
        labels += [_label(level, image) for image in images]
        if not images:
            missing = "image in the archive" if places else "recess point in the table"
            left_out.append(_without_image(level, f"no {missing}"))
    return labels, left_out


def counts(levels: Sequence[GradedLevel]) -> str:
    """Return how often RSNA's table has each grade, on our scales."""
    lines = []
    for finding in (Finding.LCCS, Finding.LNRC):
        found = Counter(level.grades.get(finding) for level in levels)
        cells = [f"grade {g:d}: {found[g]}" for g in GRADES.values()]
        lines.append(f"{finding}: {', '.join(cells)}, no grade: {found[None]}")
    return f"{len(levels)} levels in the table. " + "; ".join(lines) + "."


def _label(level: GradedLevel, image: ArchivedImage) -> Label:
    return Label(
        source=level.source,
        series=image.key.series_instance_uid,
        sop_instance=image.key.sop_instance_uid,
        file=image.file,
        level=level.level,
        grades=level.grades,
    )


def _grade(row: Row, column: str) -> Grade | None:
    text = _word(row, column)
    if not text:
        return None
    if text not in GRADES:
        expected = "Normal/Mild, Moderate, Severe, or nothing"
        raise row.wrong(f"`{column}` is {row[column]!r}; write {expected}")
    return GRADES[text]


def _whole(row: Row, column: str) -> int:
    text = row[column]
    if not text.isascii() or not text.isdigit():
        raise row.wrong(f"`{column}` is {text!r}; write a whole number")
    return int(text)


def _word(row: Row, column: str) -> str:
    return row[column].lower()


def _place(image: ArchivedImage) -> tuple[str, str, int | None]:
    series = image.key.series_instance_uid.rpartition(".")[2]
    return (image.study, series, image.instance_number)


def _without_image(level: GradedLevel, reason: str) -> LeftOut:
    return LeftOut(reason, source=level.source, study=level.study_id, level=level.level)
