"""What a bundle says of a whole real study, beside what readers said of it.

Usage::

    python -m benchmarks.real_study BUNDLE STUDY_FOLDER

The folder is that of one study of the RSNA 2024 training set, its tables of labels
beside its series. Printed are the level of every axial slice that a reader marked,
with the sagittal series and with it withheld, and each level's grades beside the
reader's. The scales differ, so that no figure follows from the second table. Neither
the study nor its tables may be passed on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydicom
from pydicom import Dataset

from grading.bundle import load_bundle
from grading.grader import Grader
from grading.grades import FIRST_LINES, Level, SliceGrade, StudyGrades

LEVELS = {level.value.replace("/", "_").lower(): level for level in Level}
"""Of the tables' names."""
CONDITIONS = (
    "spinal_canal_stenosis",
    "right_subarticular_stenosis",
    "left_subarticular_stenosis",
)
"""What readers graded where an axial slice shows it."""

Place = tuple[str, int]
"""Series and instance number."""


def main() -> None:
    """Grade the study twice and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("study", type=Path)
    arguments = parser.parse_args()
    grader = Grader(load_bundle(arguments.bundle))
    datasets = [
        pydicom.dcmread(path) for path in sorted(arguments.study.rglob("*.dcm"))
    ]
    marked = marked_slices(arguments.study)
    axial = {series for series, _ in marked}
    withheld = [ds for ds in datasets if ds.SeriesInstanceUID.split(".")[-1] in axial]
    whole = grader.grade(datasets)
    print(FIRST_LINES[grader.bundle.card.basis])
    for name, grades, given in (
        ("with the sagittal series", whole, datasets),
        ("with it withheld", grader.grade(withheld), withheld),
    ):
        print(f"\n{name}")
        print_levels(grades, places(given), marked)
        print(*(f"  note: {note}" for note in grades.notes), sep="\n")
    print()
    print_grades(whole, readers_grades(arguments.study))


def marked_slices(study: Path) -> dict[Place, Level]:
    """Return the axial slices that carry a recess point, and the level each shows."""
    with (study / "label_coordinates.csv").open(encoding="utf-8") as file:
        return {
            (row["series_id"], int(row["instance_number"])): LEVELS[row["level"]]
            for row in csv.DictReader(file)
            if row["condition"].endswith("subarticular_stenosis")
        }


def readers_grades(study: Path) -> dict[tuple[Level, str], str]:
    """Return a reader's words for each level and condition."""
    with (study / "labels_long.csv").open(encoding="utf-8") as file:
        return {
            (LEVELS[row["level"]], row["condition"]): row["grade"]
            for row in csv.DictReader(file)
        }


def places(datasets: Sequence[Dataset]) -> dict[tuple[str, str], Place]:
    """Return the tables' name of each image; instance UIDs repeat between series."""
    return {
        (str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)): (
            str(ds.SeriesInstanceUID).split(".")[-1],
            int(ds.InstanceNumber),
        )
        for ds in datasets
    }


def print_levels(
    grades: StudyGrades,
    named: Mapping[tuple[str, str], Place],
    marked: Mapping[Place, Level],
) -> None:
    """Print what level each marked slice got."""
    of_place = {
        named[one.key.series_instance_uid, one.key.sop_instance_uid]: one
        for one in grades.slices
    }
    right = wrong = 0
    for place, level in sorted(marked.items(), key=lambda item: item[0][1]):
        got = of_place[place].level
        right += got is level
        wrong += got not in (level, None)
        print(f"  slice {place[1]:2d}: {level.value}, {_placed(of_place[place])}")
    open_ = len(marked) - right - wrong
    print(f"  {right} right, {wrong} wrong, {open_} not determined")


def print_grades(grades: StudyGrades, readers: Mapping[tuple[Level, str], str]) -> None:
    """Print each level's grades beside the reader's words."""
    print("| level | LDH | LCCS | LNRC right | left | " + " | ".join(CONDITIONS) + " |")
    print("|---" * (5 + len(CONDITIONS)) + "|")
    for level in grades.levels:
        if level.level is None:
            continue
        given = {finding.value: int(one.grade) for finding, one in level.grades.items()}
        roots = {side.value: int(one.grade) for side, one in level.roots.items()}
        said = [readers.get((level.level, condition), "-") for condition in CONDITIONS]
        cells = [
            given["LDH"],
            given["LCCS"],
            roots.get("right", "-"),
            roots.get("left", "-"),
        ]
        print("|", " | ".join(map(str, [level.level.value, *cells, *said])), "|")


def _placed(one: SliceGrade) -> str:
    level = one.level.value if one.level else "not determined"
    return f"said {level}, through a disc: {one.through_disc}"


if __name__ == "__main__":
    main()
