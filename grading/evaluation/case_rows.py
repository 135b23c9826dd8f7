"""The columns of `Cases` while rows come in one by one."""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.cases import (
    FINDINGS,
    LEVELS,
    NONE,
    Cases,
    Codes,
    Person,
    Predictor,
    Source,
    Words,
)
from grading.evaluation.delimited import Delimited
from grading.evaluation.outcomes import GRADES
from grading.evaluation.places import Facts, Place
from grading.grades import Grade

Probabilities = tuple[float, float, float, float]
NO_PROBABILITIES: Probabilities = (0.0, 0.0, 0.0, 0.0)


def _whole_numbers() -> array[int]:
    return array("q")


def _fractions() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Numbered:
    """Distinct things in the order of their first row, and which one each row has."""

    numbers: dict[Hashable, int] = field(default_factory=dict)
    codes: array[int] = field(default_factory=_whole_numbers)

    def add(self, thing: Hashable) -> None:
        """Take the next row's thing; None and an empty text are nothing."""
        if thing in (None, ""):
            self.codes.append(NONE)
        else:
            self.codes.append(self.numbers.setdefault(thing, len(self.numbers)))

    def array(self) -> Codes:
        return np.array(self.codes, np.intp)

    def words(self) -> Words:
        return Words(tuple(map(str, self.numbers)), self.array())


@dataclass(slots=True)
class CaseRows:
    """Rows as far as they have come in, with what may not be contradicted."""

    facts: Facts = field(default_factory=Facts)
    predictors: dict[Predictor, None] = field(default_factory=dict)
    unnamed: bool = False
    phantom: bool = False
    without_part: bool = False
    parts: dict[str, None] = field(default_factory=dict)
    _lines: array[int] = field(default_factory=_whole_numbers)
    _places: array[int] = field(default_factory=_whole_numbers)
    """Frame, level and finding of each row, one after the other."""
    _references: array[int] = field(default_factory=_whole_numbers)
    _probabilities: array[float] = field(default_factory=_fractions)
    """Four of each row, one after the other."""
    _patients: Numbered = field(default_factory=Numbered)
    _studies: Numbered = field(default_factory=Numbered)
    _series: Numbered = field(default_factory=Numbered)
    _sop_instances: Numbered = field(default_factory=Numbered)
    _slices: Numbered = field(default_factory=Numbered)
    _discs: Numbered = field(default_factory=Numbered)
    _excluded: Numbered = field(default_factory=Numbered)

    def __len__(self) -> int:
        return len(self._lines)

    def add(
        self,
        line: int,
        place: Place,
        reference: Grade | None,
        probabilities: Probabilities | None,
        excluded: str,
    ) -> None:
        """Take one row whose place has been checked."""
        key, level = place.key, place.level
        self._lines.append(line)
        at = NONE if level is None else LEVELS.index(level)
        self._places.extend((key.frame, at, FINDINGS.index(key.finding)))
        self._references.append(NONE if reference is None else int(reference))
        self._probabilities.extend(probabilities or NO_PROBABILITIES)
        self._patients.add(place.patient)
        self._studies.add(key.study)
        self._series.add(key.series)
        self._sop_instances.add(key.sop_instance)
        about_slice = key.series, key.sop_instance, key.frame
        self._slices.add(about_slice if key.sop_instance else None)
        self._discs.add((key.study, level) if level else None)
        self._excluded.add(excluded)

    def cases(self, table: Delimited) -> Cases:
        """Return all rows as arrays."""
        frames, levels, findings = np.array(self._places, np.intp).reshape(-1, 3).T
        patients, studies = self._patients.words(), self._studies.words()
        return Cases(
            source=self._source(table),
            lines=np.array(self._lines, np.intp),
            patients=patients,
            studies=studies,
            series=self._series.words(),
            sop_instances=self._sop_instances.words(),
            frames=frames,
            levels=levels,
            slices=self._slices.array(),
            discs=self._discs.array(),
            findings=findings,
            references=np.array(self._references, np.int8),
            probabilities=_scaled(self._probabilities),
            sites=self._spread("patient", "site", patients),
            scanners=self._spread("study", "scanner", studies),
            excluded=self._excluded.words(),
            people=self._people(patients, studies),
        )

    def _source(self, table: Delimited) -> Source:
        return Source(
            path=table.path,
            sha256=table.sha256,
            encoding=table.encoding,
            unused=table.unused,
            predictors=tuple(self.predictors),
            unnamed=self.unnamed,
            phantom=self.phantom,
            parts=tuple(self.parts),
            without_part=self.without_part,
        )

    def _spread(self, owner: str, column: str, owners: Words) -> Words:
        """Return what is said about each row's owner, in whichever row it is said."""
        said = Numbered()
        for name in owners.words:
            said.add(self.facts.of(owner, name, column))
        return Words(said.words().words, said.array()[owners.codes])

    def _people(self, patients: Words, studies: Words) -> dict[str, Person]:
        _, first = np.unique(patients.codes, return_index=True)
        people = {}
        for name, row in zip(patients.words, first.tolist(), strict=True):
            age = self.facts.of("study", studies[row], "age")
            sex = self.facts.of("patient", name, "sex")
            people[name] = Person(sex, float(age) if age else None)
        return people


def _scaled(probabilities: array[float]) -> NDArray[np.float64]:
    """Return (rows, 4); each row sums to one, as it did before it was printed."""
    rows = np.array(probabilities, np.float64).reshape(-1, GRADES)
    total = rows.sum(axis=1, keepdims=True)
    return np.asarray(rows / np.where(total > 0, total, 1.0))
