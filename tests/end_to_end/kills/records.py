"""The log: one line of JSON per kill, and what many of them say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.end_to_end.kills.scenario import Outcome, stage_names

KEPT, BROKEN = "kept", "broken"


@dataclass(frozen=True, slots=True)
class Run:
    """What was counted when a run had settled."""

    acknowledged: int
    studies: int
    given_up: int
    broken: list[str]
    """A sentence for each broken promise."""


@dataclass(frozen=True, slots=True)
class Record:
    """One kill, with what came of the run it was part of."""

    number: int
    seed: int
    database: str
    verb: str
    aimed: str | None
    found: list[str]
    outcome: str
    run: Run | None
    """With the run's last kill only."""


def records(
    outcome: Outcome, seed: int, database: str, first_number: int
) -> list[Record]:
    """Return a record per kill of a run."""
    told = BROKEN if outcome.broken else KEPT
    run = Run(outcome.acknowledged, outcome.studies, outcome.given_up, outcome.broken)
    last = len(outcome.kills) - 1
    return [
        Record(
            first_number + place,
            seed,
            database,
            kill.verb,
            *stage_names(kill),
            told,
            run if place == last else None,
        )
        for place, kill in enumerate(outcome.kills)
    ]


def append(log: Path, lines: Iterable[Record]) -> None:
    """Add whole lines at once, so that a log never ends in half a run."""
    with log.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def read(log: Path) -> list[Record]:
    """Return all records of a log; none where there is no log yet."""
    if not log.exists():
        return []
    with log.open("rb") as lines:
        return [msgspec.json.decode(line, type=Record) for line in lines]


def summary(found: Sequence[Record]) -> str:
    """Return a table in Markdown: one row per database."""
    databases = sorted({record.database for record in found})
    stages = sorted({stage for record in found for stage in record.found})
    head = ["database", "kills", "receiver", "worker", *stages, "in none of them"]
    head += ["runs", "acknowledged", "studies", "given up", "broken promises"]
    rows = [head, ["---"] * len(head)]
    rows += [_row(database, stages, found) for database in databases]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(database: str, stages: Sequence[str], found: Sequence[Record]) -> list[str]:
    mine = [record for record in found if record.database == database]
    verbs = Counter(record.verb for record in mine)
    hit = Counter(stage for record in mine for stage in record.found)
    runs = [record.run for record in mine if record.run]
    counts = [
        len(mine),
        verbs["receive"],
        verbs["work"],
        *(hit[stage] for stage in stages),
        sum(not record.found for record in mine),
        len(runs),
        sum(run.acknowledged for run in runs),
        sum(run.studies for run in runs),
        sum(run.given_up for run in runs),
        sum(len(run.broken) for run in runs),
    ]
    return [database, *map(str, counts)]
