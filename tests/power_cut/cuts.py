"""Record the node at work, cut the record, and look at what is left."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dicom_node.sender import Peer
from storage.database import check_schema, open_database
from storage.errors import StorageError
from storage.files import Files
from storage.tables import ObjectRow
from tests.end_to_end.kills import accounts, traffic
from tests.end_to_end.kills.pacs import counting_pacs
from tests.end_to_end.kills.processes import forking
from tests.end_to_end.processes import CONFIG
from tests.ports import free_port
from tests.power_cut import recording, replay
from tests.power_cut.recording import MARKS, Acknowledged, Operation

MOUNTED_WITHIN_SECONDS = 20.0
PATIENCE_SECONDS = 180.0
PACS_TITLE = "PACS"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the node did to its files, and what its senders had sent."""

    operations: Sequence[Operation]
    sent: dict[str, bytes]
    """Encoded datasets by SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: after how many operations, and what it broke."""

    after: int
    acknowledged: int
    broken: list[str]


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount the recording file system below a folder, and give where.

    The record is ``folder/record``, complete when the block has ended.
    """
    mount, kept = folder / "mount", folder / "kept"
    mount.mkdir()
    kept.mkdir()
    command = [sys.executable, "-m", "tests.power_cut.recorder"]
    server = subprocess.Popen([*command, mount, kept, folder / "record"])
    deadline = time.monotonic() + MOUNTED_WITHIN_SECONDS
    while not mount.is_mount():
        if server.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"no recording file system at {mount}: is FUSE there?")
        time.sleep(0.05)
    try:
        yield mount
    finally:
        try:
            subprocess.run(["fusermount3", "-u", mount], check=True)
        finally:
            # Another mount namespace may have a copy of the mount, and keep it alive.
            server.terminate()
            server.wait()


def record(seed: int, images: int, folder: Path) -> Recorded:
    """Run receiver and worker until so many images are acknowledged."""
    pacs_port, node_port = free_port(), free_port()
    with (
        mounted(folder) as mount,
        counting_pacs(PACS_TITLE, pacs_port) as pacs,
    ):
        _prepare(folder, mount, node_port, pacs_port)
        peer = Peer("LUMBARNODE", "127.0.0.1", node_port)
        sending = traffic.Traffic(peer, pacs, seed)
        with _told(mount, sending):
            _work(folder, sending, images)
    sent = {image.sop_instance_uid: image.encoded for image in sending.acknowledged}
    return Recorded(recording.read(folder / "record"), sent)


@contextmanager
def _told(mount: Path, sending: traffic.Traffic) -> Iterator[None]:
    """Have each acknowledgement written into the record when it is read."""
    marks = os.open(f"{mount}{MARKS}", os.O_WRONLY)
    sending.told = lambda image: os.write(marks, f"{image.sop_instance_uid}\n".encode())
    try:
        yield
    finally:
        os.close(marks)


def _work(folder: Path, sending: traffic.Traffic, images: int) -> None:
    with forking(folder) as starter:
        starter.start("migrate").wait()
        receiver, worker = starter.start("receive"), starter.start("work")
        sending.start()
        try:
            _wait(lambda: len(sending.acknowledged) >= images // 2)
            # Closing well makes SQLite empty its write-ahead log and remove it.
            receiver.terminate()
            receiver = starter.start("receive")
            _wait(lambda: len(sending.acknowledged) >= images)
            _wait(lambda: bool(sending.pacs.stored))
        finally:
            sending.stop(PATIENCE_SECONDS)
            receiver.kill()
            worker.kill()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the node does nothing; see its logs")
        time.sleep(0.02)


def _prepare(folder: Path, mount: Path, node_port: int, pacs_port: int) -> None:
    destinations = (
        f'[[destinations]]\nname = "pacs"\nae_title = "{PACS_TITLE}"\n'
        f'host = "127.0.0.1"\nport = {pacs_port}\n'
    )
    text = CONFIG.format(
        port=node_port,
        folder=mount,
        url=f"sqlite:///{mount}/data/node.sqlite",
        quiet_seconds=0.5,
        destinations=destinations,
    )
    (folder / "config.toml").write_text(text)


def cut(
    recorded: Recorded,
    chance: random.Random,
    vouches: replay.Vouches = lambda _: True,
) -> Cut:
    """Cut the power at a random point and look at what is left."""
    after = _where(recorded.operations, chance)
    before = recorded.operations[:after]
    acknowledged = [
        traffic.Acknowledged(uid, recorded.sent[uid])
        for uid in (
            done.sop_instance_uid for done in before if isinstance(done, Acknowledged)
        )
    ]
    with tempfile.TemporaryDirectory(prefix="power-cut-") as folder:
        replay.materialise(before, Path(folder), chance, vouches)
        broken = list(_broken(Path(folder) / "data", acknowledged))
    return Cut(after, len(acknowledged), broken)


def _where(operations: Sequence[Operation], chance: random.Random) -> int:
    """Choose anywhere after the first acknowledgement, or just after any of them."""
    told = [at for at, done in enumerate(operations) if isinstance(done, Acknowledged)]
    if chance.random() < 1 / 2:
        return chance.choice(told) + 1
    return chance.randint(told[0] + 1, len(operations))


def _broken(data: Path, acknowledged: Sequence[traffic.Acknowledged]) -> Iterator[str]:
    files = Files(data)
    with closing(open_database(f"sqlite:///{data}/node.sqlite")) as database:
        try:
            check_schema(database)
            with database.reading.begin() as session:
                said = session.scalar(sa.text("PRAGMA integrity_check"))
                if said != "ok":
                    yield f"the database is damaged: {said}"
                yield from accounts.missing_instances(session, files, acknowledged)
                made = session.scalars(sa.select(ObjectRow)).all()
        except (StorageError, sa.exc.SQLAlchemyError) as error:
            yield f"the database does not open: {type(error).__name__}: {error}"
            return
    yield from (wrong for row in made if (wrong := _lost_object(files, row)))
    identity = data / "installation-id"
    if made and (not identity.exists() or len(identity.read_text()) != 32):
        yield "the installation's serial number is lost, and objects name it"


def _lost_object(files: Files, row: ObjectRow) -> str | None:
    """An object of ours has a row, so its file must have been durable before."""
    try:
        content = files.read(row.root, row.key)
    except FileNotFoundError:
        return f"{row.sop_instance_uid}: its file {row.key} is gone"
    if hashlib.sha256(content).hexdigest() != row.sha256:
        return f"{row.sop_instance_uid}: its file {row.key} is damaged"
    return None
