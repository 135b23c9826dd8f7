"""Whose study goes first is told by its sender, and by whether it was graded before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storage import jobs
from storage.jobs import Priority
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node
from tests.end_to_end.scanner import send


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    return sqlite_database_url


def priority(node: Node) -> int:
    with node.database.reading.begin() as session:
        job = jobs.get(session, STUDY_UID)
    assert job is not None
    return job.priority


def receive(node: Node, images: int, sender: str) -> None:
    received = [as_received(ds) for ds in mr_series(images)]
    send(node.peer, received, calling_ae_title=sender)
    node.indexer.index_waiting()
    urgent = frozenset({"EMERGENCY"})
    replace(node.settler, urgent_calling_ae_titles=urgent).settle_quiet()


def test_a_new_study_goes_before_one_that_was_graded_and_an_urgent_one_before_both(
    node: Node,
) -> None:
    receive(node, 4, "SCANNER")
    new = priority(node)
    receive(node, 5, "SCANNER")
    again = priority(node)
    receive(node, 6, "EMERGENCY")
    urgent = priority(node)

    assert (new, again, urgent) == (Priority.NEW, Priority.AGAIN, Priority.URGENT)
