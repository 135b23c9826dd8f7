"""Who and what took part, and where the rest went: after Figure 1 of Su et al. 2022."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grading.evaluation.cases import NONE, Cases, Codes, Per, Rows
from grading.evaluation.selection import Units, units
from grading.grades import Finding

NO_LEVEL = "the slice's level is not given"


@dataclass(frozen=True, slots=True)
class Count:
    """How many patients, and how many slices or levels of theirs."""

    patients: int
    slices: int
    levels: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows of one finding that take no part, for one reason."""

    finding: Finding
    per: Per
    reason: str
    patients: int
    units: int
    excluded: str | None = None
    """The table's own word for it; None where something is missing."""


@dataclass(frozen=True, slots=True)
class Flow:
    """From the rows of a table to the cases that are compared."""

    read: Count
    excluded: Mapping[str, Count]
    """By reason: patients and slices of which no row takes part."""
    included: Count
    compared: Mapping[Finding, Count]
    left_out: tuple[LeftOut, ...]


def flow(cases: Cases) -> Flow:
    """Count patients, slices and levels on their way into the comparison."""
    included = cases.included
    return Flow(
        read=_count(cases, np.ones(len(cases), bool)),
        excluded=_excluded(cases, included),
        included=_count(cases, included),
        compared={finding: _compared(cases, finding) for finding in Finding},
        left_out=tuple(_left_out(cases)),
    )


def _count(cases: Cases, rows: Rows) -> Count:
    return Count(
        patients=_distinct(cases.patients.codes[rows]),
        slices=_distinct(cases.slices[rows]),
        levels=_distinct(cases.discs[rows]),
    )


def _distinct(codes: Codes) -> int:
    return len(np.unique(codes[codes != NONE]))


def _excluded(cases: Cases, included: Rows) -> dict[str, Count]:
    """Count things under the reason of their first row, where all rows have one."""
    wholly = {
        "patients": _first_of(cases.patients.codes, included),
        "slices": _first_of(cases.slices, included),
        "levels": _first_of(cases.discs, included),
    }
    return {
        reason: Count(
            **{what: int(rows[first].sum()) for what, first in wholly.items()}
        )
        for reason, rows in cases.excluded.present().items()
    }


def _first_of(codes: Codes, included: Rows) -> Codes:
    """Return the first row of each thing that has no included row."""
    things, first = np.unique(codes, return_index=True)
    gone = ~np.isin(things, codes[included]) & (things != NONE)
    return np.asarray(first[gone])


def _compared(cases: Cases, finding: Finding) -> Count:
    slices, levels = (_complete(cases, finding, per) for per in (Per.SLICE, Per.LEVEL))
    patients = np.concatenate([slices, levels])
    return Count(_distinct(patients), len(slices), len(levels))


def _complete(cases: Cases, finding: Finding, per: Per) -> Codes:
    """Return the patient of each unit that can be compared."""
    found = units(cases, finding, per)
    return found.patients[found.complete]


def _left_out(cases: Cases) -> list[LeftOut]:
    left_out = []
    for finding in Finding:
        for per in Per:
            found = units(cases, finding, per)
            left_out += _incomplete(found, per)
        left_out += _never_a_unit(cases, finding)
    return left_out


def _incomplete(found: Units, per: Per) -> list[LeftOut]:
    return [
        LeftOut(
            found.finding, per, reason, _distinct(found.patients[rows]), int(rows.sum())
        )
        for reason, rows in found.fates().items()
    ]


def _never_a_unit(cases: Cases, finding: Finding) -> list[LeftOut]:
    """Return the slices that are excluded, and those that belong to no level."""
    slices = cases.of(finding) & ~cases.about_level
    unplaced = slices & cases.included & (cases.discs == NONE)
    found: list[tuple[Per, str, Rows, str | None]] = [
        (Per.SLICE, f"excluded: {reason}", slices & rows, reason)
        for reason, rows in cases.excluded.present().items()
    ]
    found.append((Per.LEVEL, NO_LEVEL, unplaced, None))
    return [
        LeftOut(
            finding=finding,
            per=per,
            reason=reason,
            patients=_distinct(cases.patients.codes[rows]),
            units=int(rows.sum()),
            excluded=excluded,
        )
        for per, reason, rows, excluded in found
        if rows.any()
    ]


def rows_left_out(cases: Cases) -> list[tuple[int, str]]:
    """Return each row that takes no part, and its reason.

    A row about a slice takes part per slice, one about a level per level. The rows
    are numbers of ``cases``, in the order of the table.
    """
    found: list[tuple[int, str]] = []
    for finding in Finding:
        slices = units(cases, finding, Per.SLICE)
        for reason, fated in slices.fates().items():
            found += [(row, reason) for row in slices.rows[fated].tolist()]
        found += _level_rows(cases, finding)
    for reason, rows in cases.excluded.present().items():
        found += [(row, f"excluded: {reason}") for row in np.flatnonzero(rows).tolist()]
    return sorted(found)


def _level_rows(cases: Cases, finding: Finding) -> list[tuple[int, str]]:
    """Return the rows about a level that cannot be compared, and why."""
    levels = units(cases, finding, Per.LEVEL)
    own = cases.of(finding) & cases.included & cases.about_level
    return [
        (row, reason)
        for reason, fated in levels.fates().items()
        for row in np.flatnonzero(
            own & np.isin(cases.discs, cases.discs[levels.rows[fated]])
        ).tolist()
    ]
