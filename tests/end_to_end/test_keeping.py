"""A node that runs for years: room, privacy, backups, and mistakes of set-up."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydicom import Dataset

from dicom_node.audit.messages import AuditSource
from dicom_node.audit.sinks import FileSink
from dicom_node.audit.trail import Trail, silent
from dicom_node.clockwatch import ClockWatch
from dicom_node.config import Destination
from dicom_node.demo_pacs import small_pacs
from dicom_node.housekeeping import Housekeeper, Rules, log_room
from dicom_node.receiver import OUT_OF_RESOURCES_FILE, SUCCESS
from storage import patients
from storage.backup import SQLITE_NAME
from storage.database import open_database
from storage.errors import ImagesRemoved, StorageError
from storage.installation import occupied
from storage.retention import require_images
from storage.space import SpaceGate, Watermarks
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node, running_node
from tests.end_to_end.processes import NodeProcesses, node_processes
from tests.end_to_end.scanner import send
from tests.fakes import SameEverywhere
from tests.peers import StoppableServer
from tests.privacy import EAR
from tests.storage.builders import pass_time

KILOBYTE = 1 << 10
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "0"))
"""How long the database is away; `OUTAGE_SECONDS=60` is the long form."""
STRANGER = 'allowed_calling_ae_titles = ["SCANNER"]\n'


def images(count: int) -> list[Dataset]:
    return [as_received(ds) for ds in mr_series(count)]


def test_a_disk_that_fills_is_refused_before_it_is_full_and_taken_again_by_itself(
    sqlite_database_url: str, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    marks = Watermarks(500 * KILOBYTE, 700 * KILOBYTE)
    gate = SpaceGate((small_disk,), marks, log_room, seconds=lambda: now[0])
    filler = small_disk / "filler"
    filler.write_bytes(bytes(400 * KILOBYTE))
    with running_node(
        sqlite_database_url, small_disk / "node", SameEverywhere(), space=gate
    ) as node:
        filling = send(node.peer, images(60))
        said = caplog.text
        filler.unlink()
        now[0] += 60
        afterwards = send(node.peer, images(1))

    taken = filling.count(SUCCESS)
    assert filling == [SUCCESS] * taken + [OUT_OF_RESOURCES_FILE] * (60 - taken)
    assert 5 < taken < 30
    assert said.count("images are refused with status 0xA700 from now on") == 1
    assert "No space left" not in said
    assert afterwards == [SUCCESS]
    assert "images are taken again" in caplog.text


@pytest.fixture
def receiving(sqlite_database_url: str, tmp_path: Path) -> Iterator[NodeProcesses]:
    folder = tmp_path / "node"
    with node_processes(folder, sqlite_database_url) as processes:
        text = processes.config.read_text()
        marked = text.replace("[receiver]\n", f"[receiver]\n{STRANGER}")
        processes.config.write_text(marked)
        file = Path(sqlite_database_url.removeprefix("sqlite:///"))
        file.chmod(0o644)  # as a copy that was restored by hand
        processes.start("receive")
        yield processes


def test_what_a_running_node_writes_is_its_own_and_its_trail_names_no_patient(
    receiving: NodeProcesses, tmp_path: Path
) -> None:
    statuses = send(receiving.peer, images(3))
    refused = send(receiving.peer, images(1), calling_ae_title="STRANGER")
    data = receiving.folder / "data"
    databases = [*tmp_path.glob("node.sqlite*")]
    written = [data, *data.rglob("*"), *databases]
    loose = {it: oct(it.stat().st_mode) for it in written if it.stat().st_mode & 0o077}
    process = receiving.running[0]
    process.terminate()
    status = process.wait(60)
    trail = (data / "audit-receive.xml").read_text().splitlines()

    assert (statuses, refused, status) == ([SUCCESS] * 3, [], 0)
    assert {it.name for it in databases} >= {"node.sqlite", "node.sqlite-wal"}
    assert loose == {}
    assert "others could read" in receiving.logs()
    messages = [ET.fromstring(line) for line in trail]  # noqa: S314
    types = [it[0][1].attrib["csd-code"] for it in messages]
    assert types == ["110120", "110126", "110121"]
    assert "Anna" not in "".join(trail)


def test_a_second_node_is_refused_with_a_status_that_nobody_tries_again(
    receiving: NodeProcesses,
) -> None:
    text = receiving.config.read_text()
    elsewhere = text.replace(f"port = {receiving.port}", "port = 1")
    receiving.config.write_text(elsewhere)  # the first one has read it already

    second = receiving.run("receive")

    assert second.returncode == 78
    assert "another `lumbar-node receive` works in" in second.stderr


def test_a_node_is_backed_up_while_it_receives_and_restored_elsewhere(
    receiving: NodeProcesses, tmp_path: Path
) -> None:
    send(receiving.peer, images(4))
    backup, restored = tmp_path / "backup", tmp_path / "restored"

    backed_up = receiving.run_here("backup", str(backup))
    send(receiving.peer, images(2))
    shutil.copytree(backup, restored)  # as docs/operations.md says

    assert backed_up.returncode == 0
    url = f"sqlite:///{restored / SQLITE_NAME}"
    with (
        closing(open_database(url)) as database,
        occupied(database, restored, alone_as="receive"),
    ):
        pass
    with running_node(url, restored, SameEverywhere()) as node:
        send(node.peer, images(4))
        node.work()
        seen = node.overview()
    assert (seen.receipts.indexed, seen.jobs.done) == (8, 1)
    modes = {stat.S_IMODE(it.stat().st_mode) for it in restored.rglob("*.dcm")}
    assert modes == {0o600}


def remove_now(node: Node) -> None:
    """Let a finished study's time be over, and its files go."""
    with node.database.sessions.begin() as session:
        pass_time(session, 2 * 86400)
    rules = Rules(Watermarks(0, 1), timedelta(days=1), None, 300.0)
    house = Housekeeper(node.database, node.files, (), rules, silent())
    house.remove_files()


