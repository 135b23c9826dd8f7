"""Which slice or level a row of a table is about, and what tables may not confuse.

Predictions and readers' grades come in tables of the same first seven columns, so
both are read here.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from sys import intern

from grading.evaluation.cases import Key
from grading.evaluation.delimited import Row, Spot
from grading.grades import Finding, Grade, Level

PATIENT = "patient"
PLACE_COLUMNS = (
    PATIENT,
    "study",
    "series",
    "sop_instance",
    "frame",
    "level",
    "finding",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands."""

    patient: str
    key: Key
    level: Level | None
    """Of the slice, or the one that the row is about."""


@dataclass(slots=True)
class Facts:
    """What has been said about patients, studies and slices, and where."""

    _said: dict[Hashable, tuple[str, Spot]] = field(default_factory=dict)

    def check(self, row: Row, owner: str, name: str, column: str, value: str) -> None:
        """Take a value of which an owner has one; an empty one says nothing.

        Raises
        ------
        CasesError
            Another row says something else.
        """
        if not value:
            return
        said, earlier = self._said.setdefault((owner, name, column), (value, row.spot))
        if said != value:
            # A patient's key may be a Patient ID, which no message repeats.
            whose = "this patient" if owner == PATIENT else f"{owner} {name!r}"
            there = row.spot.seen(earlier)
            raise row.wrong(
                f"{whose} has another patient here than in {there}; a {owner} has one"
                if column == PATIENT
                else f"{whose} has {column} '{value}' here and '{said}' in {there}; a "
                f"{owner} has one"
            )

    def of(self, owner: str, name: str, column: str) -> str:
        """Return what was said, or an empty text."""
        found = self._said.get((owner, name, column))
        return found[0] if found else ""

    def once(self, row: Row, key: Key) -> None:
        """Take a row's key.

        Raises
        ------
        CasesError
            Another row has the same.
        """
        _, earlier = self._said.setdefault(key, ("", row.spot))
        if earlier != row.spot:
            raise row.wrong(
                f"{key.finding} of {_name(key)} stands in {row.spot.seen(earlier)} "
                "already; remove one of the two rows"
            )


def read_place(row: Row, facts: Facts) -> Place:
    """Read the first seven columns and check them against the rows before.

    Raises
    ------
    CasesError
        A cell is empty or unknown, the row repeats another, or a study, series or
        slice stands where it cannot.
    """
    # Rows repeat each other's texts, of which long tables are to keep one.
    patient, study = intern(row.required("patient")), intern(row.required("study"))
    finding, level = _finding(row), _level(row)
    if row["sop_instance"]:
        series, frame = intern(row.required("series")), _frame(row)
        key = Key(study, series, intern(row["sop_instance"]), frame, "", finding)
    else:
        key = Key(study, "", "", 1, row.required("level").upper(), finding)
    place = Place(patient, key, level)
    check_owners(row, place, facts)
    facts.once(row, key)
    return place


def check_owners(row: Row, place: Place, facts: Facts) -> None:
    """Check that a slice has one level, a series one study, a study one patient.

    Raises
    ------
    CasesError
        An earlier row says something else.
    """
    key = place.key
    facts.check(row, "study", key.study, "patient", place.patient)
    if key.sop_instance:
        facts.check(row, "series", key.series, "study", key.study)
        name = f"{key.sop_instance} of series {key.series}, frame {key.frame}"
        facts.check(
            row, "slice", name, "level", place.level.value if place.level else ""
        )


def read_grade(row: Row, column: str) -> Grade | None:
    """Read a grade that may be empty.

    Raises
    ------
    CasesError
        The cell holds anything but 0, 1, 2 or 3.
    """
    text = row[column]
    if not text:
        return None
    if text not in {"0", "1", "2", "3"}:
        raise row.wrong(f"`{column}` is {text!r}; a grade is 0, 1, 2 or 3, or empty")
    return Grade(int(text))


def _finding(row: Row) -> Finding:
    text = row.required("finding").upper()
    if text not in list(Finding):
        raise row.wrong(f"`finding` is {text!r}; write {', '.join(Finding)}")
    return Finding(text)


def _level(row: Row) -> Level | None:
    text = row["level"].upper()
    if not text:
        return None
    if text not in list(Level):
        raise row.wrong(f"`level` is {text!r}; write {', '.join(Level)}, or nothing")
    return Level(text)


def _frame(row: Row) -> int:
    text = row["frame"] or "1"
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise row.wrong(f"`frame` is {text!r}; frames are counted from 1")
    return int(text)


def _name(key: Key) -> str:
    if key.level:
        return f"level {key.level} of study {key.study}"
    return f"SOP Instance {key.sop_instance}, frame {key.frame},"
