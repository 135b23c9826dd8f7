"""What a receiving process says about its associations when things go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa
from pynetdicom import evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    MRImageStorage,
    Verification,
)

from dicom_node.open_associations import OpenAssociations
from storage.database import Database, open_database
from storage.tables import OpenAssociationRow


class Connected:
    """As much of an association as is looked at."""

    def __init__(self, *offered: str, alive: bool = True) -> None:
        self.accepted_contexts = [SimpleNamespace(abstract_syntax=it) for it in offered]
        self.requestor = SimpleNamespace(address="192.0.2.7", port=50123)
        self.alive = alive

    def is_alive(self) -> bool:
        return self.alive


def established(watch: OpenAssociations, assoc: Connected) -> None:
    watch._on_established(cast(evt.Event, SimpleNamespace(assoc=assoc)))


def closed(watch: OpenAssociations, assoc: Connected) -> None:
    watch._on_closed(cast(evt.Event, SimpleNamespace(assoc=assoc)))


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    with closing(open_database(sqlite_database_url)) as opened:
        yield opened


def peers(database: Database) -> list[str]:
    with database.reading.begin() as session:
        return list(session.scalars(sa.select(OpenAssociationRow.association)))


def test_an_association_is_known_from_its_acceptance_to_its_end(
    database: Database,
) -> None:
    watch, assoc = OpenAssociations(database), Connected(MRImageStorage, Verification)

    established(watch, assoc)
    while_open = peers(database)
    closed(watch, assoc)
    closed(watch, assoc)

    assert while_open == ["192.0.2.7:50123"]
    assert peers(database) == []


def test_an_echo_costs_no_row(database: Database) -> None:
    watch = OpenAssociations(database)

    established(watch, Connected(Verification))

    assert peers(database) == []


def test_a_database_that_is_away_is_told_by_the_next_beat(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    watch, assoc = OpenAssociations(database), Connected(MRImageStorage)
    rename(database, "open_associations", "away")
    established(watch, assoc)
    rename(database, "away", "open_associations")

    watch.beat()

    assert "cannot write down which associations are open" in caplog.text
    assert peers(database) == ["192.0.2.7:50123"]


def test_nobody_waits_long_behind_another_one_that_waits_for_the_database(
    database: Database,
) -> None:
    watch = OpenAssociations(database, patience_seconds=0.01)
    gone, come = Connected(MRImageStorage), Connected(MRImageStorage)
    established(watch, gone)

    with watch._turn:  # as while another one waits for a database that is away
        closed(watch, gone)
        come.requestor.port = 50124
        established(watch, come)
    before_the_beat = peers(database)
    watch.beat()

    assert before_the_beat == ["192.0.2.7:50123"]
    assert peers(database) == ["192.0.2.7:50124"]


def rename(database: Database, old: str, new: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def test_an_end_that_was_missed_is_noticed_by_the_next_beat(
    database: Database,
) -> None:
    watch, assoc = OpenAssociations(database), Connected(MRImageStorage)
    established(watch, assoc)
    assoc.alive = False

    watch.beat()

    assert peers(database) == []


def test_a_receiver_that_stops_leaves_nothing_open(database: Database) -> None:
    watch = OpenAssociations(database)
    established(watch, Connected(MRImageStorage))

    watch.stop()

    assert peers(database) == []
