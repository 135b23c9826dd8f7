"""Readers beside each other and beside the model, on the same cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.agreement import MISSING
from grading.evaluation.cases import Cases, Key, Per
from grading.evaluation.evaluate import Sampling
from grading.evaluation.outcomes import Outcomes
from grading.evaluation.raters import ReaderAgreement, reader_agreement
from grading.evaluation.readers import Reading, Readings
from grading.evaluation.scores import Scores
from grading.evaluation.scoring import bootstrap
from grading.evaluation.selection import units
from grading.grades import Finding, Grade

REFERENCE = "reference"
FIRST = "reader A"
SECOND = "reader B"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A case on which two readers differ, and what the model says."""

    reading: Reading
    predicted: Grade | None
    """None where there is no prediction."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One finding, read per slice or per level."""

    per: Per
    finding: Finding
    agreement: ReaderAgreement
    model: Mapping[str, Scores]
    """Against ``REFERENCE``, ``FIRST`` and ``SECOND``, on the cases that both
    readers graded, that have a reference and a prediction; empty without any."""


@dataclass(frozen=True, slots=True)
class ReaderStudy:
    """Everything that readers' grades tell."""

    readings: Readings
    panels: tuple[Panel, ...]
    unresolved: int
    """Cases without a reference: the readers differ, or one did not grade, and
    nobody adjudicated."""
    disagreements: tuple[Disagreement, ...]
    """In the order of the table."""
    excluded: int = 0
    """Cases that were graded and that the table of predictions excludes."""


def reader_study(
    readings: Readings, cases: Cases | None, sampling: Sampling
) -> ReaderStudy:
    """Compare two readers, and the model with each where there are predictions.

    What the table of predictions excludes takes no part.
    """
    predictions = _predictions(cases) if cases is not None else {}
    excluded = _excluded(cases) if cases is not None else frozenset()
    graded = len(readings.by_key)
    readings = replace(
        readings,
        by_key={k: one for k, one in readings.by_key.items() if k not in excluded},
    )
    return ReaderStudy(
        readings=readings,
        panels=tuple(_panels(readings, predictions, sampling)),
        unresolved=sum(one.reference is None for one in readings.by_key.values()),
        disagreements=tuple(
            Disagreement(reading, _most_probable(predictions.get(key)))
            for key, reading in readings.by_key.items()
            if reading.differs
        ),
        excluded=graded - len(readings.by_key),
    )


def _excluded(cases: Cases) -> frozenset[Key]:
    rows = np.flatnonzero(~cases.included).tolist()
    return frozenset(cases.key(row) for row in rows)


Predictions = Mapping[Key, NDArray[np.float64]]
"""(4,) probabilities of slices and levels."""


def _predictions(cases: Cases) -> Predictions:
    predictions = {}
    for finding in Finding:
        for per in Per:
            found = units(cases, finding, per)
            for row, p in zip(found.rows.tolist(), found.probabilities, strict=True):
                if p.any():
                    predictions[_key(cases, row, per)] = p
    return predictions


def _key(cases: Cases, row: int, per: Per) -> Key:
    """Return the key of a slice, or of the level that a row belongs to."""
    key = cases.key(row)
    if per is Per.SLICE:
        return key
    return Key(key.study, "", "", 1, cases.level(row), key.finding)


def _most_probable(probabilities: NDArray[np.float64] | None) -> Grade | None:
    return None if probabilities is None else Grade(int(probabilities.argmax()))


def _panels(
    readings: Readings, predictions: Predictions, sampling: Sampling
) -> Iterator[Panel]:
    for per in Per:
        for finding in Finding:
            read = [
                one
                for key, one in readings.by_key.items()
                if key.finding is finding and key.per is per
            ]
            if read:
                yield Panel(
                    per,
                    finding,
                    _agreement(finding, read, sampling),
                    _model(finding, read, predictions, sampling),
                )


def _agreement(
    finding: Finding, read: list[Reading], sampling: Sampling
) -> ReaderAgreement:
    return reader_agreement(
        finding,
        _grades(one.first for one in read),
        _grades(one.second for one in read),
        _patients(read),
        seed=sampling.seed,
        resamples=sampling.resamples,
    )


def _model(
    finding: Finding,
    read: list[Reading],
    predictions: Predictions,
    sampling: Sampling,
) -> dict[str, Scores]:
    common = [
        one
        for one in read
        if None not in (one.first, one.second, one.reference)
        and one.place.key in predictions
    ]
    if not common:
        return {}
    probabilities = np.stack([predictions[one.place.key] for one in common])
    against = {
        REFERENCE: _grades(one.reference for one in common),
        FIRST: _grades(one.first for one in common),
        SECOND: _grades(one.second for one in common),
    }
    return {
        name: bootstrap(
            Outcomes(finding, _patients(common), grades, probabilities),
            seed=sampling.seed,
            resamples=sampling.resamples,
        )
        for name, grades in against.items()
    }


def _grades(grades: Iterator[Grade | None]) -> NDArray[np.int8]:
    return np.array(
        [MISSING if grade is None else grade for grade in grades], dtype=np.int8
    )


def _patients(read: list[Reading]) -> NDArray[np.intp]:
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(one.place.patient, len(numbers)) for one in read]
    return np.array(codes, np.intp)
