"""Delivered is not committed: what the destination says it keeps, by every way."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from pydicom import Dataset
from pynetdicom import build_role

from dicom_node import commitment, status
from dicom_node.calling import CallingAE
from dicom_node.commitment import SOP_CLASS_UID, SOP_INSTANCE_UID
from dicom_node.config import Destination
from dicom_node.demo_pacs import Orthanc, small_pacs
from storage.commitments import FIRST_RETRY_SECONDS, LAST_ANSWER_SECONDS
from storage.overview import Commitments
from storage.states import AlarmKind
from storage.tables import CommitmentQuestionRow
from tests.dicom_factories import as_received, mr_series
from tests.end_to_end.archives import Archive, Manner, running
from tests.end_to_end.node import Node, running_node
from tests.end_to_end.scanner import send
from tests.fakes import SameEverywhere
from tests.storage.builders import pass_time
from tests.waiting import comes_true

PATIENCE_SECONDS = 60.0


@pytest.fixture
def destination(pacs_port: int) -> Destination:
    return Destination("pacs", "PACS", "127.0.0.1", pacs_port, commitment=True)


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    """On SQLite; `tests.storage.test_commitments` has the rules on both."""
    return sqlite_database_url


def graded(node: Node) -> None:
    send(node.peer, [as_received(ds) for ds in mr_series(4)])
    node.work()


def ask(node: Node) -> None:
    """Ask, and hardly wait: the archive answers elsewhere, or not at all."""
    [destination] = node.worker.destinations
    node.committer.ask_due(destination)


def ask_and_listen(node: Node) -> None:
    """Ask, and wait for an answer on the same association, however slow we are."""
    [destination] = node.worker.destinations
    patient = replace(node.committer, answer_here_seconds=PATIENCE_SECONDS)
    patient.ask_due(destination)


def of(node: Node) -> Commitments:
    [found] = node.overview().commitments
    return found


def wait_for(node: Node, *, committed: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while of(node).committed < committed and time.monotonic() < deadline:
        time.sleep(0.02)
    assert of(node).committed == committed


@pytest.mark.parametrize(
    ("manner", "ask_it"),
    [(Manner.ON_THE_SAME_ASSOCIATION, ask_and_listen), (Manner.ON_ITS_OWN, ask)],
    ids=["ON_THE_SAME_ASSOCIATION", "ON_ITS_OWN"],
)
def test_an_answer_counts_on_whichever_association_it_comes(
    node: Node,
    destination: Destination,
    manner: Manner,
    ask_it: Callable[[Node], None],
) -> None:
    with running(Archive(manner, node.peer), destination) as archive:
        graded(node)
        before = status.text(node.overview())

        ask_it(node)
        wait_for(node, committed=2)
        # The node counts it before the archive has heard that it did.
        assert comes_true(lambda: bool(archive.answers))

    assert "commitments to pacs: 2 waiting, 0 asking, 0 asked, 0 committed" in before
    assert "2 delivered" in before
    assert archive.answers == [0x0000]
    [asked] = archive.asked
    uids = {item.ReferencedSOPInstanceUID for item in asked.ReferencedSOPSequence}
    assert uids == set(archive.stored)


def test_what_an_archive_lost_is_sent_again_and_then_committed(
    node: Node, destination: Destination
) -> None:
    archive = Archive(Manner.ON_THE_SAME_ASSOCIATION, node.peer, loses=1)
    with running(archive, destination):
        graded(node)
        ask_and_listen(node)
        wait_until_lost(node)
        node.work()
        ask_and_listen(node)
        wait_for(node, committed=2)

    assert len(archive.stored) == 4
    assert len(set(archive.stored)) == 2
    assert node.overview().alarms == ()


def wait_until_lost(node: Node) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not node.overview().deliveries[0].waiting and time.monotonic() < deadline:
        time.sleep(0.02)


def test_an_answer_finds_a_node_that_was_started_again(
    database_url: str, tmp_path: Path, destination: Destination
) -> None:
    folder = tmp_path / "node"
    grader = SameEverywhere()
    with running_node(database_url, folder, grader, (destination,)) as node:
        archive = Archive(Manner.NEVER, node.peer)
        with running(archive, destination):
            graded(node)
            ask(node)
        assert of(node).asked == 2

    with running_node(database_url, folder, grader, (destination,)) as node:
        archive.asker = node.peer
        archive.report(archive.asked[0])

        assert of(node).committed == 2


@pytest.mark.parametrize("manner", [Manner.NEVER, Manner.BY_REFUSING_THE_QUESTION])
def test_an_archive_that_says_nothing_is_asked_again_and_then_a_person_is_told(
    node: Node, destination: Destination, manner: Manner
) -> None:
    object.__setattr__(node.committer, "answer_here_seconds", 0.01)
    with running(Archive(manner, node.peer), destination):
        graded(node)
        for _ in range(9):
            ask(node)
            with node.database.sessions.begin() as session:
                pass_time(session, LAST_ANSWER_SECONDS)

    assert (of(node).failed, of(node).committed) == (2, 0)
    assert node.overview().deliveries[0].delivered == 2
    kinds = {alarm.kind for alarm in node.overview().alarms}
    assert kinds == {AlarmKind.COMMITMENT_FAILED}


def test_an_archive_that_offers_no_commitment_is_named_to_a_person_at_once(
    node: Node, destination: Destination
) -> None:
    with small_pacs(destination.ae_title, destination.port):
        graded(node)

        ask(node)

    [complaint] = status.complaints(node.overview())
    assert complaint.startswith("commitment_failed: pacs took an object")
    assert "offers no storage commitment" in complaint


def test_an_archive_that_is_down_is_asked_when_it_is_up_again(
    node: Node, destination: Destination
) -> None:
    archive = Archive(Manner.ON_THE_SAME_ASSOCIATION, node.peer)
    with running(archive, destination):
        graded(node)
    ask(node)
    down = of(node)
    with node.database.reading.begin() as session:
        kept_of_it = session.query(CommitmentQuestionRow).count()

    with running(archive, destination):
        with node.database.sessions.begin() as session:
            pass_time(session, 2 * FIRST_RETRY_SECONDS)
        ask_and_listen(node)
        wait_for(node, committed=2)

    assert (down.waiting, down.failed) == (2, 0)
    assert kept_of_it == 0


def test_another_ae_may_answer_for_a_destination(
    node: Node, destination: Destination
) -> None:
    with small_pacs(destination.ae_title, destination.port):
        graded(node)
    # The store is closed; the archive beside it listens on the port that is asked.
    answering = msgspec.structs.replace(destination, ae_title="ARCHIVE")
    asked = msgspec.structs.replace(
        destination,
        port=1,
        commitment_ae_title="ARCHIVE",
        commitment_port=destination.port,
    )

    with running(Archive(Manner.ON_ITS_OWN, node.peer), answering):
        node.committer.ask_due(asked)
        wait_for(node, committed=2)


@pytest.mark.parametrize("role", [None, (True, False)], ids=["no role", "as a user"])
def test_the_node_keeps_nothing_for_others_and_says_so(
    node: Node, role: tuple[bool, bool] | None
) -> None:
    ae = CallingAE(ae_title="SCANNER")
    ae.add_requested_context(SOP_CLASS_UID)

    assoc = ae.associate(
        node.peer.host,
        node.peer.port,
        ae_title=node.peer.ae_title,
        ext_neg=None if role is None else [build_role(SOP_CLASS_UID, *role)],
    )

    assert [context.abstract_syntax for context in assoc.rejected_contexts] == [
        SOP_CLASS_UID
    ]
    assoc.abort()


def said(node: Node, report: Dataset, event_type: int) -> int:
    """Report something, as a provider, and return the status it is taken with."""
    ae = CallingAE(ae_title="PACS")
    ae.add_requested_context(SOP_CLASS_UID)
    role = build_role(SOP_CLASS_UID, scp_role=True)
    assoc = ae.associate(
        node.peer.host, node.peer.port, ae_title=node.peer.ae_title, ext_neg=[role]
    )
    answer, _ = assoc.send_n_event_report(
        report, event_type, SOP_CLASS_UID, SOP_INSTANCE_UID
    )
    assoc.release()
    return int(answer.Status)


def test_reports_that_mean_nothing_are_refused_and_change_nothing(node: Node) -> None:
    forged, unnamed = Dataset(), Dataset()
    forged.TransactionUID = "2.25.1"
    unnamed.RetrieveAETitle = "PACS"

    assert said(node, forged, 1) == commitment.INVALID_ARGUMENT_VALUE
    assert said(node, unnamed, 2) == commitment.INVALID_ARGUMENT_VALUE
    assert said(node, forged, 7) == commitment.NO_SUCH_EVENT_TYPE
    assert node.overview().commitments == ()


def test_orthanc_commits_on_an_association_of_its_own(
    node: Node, destination: Destination, orthanc: Orthanc
) -> None:
    modality = {
        "AET": node.peer.ae_title,
        "Host": node.peer.host,
        "Port": node.peer.port,
        "AllowStorageCommitment": True,
    }
    url = f"http://127.0.0.1:{orthanc.http_port}/modalities/node"
    body = json.dumps(modality).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")):
        graded(node)

    ask(node)

    wait_for(node, committed=2)
