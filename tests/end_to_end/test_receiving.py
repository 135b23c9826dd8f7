"""What the receiver keeps, what it refuses, and what it says."""

from __future__ import annotations

import contextlib
import logging
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from sqlalchemy.orm import Session

from dicom_node.admission import AllowList
from dicom_node.errors import PeerUnreachable
from dicom_node.sender import Peer, echo
from storage.errors import StudyUnknown
from storage.files import Root
from storage.instances import InstanceFile, study_instances
from storage.receipts import unindexed_receipts
from storage.states import Role
from storage.studies import held_studies, verdicts
from tests.dicom_factories import as_received, mr_image, mr_series
from tests.end_to_end.node import Node, running_node
from tests.end_to_end.scanner import encoded_dataset, send, send_file, send_raw
from tests.fakes import SameEverywhere
from tests.peers import require_peer
from tests.shared_data import shared_data

TRANSFER_SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)


@pytest.fixture
def quiet_node(sqlite_database_url: str, tmp_path: Path) -> Iterator[Node]:
    """A node on SQLite that sends nowhere."""
    with running_node(
        sqlite_database_url, tmp_path / "quiet", SameEverywhere()
    ) as running:
        yield running


def kept(node: Node) -> list[bytes]:
    with node.database.reading.begin() as session:
        receipts = unindexed_receipts(session, 1000)
    return [node.files.read(it.file.root, it.file.key) for it in receipts]


def test_the_node_answers_c_echo(quiet_node: Node) -> None:
    echo("ANYBODY", quiet_node.peer)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda uid: uid.name)
def test_every_transfer_syntax_is_kept_exactly_as_received(
    node: Node, syntax: UID
) -> None:
    sent = in_syntax(mr_image(), syntax)

    statuses = send(node.peer, [sent])

    assert statuses == [0x0000]
    original = BytesIO()
    sent.save_as(original, enforce_file_format=True)
    (file,) = kept(node)
    assert encoded_dataset(file) == encoded_dataset(original.getvalue())
    assert pydicom.dcmread(BytesIO(file)).file_meta.TransferSyntaxUID == syntax


def in_syntax(ds: Dataset, syntax: UID) -> Dataset:
    received = as_received(ds)
    if syntax.is_compressed:
        received.compress(syntax, generate_instance_uid=False)
        return received
    received.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    pydicom.dcmwrite(
        buffer,
        received,
        little_endian=syntax.is_little_endian,
        implicit_vr=syntax.is_implicit_VR,
    )
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


def test_all_that_several_associations_send_at_once_is_kept(node: Node) -> None:
    series = [
        [as_received(ds) for ds in mr_series(4, f"2.25.{sender}")]
        for sender in range(4)
    ]

    with ThreadPoolExecutor(len(series)) as senders:
        statuses = list(senders.map(partial(send, node.peer), series))

    assert statuses == [[0x0000] * 4] * 4
    received = {str(pydicom.dcmread(BytesIO(it)).SOPInstanceUID) for it in kept(node)}
    assert received == {str(ds.SOPInstanceUID) for one in series for ds in one}
    assert len(files_below(node.files.data_directory / "received")) == 16


def test_a_private_sop_class_is_kept_too(quiet_node: Node) -> None:
    private = as_received(mr_image())
    private.SOPClassUID = private.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4.5.6")

    assert send(quiet_node.peer, [private]) == [0x0000]
    assert len(kept(quiet_node)) == 1


def test_every_encoding_that_is_in_use_is_kept_and_used_or_has_its_reason(
    quiet_node: Node,
) -> None:
    files = sorted(shared_data("mr-encodings").rglob("*.dcm"))

    statuses = [send_file(quiet_node.peer, path) for path in files]
    received = {encoded_dataset(file) for file in kept(quiet_node)}
    while quiet_node.indexer.index_waiting():
        pass

    assert statuses == [0x0000] * len(files)
    assert received == {encoded_dataset(path.read_bytes()) for path in files}
    counts = quiet_node.overview().receipts
    assert counts.received == 0
    assert counts.indexed + counts.quarantined == len(files)
    assert without_a_reason(quiet_node, files) == []


def without_a_reason(node: Node, files: Sequence[Path]) -> list[str]:
    """Settle all studies; return the instances that are not used and nobody says why.

    A series says why in its verdict, a study of two patients in that it is held; what
    is no scanner's image is filed as such.
    """
    node.settler.settle_quiet()
    datasets = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    with node.database.reading.begin() as session:
        held = {it.study_instance_uid for it in held_studies(session)}
        studied = {str(ds.get("StudyInstanceUID", "")) for ds in datasets}
        found = {uid: indexed(session, uid) for uid in studied - {""}}
        said = {uid: verdicts(session, uid) for uid in found}
    explained = {
        verdict.series_instance_uid
        for of_study in said.values()
        for verdict in of_study
        if verdict.reason
    }
    return [
        f"{uid}: {instance.sop_instance_uid}"
        for uid, members in found.items()
        for instance in members
        if instance.role is Role.IMAGE
        and instance.series_instance_uid not in explained
        and uid not in held
    ]


