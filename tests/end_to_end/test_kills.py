"""Ten of the thousand kills; `python -m tests.end_to_end.kills` does all of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from storage import commitments, outbox
from storage.database import open_database
from storage.outbox import Addressee
from storage.states import CommitmentState, ObjectKind
from storage.tables import CommitmentRow, ReceiptRow
from tests.end_to_end.kills import accounts, records, scenario
from tests.end_to_end.kills.pacs import CountingPacs
from tests.end_to_end.kills.stages import Stage
from tests.end_to_end.kills.traffic import Acknowledged, encoded, small_study
from tests.end_to_end.node import Node
from tests.end_to_end.scanner import send
from tests.storage.builders import graded, produced

KINDS = (ObjectKind.PICTURE, ObjectKind.PRINTOUT, ObjectKind.STRUCTURED_REPORT)


def test_five_kills_lose_nothing_and_grade_nothing_twice(
    database_url: str, tmp_path: Path
) -> None:
    outcome = scenario.run(5, 5, tmp_path, database_url, most_unfinished=2)

    assert outcome.broken == []
    assert len(outcome.kills) == 5
    assert outcome.acknowledged >= 4 * outcome.studies > 0


def test_the_accounts_name_what_is_lost_and_what_is_damaged(node: Node) -> None:
    study = small_study("2.25.7", 4)
    assert send(node.peer, study) == [0x0000] * 4
    told = [Acknowledged(ds.SOPInstanceUID, encoded(ds)) for ds in study]
    never = Acknowledged("2.25.8", b"")
    with node.database.sessions.begin() as session:
        rows = {
            row.sop_instance_uid: node.files.path(row.root, row.key)
            for row in session.scalars(sa.select(ReceiptRow))
        }
        session.execute(
            sa.delete(ReceiptRow).where(
                ReceiptRow.sop_instance_uid == told[2].sop_instance_uid
            )
        )
    rows[told[0].sop_instance_uid].unlink()
    damaged = rows[told[1].sop_instance_uid]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")

    with node.database.reading.begin() as session:
        found = list(accounts.missing_instances(session, node.files, [*told, never]))

    assert [sentence.split(": ")[0] for sentence in found] == [
        *(image.sop_instance_uid for image in (told[2], never)),
        *(image.sop_instance_uid for image in told[:2]),
    ]


def test_a_study_that_was_not_graded_and_an_object_twice_are_named(node: Node) -> None:
    assert send(node.peer, small_study("2.25.7", 4)) == [0x0000] * 4

    with node.database.reading.begin() as session:
        ungraded = accounts.broken_rules(
            session, node.files, [], {"2.25.7": 4}, CountingPacs()
        )

    assert ungraded == ["2.25.7: not graded"]


def test_a_commitment_that_is_missing_and_one_that_nobody_gave_are_named(
    sqlite_database_url: str,
) -> None:
    with (
        closing(open_database(sqlite_database_url)) as database,
        database.sessions.begin() as session,
    ):
        to = Addressee("pacs", shadow=False, kinds=frozenset(KINDS))
        objects = [produced(kind, suffix=kind.value) for kind in KINDS]
        graded(session, objects=objects, destinations=(to,))
        due = outbox.claim_due(session, "pacs", "worker", 60, 10)
        first, second, _ = sorted(due, key=lambda it: it.object.sop_instance_uid)
        for delivery in (first, second):
            commitments.expect(session, delivery)
        session.execute(
            sa.update(CommitmentRow)
            .where(CommitmentRow.delivery_id == second.id)
            .values(state=CommitmentState.COMMITTED)
        )
        session.flush()

        found = list(accounts.uncommitted(session, kept=()))

    assert found == [
        f"2.25.0.{KINDS[0]}: its commitment is waiting: None",
        f"2.25.0.{KINDS[1]}: committed, and the PACS never said so",
        f"2.25.0.{KINDS[2]}: delivered, and nobody asks whether it is kept",
    ]


def test_a_log_says_what_it_says_when_it_is_read_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    kills = [
        scenario.Kill("receive", None, Stage(0)),
        scenario.Kill("work", Stage.GRADING, Stage.GRADING | Stage.SENDING),
    ]
    kept = scenario.Outcome(kills, acknowledged=12, studies=3)
    lost = scenario.Outcome(kills[:1], broken=["2.25.1: not graded"])

    records.append(log, records.records(kept, 1, "sqlite", 1))
    records.append(log, records.records(lost, 2, "sqlite", 3))
    found = records.read(log)

    assert [line.number for line in found] == [1, 2, 3]
    assert [line.outcome for line in found] == ["kept", "kept", "broken"]
    assert records.summary(found).splitlines()[-1] == (
        "| sqlite | 3 | 2 | 1 | 1 | 1 | 2 | 2 | 12 | 3 | 0 | 1 |"
    )
