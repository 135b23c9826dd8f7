"""Cases of an evaluation: what was predicted beside what is true, row by row.

A row is one finding on one slice or, where it names no SOP Instance, on one disc
level. Texts are kept once and rows hold their numbers, so that a hundred thousand
slices take some tens of megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grading.grades import Basis, Finding, Level

Codes = NDArray[np.intp]
Rows = NDArray[np.bool_]
"""(rows,) true for the rows that are meant."""
FINDINGS = tuple(Finding)
LEVELS = tuple(Level)
NONE = -1
"""In place of a number where a row's cell is empty."""
TEST_PART = "test"
PARTS = ("train", "validation", TEST_PART)
"""What a patient's images serve for; only those of the last are new to a bundle."""


class Per(StrEnum):
    """What is counted as one case."""

    SLICE = "slice"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Words:
    """A column of text: each distinct text once, and which one a row has."""

    words: tuple[str, ...]
    """In the order of their first row."""
    codes: Codes
    """(rows,) index into ``words``, or ``NONE``."""

    def __getitem__(self, row: int) -> str:
        code = self.codes[row]
        return self.words[code] if code != NONE else ""

    def take(self, rows: Rows | Codes) -> Words:
        return Words(self.words, self.codes[rows])

    def present(self) -> dict[str, Rows]:
        """Return each text that a row has, sorted, with those rows."""
        codes = sorted(set(self.codes.tolist()) - {NONE}, key=self.words.__getitem__)
        return {self.words[code]: self.codes == code for code in codes}


@dataclass(frozen=True, slots=True)
class Person:
    """What a table tells about one patient; empty or None where it tells nothing."""

    sex: str
    """``F``, ``M``, ``O`` or empty, as in PatientSex (PS3.3 C.7.1.1)."""
    age_years: float | None
    """At the patient's first study in the table."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """Which bundle made predictions, as far as their table says."""

    name: str
    sha256: str
    """Of its weights."""
    basis: Basis
    calibration_sha256: str = ""
    """Of all else that its grades depend on; empty where the table does not say."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where cases come from."""

    path: Path
    sha256: str
    """Of the table as it was read."""
    encoding: str
    unused: tuple[str, ...] = ()
    """Columns that were not looked at."""
    predictors: tuple[Predictor, ...] = ()
    """Those that the table names."""
    unnamed: bool = False
    """Some predictions come without the bundle that made them."""
    phantom: bool = False
    """Some images are a computer-made phantom's."""
    parts: tuple[str, ...] = ()
    """Those of ``PARTS`` that rows name."""
    without_part: bool = False
    """Some predictions come without the part that their patient belongs to."""

    @property
    def learned_from(self) -> tuple[str, ...]:
        """The parts that are not new to a bundle of the same manifest."""
        return tuple(part for part in self.parts if part != TEST_PART)


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a row one of its kind: no other row of a table has the same."""

    study: str
    series: str
    """Empty, like ``sop_instance``, in a row about a level."""
    sop_instance: str
    frame: int
    """Counted from 1; 1 in rows about a level."""
    level: str
    """Empty in a row about a slice."""
    finding: Finding

    @property
    def per(self) -> Per:
        """What the row is about."""
        return Per.LEVEL if self.level else Per.SLICE


@dataclass(frozen=True, slots=True)
class Cases:
    """Rows of predictions and references; all arrays are (rows,)."""

    source: Source
    lines: Codes
    """Of the table, counted from 1; 0 for what only the readers' table holds."""
    patients: Words
    studies: Words
    series: Words
    """``NONE`` in rows about a level."""
    sop_instances: Words
    """``NONE`` in rows about a level."""
    frames: Codes
    """Counted from 1; 1 in rows about a level."""
    levels: Codes
    """Index into ``LEVELS``, or ``NONE`` where the level is not determined."""
    slices: Codes
    """One number per axial image; ``NONE`` in rows about a level."""
    discs: Codes
    """One number per disc level of a study; ``NONE`` without a level."""
    findings: Codes
    """Index into ``FINDINGS``."""
    references: NDArray[np.int8]
    """Grade 0 to 3, or ``NONE``."""
    probabilities: NDArray[np.float64]
    """(rows, 4), each row sums to one; zeros where there is no prediction."""
    sites: Words
    scanners: Words
    excluded: Words
    """Why the row takes no part; ``NONE`` where it does."""
    people: Mapping[str, Person]
    """By patient."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def about_level(self) -> Rows:
        """True for rows about a level instead of a slice."""
        return np.asarray(self.slices == NONE)

    @property
    def predicted(self) -> Rows:
        """True for rows with probabilities."""
        return np.asarray(self.probabilities.any(axis=1))

    @property
    def included(self) -> Rows:
        """True for rows that nobody excluded."""
        return np.asarray(self.excluded.codes == NONE)

    def of(self, finding: Finding) -> Rows:
        """Return the rows about one finding."""
        return np.asarray(self.findings == FINDINGS.index(finding))

    def level(self, row: int) -> str:
        """Return the level of a row, or an empty text."""
        code = self.levels[row]
        return LEVELS[code].value if code != NONE else ""

    def key(self, row: int) -> Key:
        about_level = self.slices[row] == NONE
        return Key(
            self.studies[row],
            self.series[row],
            self.sop_instances[row],
            int(self.frames[row]),
            self.level(row) if about_level else "",
            FINDINGS[self.findings[row]],
        )

    def take(self, rows: Rows | Codes) -> Cases:
        """Return the chosen rows, by a mask or by their numbers."""
        return replace(
            self,
            lines=self.lines[rows],
            patients=self.patients.take(rows),
            studies=self.studies.take(rows),
            series=self.series.take(rows),
            sop_instances=self.sop_instances.take(rows),
            frames=self.frames[rows],
            levels=self.levels[rows],
            slices=self.slices[rows],
            discs=self.discs[rows],
            findings=self.findings[rows],
            references=self.references[rows],
            probabilities=self.probabilities[rows],
            sites=self.sites.take(rows),
            scanners=self.scanners.take(rows),
            excluded=self.excluded.take(rows),
        )