def indexed(session: Session, study_instance_uid: str) -> list[InstanceFile]:
    """Return a study's instances; none where all of it was quarantined."""
    try:
        return study_instances(session, study_instance_uid)
    except StudyUnknown:
        return []


ANY_TEXT = pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
"""pydicom warns in pynetdicom's threads of the text that these tests send."""


@ANY_TEXT
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(uid=st.text(st.characters(codec="ascii"), min_size=1, max_size=64))
def test_no_uid_from_the_wire_becomes_a_path(quiet_node: Node, uid: str) -> None:
    before = files_below(quiet_node.files.data_directory.parent)

    send_with_uid(quiet_node, uid)

    new = files_below(quiet_node.files.data_directory.parent) - before
    received = quiet_node.files.data_directory / Root.RECEIVED.value
    assert all(path.is_relative_to(received) for path in new if path.suffix == ".dcm")


@ANY_TEXT
def test_a_uid_that_climbs_out_of_the_folder_stays_in_it(quiet_node: Node) -> None:
    send_with_uid(quiet_node, "1.2.3/../../../escaped")

    assert len(kept(quiet_node)) == 1
    assert not list(quiet_node.files.data_directory.parent.rglob("escaped*"))


def send_with_uid(node: Node, uid: str) -> None:
    """Send a C-STORE-RQ whose command set holds any text as instance UID."""
    send_raw(node.peer, encoded(as_received(mr_image())), uid)


def encoded(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return encoded_dataset(buffer.getvalue())


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_title_that_is_not_on_the_list_is_refused_and_the_log_says_what_came(
    sqlite_database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = AllowList.of(("SCANNER1",), ("127.0.0.0/8",))
    with running_node(
        sqlite_database_url, tmp_path, SameEverywhere(), allow_list=known
    ) as node:
        refused = send(node.peer, [as_received(mr_image())], "STRANGER")
        taken = send(node.peer, [as_received(mr_image())], "SCANNER1")

    assert (refused, taken) == ([], [0x0000])
    assert "'STRANGER' is not one of: SCANNER1" in caplog.text


def test_an_address_that_is_not_on_the_list_is_refused(
    sqlite_database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = AllowList.of(("SCANNER1",), ("192.0.2.0/24",))
    with running_node(
        sqlite_database_url, tmp_path, SameEverywhere(), allow_list=known
    ) as node:
        refused = send(node.peer, [as_received(mr_image())], "SCANNER1")

    assert refused == []
    assert "address 127.0.0.1 is not in: 192.0.2.0/24" in caplog.text


def test_a_wrong_called_title_is_refused_and_the_log_names_both(
    quiet_node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    peer = Peer("SOMEBODY", quiet_node.peer.host, quiet_node.peer.port)

    with pytest.raises(PeerUnreachable, match="rejected"):
        echo("SCANNER", peer)

    assert "called AE title 'SOMEBODY', but ours is 'LUMBARNODE'" in caplog.text


def test_a_dcmtk_sender_is_served(quiet_node: Node, tmp_path: Path) -> None:
    (storescu,) = require_peer("dcmtk", "storescu")
    path = tmp_path / "image.dcm"
    as_received(mr_image()).save_as(path)
    port = str(quiet_node.peer.port)

    done = subprocess.run(
        [storescu, "-aec", quiet_node.peer.ae_title, "127.0.0.1", port, path],
        check=False,
    )

    assert done.returncode == 0
    assert len(kept(quiet_node)) == 1


def test_a_full_disk_is_refused_and_taken_again_when_there_is_room(
    sqlite_database_url: str,
    small_disk: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    filler = small_disk / "filler"
    with running_node(sqlite_database_url, small_disk, SameEverywhere()) as node:
        fill(filler)
        before = files_below(small_disk)
        refused = send(node.peer, [as_received(mr_image())])
        left = files_below(small_disk) - before
        filler.unlink()
        taken = send(node.peer, [as_received(mr_image())])

    assert (refused, taken) == ([0xA700], [0x0000])
    assert left == set()
    assert "No space left on device" in caplog.text


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1024)):
            pass


def test_an_image_whose_receipt_cannot_be_written_is_refused_and_not_kept(
    quiet_node: Node,
) -> None:
    with quiet_node.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE receipts RENAME TO receipts_away")

    statuses = send(quiet_node.peer, [as_received(mr_image())])

    with quiet_node.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE receipts_away RENAME TO receipts")
    assert statuses == [0xA701]
    assert not list(quiet_node.files.data_directory.rglob("*.dcm"))


def test_a_deflated_object_is_kept_as_it_came(quiet_node: Node) -> None:
    deflated = as_received(mr_image())
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    assert send(quiet_node.peer, [deflated]) == [0x0000]
