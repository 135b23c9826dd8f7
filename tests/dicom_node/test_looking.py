"""Whoever looks for work in vain makes no writer wait, and waits for none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dicom_node.committing import Committer
from dicom_node.config import Destination
from dicom_node.delivery import Deliverer
from dicom_node.orders import Made, Order
from dicom_node.worker import Worker
from storage.database import Database, open_database
from storage.files import Files
from storage.tables import StudyRow

PACS = Destination("pacs", "PACS", "127.0.0.1", 1)


class NobodyAsks:
    """Makes nothing, since nothing waits."""

    def make(self, order: Order) -> Made:
        raise NotImplementedError


def grade(database: Database, _folder: Path) -> object:
    return Worker("worker", database, NobodyAsks(), (), 60).grade_one()


def deliver(database: Database, folder: Path) -> object:
    return Deliverer("worker", database, Files(folder), "NODE").send_due(PACS)


def commit(database: Database, _folder: Path) -> object:
    return Committer("worker", database, "NODE").ask_due(PACS)


@pytest.mark.parametrize("look", [grade, deliver, commit])
def test_a_look_in_vain_does_not_wait_for_a_writer(
    look: Callable[[Database, Path], object],
    sqlite_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever wants to write beside the writer is refused at once.
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_SECONDS", 0)
    with (
        closing(open_database(sqlite_database_url)) as database,
        database.sessions.begin() as writer,
    ):
        writer.add(StudyRow(study_instance_uid="being written"))
        writer.flush()

        assert not look(database, tmp_path)
