"""One run: traffic, kills, silence, and the accounts.

Which kills are aimed and how long they wait follows from the seed; what they meet does
not, since the node's threads and the machine have their own time.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from dicom_node.sender import Peer
from storage.database import Database, open_database
from storage.files import Files
from storage.overview import Overview, overview
from storage.states import CommitmentState, DeliveryState, JobState
from storage.tables import CommitmentRow, DeliveryRow, JobRow
from tests.end_to_end.kills import accounts
from tests.end_to_end.kills.pacs import CountingPacs, counting_pacs
from tests.end_to_end.kills.processes import Process, Starter, forking
from tests.end_to_end.kills.stages import OF_RECEIVER, OF_WORKER, Stage, names
from tests.end_to_end.kills.traffic import MOST_UNFINISHED, Traffic
from tests.end_to_end.processes import CONFIG
from tests.ports import free_port

LONGEST_PAUSE_SECONDS = 1.0
LONGEST_AIM_SECONDS = 15.0
"""A worker that was just started takes a while to come to anything."""
LONGEST_AFTER_AIM_SECONDS = 0.004
STANDS_STILL_SECONDS = 180.0
"""So long without any change, and it will not settle any more."""
SETTLED_WITHIN_SECONDS = 1800.0
"""However busy the machine is."""
QUIET_SECONDS = 1.0
PACS_TITLE = "PACS"
AT_ANY_MOMENT = 0.25
"""How many kills are not aimed; they fall into starting and waiting as well."""
STAGES = (
    *((("receive", stage)) for stage in OF_RECEIVER),
    *(("work", stage) for stage in OF_WORKER),
)


@dataclass(frozen=True, slots=True)
class Kill:
    """One process killed: at what it was aimed and what it was seen doing."""

    verb: str
    aimed: Stage | None
    found: Stage


@dataclass(slots=True)
class Outcome:
    """What one run did, and which promises it found broken."""

    kills: list[Kill] = field(default_factory=list)
    acknowledged: int = 0
    studies: int = 0
    given_up: int = 0
    """Studies whose workers were killed three times, graded after `regrade`."""
    broken: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Node:
    """Both processes, which are started again whatever ends them."""

    starter: Starter
    database: Database
    pacs: CountingPacs
    running: dict[str, Process] = field(default_factory=dict)
    ended_alone: list[str] = field(default_factory=list)

    def start(self) -> None:
        for verb in ("receive", "work"):
            self.running[verb] = self.starter.start(verb)

    def kill(self, chance: random.Random, rarest: Sequence[tuple[str, Stage]]) -> Kill:
        if chance.random() < AT_ANY_MOMENT:
            verb, aimed = chance.choice(["receive", "work"]), None
            time.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        else:
            verb, aimed = self._aim(rarest)
            time.sleep(chance.uniform(0, LONGEST_AFTER_AIM_SECONDS))
        process = self.running[verb]
        if not process.lives:
            self.ended_alone.append(f"{verb} ended by itself; see its log")
        process.kill()
        found = process.page.stages
        if verb == "work":
            self._let_leases_lapse()
        self.let_the_forgotten_lapse()
        self.running[verb] = self.starter.start(verb)
        return Kill(verb, aimed, found)

    def _aim(self, rarest: Sequence[tuple[str, Stage]]) -> tuple[str, Stage]:
        """Wait for the stage that was hit least; the longer, the less particular."""
        since = time.monotonic()
        while True:
            waited = (time.monotonic() - since) / LONGEST_AIM_SECONDS
            for verb, stage in rarest[: 1 + int(waited * len(rarest))]:
                if self.running[verb].page.stages & stage:
                    return verb, stage
            if waited > 1:
                return rarest[0]
            time.sleep(0.0005)

    def end(self) -> None:
        for process in self.running.values():
            process.kill()

    def _let_leases_lapse(self) -> None:
        """Let the leases of what a dead worker was sending and asking be over.

        They last for half an hour and for minutes, and no other worker is alive.
        """
        sending = DeliveryRow.state == DeliveryState.SENDING
        asking = CommitmentRow.state == CommitmentState.ASKING
        with self.database.engine.begin() as connection:
            connection.execute(
                sa.update(DeliveryRow)
                .where(sending)
                .values(lease_until=DeliveryRow.created_at)
            )
            connection.execute(
                sa.update(CommitmentRow)
                .where(asking)
                .values(lease_until=CommitmentRow.waiting_since)
            )

    def let_the_forgotten_lapse(self) -> None:
        """Let the time be over in which the PACS could have answered, and will not."""
        forgotten = CommitmentRow.transaction_uid.in_(list(self.pacs.forgotten))
        asked = CommitmentRow.state == CommitmentState.ASKED
        with self.database.engine.begin() as connection:
            connection.execute(
                sa.update(CommitmentRow)
                .where(forgotten, asked)
                .values(not_before=CommitmentRow.waiting_since)
            )


def run(
    seed: int,
    times: int,
    folder: Path,
    url: str,
    most_unfinished: int = MOST_UNFINISHED,
) -> Outcome:
    """Kill so many times while studies come and go, and account for all of them."""
    chance = random.Random(seed)
    outcome = Outcome()
    node_port, pacs_port = free_port(), free_port()
    _write_config(folder, url, node_port, pacs_port)
    peer = Peer("LUMBARNODE", "127.0.0.1", node_port)
    with (
        counting_pacs(PACS_TITLE, pacs_port, peer) as pacs,
        closing(open_database(url)) as database,
        _running(folder, database, pacs) as node,
    ):
        traffic = Traffic(peer, pacs, seed, most_unfinished)
        traffic.start()
        for _ in range(times):
            rarest = _rarest(outcome.kills, chance)
            outcome.kills.append(node.kill(chance, rarest))
        if not traffic.stop(SETTLED_WITHIN_SECONDS):
            outcome.broken.append("a sender could not get rid of its study")
        outcome.given_up, seen = _settle(node)
        if seen is not None:
            outcome.broken.append(f"not settled: {seen}")
        outcome.broken += node.ended_alone
        with database.reading.begin() as session:
            files = Files(folder / "data")
            outcome.broken += accounts.broken_rules(
                session, files, traffic.acknowledged, traffic.begun, pacs
            )
        outcome.acknowledged = len(traffic.acknowledged)
        outcome.studies = len(traffic.begun)
    return outcome


@contextmanager
def _running(folder: Path, database: Database, pacs: CountingPacs) -> Iterator[_Node]:
    with forking(folder) as starter:
        node = _Node(starter, database, pacs)
        node.start()
        try:
            yield node
        finally:
            node.end()


def _write_config(folder: Path, url: str, node_port: int, pacs_port: int) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    destinations = (
        f'[[destinations]]\nname = "pacs"\nae_title = "{PACS_TITLE}"\n'
        f'host = "127.0.0.1"\nport = {pacs_port}\ncommitment = true\n'
    )
    (folder / "config.toml").write_text(
        CONFIG.format(
            port=node_port,
            folder=folder,
            url=url,
            quiet_seconds=QUIET_SECONDS,
            destinations=destinations,
        )
    )


def _rarest(kills: Sequence[Kill], chance: random.Random) -> list[tuple[str, Stage]]:
    """Return all stages, those that were hit least first."""
    hits = Counter(stage for kill in kills for stage in kill.found)
    return sorted(STAGES, key=lambda at: (hits[at[1]], chance.random()))


def _settle(node: _Node) -> tuple[int, Overview | None]:
    """Wait until nothing is left to do, regrading what was given up.

    Returns how many studies were given up, and what was seen last where nothing
    happened any more, or it took too long.
    """
    given_up: set[tuple[str, int]] = set()
    changed = began = time.monotonic()
    before: list[object] = []
    while True:
        node.let_the_forgotten_lapse()
        with node.database.reading.begin() as session:
            seen = overview(session)
        lost = _given_up(node.database) - given_up
        for study, _ in lost:
            node.starter.start("regrade", study).wait()
        given_up |= lost
        if not lost and not any(_left(seen)):
            return len(given_up), None
        now = time.monotonic()
        if (after := [seen.jobs, *_left(seen)]) != before:
            changed, before = now, after
        if now > min(changed + STANDS_STILL_SECONDS, began + SETTLED_WITHIN_SECONDS):
            return len(given_up), seen
        time.sleep(0.1)


def _given_up(database: Database) -> set[tuple[str, int]]:
    """Return studies and revisions whose worker vanished once too often."""
    vanished = JobRow.reason.startswith("the worker vanished")
    query = sa.select(JobRow.study_instance_uid, JobRow.revision).where(
        JobRow.state == JobState.FAILED, vanished
    )
    with database.reading.begin() as session:
        return {(study, revision) for study, revision in session.execute(query)}


def _left(seen: Overview) -> list[int]:
    """Return how much of everything is still to be done."""
    left = [seen.receipts.received, seen.studies.waiting, seen.studies.held]
    left += [seen.jobs.waiting, seen.jobs.running]
    left += [to.waiting + to.sending for to in seen.deliveries]
    left += [to.waiting + to.asking + to.asked for to in seen.commitments]
    return left


def stage_names(kill: Kill) -> tuple[str | None, list[str]]:
    """Return what a kill was aimed at and where it fell, for a log."""
    return (names(kill.aimed)[0] if kill.aimed else None), names(kill.found)
