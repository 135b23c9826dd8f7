"""What two readers and an adjudicator said, from a CSV file.

Its columns are the first seven of a table of predictions and then ``reader_a,
reader_b, adjudicated``. The reference is what both readers say; where they differ,
what the adjudicator says, as Su et al. 2022 made theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.evaluation.cases import Key
from grading.evaluation.delimited import CasesError, Row, read_delimited
from grading.evaluation.places import (
    PLACE_COLUMNS,
    Facts,
    Place,
    read_grade,
    read_place,
)
from grading.grades import Grade

READER_COLUMNS = ("reader_a", "reader_b", "adjudicated")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said about one finding on one slice or level."""

    row: Row
    """Where it was said."""
    place: Place
    first: Grade | None
    second: Grade | None
    adjudicated: Grade | None

    @property
    def differs(self) -> bool:
        """True where both graded and do not agree."""
        return None not in (self.first, self.second) and self.first != self.second

    @property
    def reference(self) -> Grade | None:
        """What counts as true; None where nothing does."""
        agreed = self.first if self.first == self.second else None
        return self.adjudicated if agreed is None else agreed


@dataclass(frozen=True, slots=True)
class Readings:
    """A whole table of them."""

    path: Path
    sha256: str
    by_key: Mapping[Key, Reading]
    """In the order of the table."""


def read_readings(path: Path) -> Readings:
    """Read what readers said.

    Raises
    ------
    CasesError
        The table cannot be understood or contradicts itself; the message names
        file, line, value and cure.
    OSError
        The file cannot be read.
    """
    table = read_delimited(path, (*PLACE_COLUMNS, *READER_COLUMNS))
    facts = Facts()
    readings = [_reading(row, facts) for row in table.rows()]
    if not readings:
        raise CasesError(path, None, "there is no row below the header")
    by_key = {reading.place.key: reading for reading in readings}
    return Readings(path, table.sha256, by_key)


def _reading(row: Row, facts: Facts) -> Reading:
    place = read_place(row, facts)
    first, second, adjudicated = (read_grade(row, it) for it in READER_COLUMNS)
    reading = Reading(row, place, first, second, adjudicated)
    if first is not None and first == second and adjudicated not in (None, first):
        raise row.wrong(
            f"both readers say {first}, `adjudicated` is {adjudicated}; leave it empty "
            "where they agree, or mend the grades"
        )
    return reading