def received_files(node: Node) -> int:
    return len(list((node.files.data_directory / "received").rglob("*.dcm")))


@pytest.fixture
def removed(sqlite_database_url: str, tmp_path: Path) -> Iterator[Node]:
    """A node that has graded a study of four images and removed them since."""
    with running_node(
        sqlite_database_url, tmp_path / "removed", SameEverywhere()
    ) as node:
        send(node.peer, images(4))
        node.work()
        remove_now(node)
        assert received_files(node) == 0
        yield node


def test_images_that_were_removed_and_come_again_are_graded_only_when_asked(
    removed: Node,
) -> None:
    with (
        removed.database.reading.begin() as session,
        pytest.raises(ImagesRemoved, match="send the study again"),
    ):
        require_images(session, STUDY_UID)

    send(removed.peer, images(4))
    removed.work()

    assert removed.overview().jobs.done == 1
    assert received_files(removed) == 4
    with removed.database.reading.begin() as session:
        require_images(session, STUDY_UID)


def test_a_late_image_of_a_removed_study_asks_for_the_whole_study(
    removed: Node,
) -> None:
    send(removed.peer, images(5)[4:])
    removed.work()
    held = removed.overview()

    send(removed.peer, images(5))
    release(removed)
    removed.work()

    assert held.studies.held == 1
    assert "Have the PACS send the whole study again" in held.alarms[0].sentence
    assert removed.overview().jobs.done == 2
    assert removed.overview().alarms == ()


def test_the_whole_study_sent_again_with_a_late_image_needs_nobody(
    removed: Node,
) -> None:
    send(removed.peer, images(5))
    removed.work()

    assert removed.overview().jobs.done == 2
    assert removed.overview().alarms == ()


def release(node: Node) -> None:
    with node.database.sessions.begin() as session:
        patients.release(session, STUDY_UID)


def test_nothing_is_settled_while_the_clock_cannot_be_trusted(removed: Node) -> None:
    passed = [0.0]
    watch = ClockWatch(60.0, seconds=lambda: passed[0])
    settler = replace(removed.settler, watch=watch)
    settler.settle_quiet()
    send(removed.peer, images(5))
    removed.indexer.index_waiting()

    passed[0] -= 3600  # the same as a wall clock that goes an hour ahead
    jumped = settler.settle_quiet()
    passed[0] += 60
    afterwards = settler.settle_quiet()

    assert (jumped, afterwards) == (0, 1)


def test_what_was_received_graded_and_sent_stands_in_the_trail(
    sqlite_database_url: str, tmp_path: Path, destination: Destination
) -> None:
    file = tmp_path / "audit.xml"
    source = AuditSource("LUMBARNODE", 1, "node", "lumbar-1")
    trail = Trail(source, FileSink(file, 1 << 20, 2))
    with (
        running_node(
            sqlite_database_url, tmp_path / "node", SameEverywhere(), (destination,)
        ) as node,
        small_pacs(destination.ae_title, destination.port),
    ):
        heard = replace(
            node,
            indexer=replace(node.indexer, trail=trail),
            worker=replace(node.worker, trail=trail),
            deliverer=replace(node.deliverer, trail=trail),
        )
        send(node.peer, images(4))
        heard.work()
    trail.stopped()

    text = file.read_text()
    lines = [ET.fromstring(line) for line in text.splitlines()]  # noqa: S314
    said = [(it[0][0].attrib["csd-code"], actor(it)) for it in lines]
    assert said == [
        ("110104", "AETITLES=SCANNER"),
        ("110103", "AETITLES=LUMBARNODE"),
        ("110104", "AETITLES=LUMBARNODE"),
        ("110104", "AETITLES=LUMBARNODE"),
        ("110100", "AETITLES=LUMBARNODE"),
    ]
    assert 'NumberOfInstances="4"' in text
    assert STUDY_UID in text
    EAR.hear("the audit trail", text)


def actor(message: ET.Element) -> str:
    """Return who acted: the first participant that is named."""
    return message[1].attrib["AlternativeUserID"]


def test_postgresql_that_is_stopped_for_a_while_costs_nothing(
    stoppable_postgresql: StoppableServer, tmp_path: Path
) -> None:
    with running_node(
        stoppable_postgresql.url, tmp_path / "node", SameEverywhere()
    ) as node:
        before = send(node.peer, images(3))
        stoppable_postgresql.stop()
        back_at = time.monotonic() + OUTAGE_SECONDS
        refused = send(node.peer, images(4)[3:])
        while time.monotonic() < back_at:
            time.sleep(1)
            refused += send(node.peer, images(4)[3:])
        with pytest.raises(StorageError, match="the database refuses"):
            node.indexer.index_waiting()
        stoppable_postgresql.start()
        again = send(node.peer, images(4)[3:])
        node.work()

        assert (before, again) == ([0x0000] * 3, [0x0000])
        assert set(refused) == {0xA701}
        assert node.overview().jobs.done == 1
        assert received_files(node) == 4
