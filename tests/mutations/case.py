"""One mutated file through the node and through ``grade``: what happened to it."""

from __future__ import annotations

import contextlib
import io
import math
import os
import random
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import Dataset

from dicom_node.completeness import Settler
from dicom_node.indexer import Indexer, Reader
from storage.alarms import open_alarms
from storage.database import Database, migrate, open_database
from storage.files import Files
from storage.receipts import Receipt, add_receipt
from storage.states import Root
from tests.dicom_factories import as_received, mr_image
from tests.mutations.mutate import (
    COMPRESSED,
    encoded,
    in_encoding,
    mutated,
    of_study,
    sound,
)

SOUND_BESIDE = (1, 3, 4)
"""Instance numbers of the sound images that come with the mutated one."""
MAX_CPU_SECONDS = 5.0
"""Of one case: more is a hang. Not by the wall clock, because machines are busy."""
PATIENCE_SECONDS = 60.0
BROKEN = ("took more than", "killed the reading process", "cannot be judged")
"""In the sentences of alarms: a hang, a crash, a header that nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case."""

    number: int
    mutation: str
    complaints: tuple[str, ...]
    """What must not happen; empty where all is well."""


@dataclass(frozen=True)
class Bench:
    """A node without a network, and a way to grade a folder."""

    scratch: Path
    database: Database
    files: Files
    reader: Reader
    grade: Callable[[Path, Path], str]
    """Grades a folder into another; returns a complaint, or nothing."""
    _seen: set[int] = field(default_factory=set, init=False)

    def run(self, seed: int, number: int) -> Outcome:
        """Make a case by its number, and see what becomes of it."""
        rng = random.Random(f"{seed}/{number}")
        study = f"2.25.{number + 10_000}"
        name, content = mutated(rng, sound(rng, study))
        return Outcome(number, name, tuple(self._take([content, *beside(study)])))

    def warm_up(self) -> None:
        """Take a sound study in each encoding, whatever that costs.

        Raises
        ------
        AssertionError
            A sound study is complained of: no case would mean anything.
        """
        for number, syntax in enumerate((None, *COMPRESSED), start=1):
            study = f"2.25.{number}"
            first = in_encoding(of_study(mr_image(2), study), syntax)
            complaints = self._take([encoded(first), *beside(study)], math.inf)
            if complaints:
                raise AssertionError(f"a sound study: {'; '.join(complaints)}")

    def _take(
        self, files: Sequence[bytes], cpu_seconds: float = MAX_CPU_SECONDS
    ) -> list[str]:
        """Take a study through node and ``grade``; return what must not happen."""
        began = self._computed()
        with self._nothing_left_over() as complaints:
            complaints += self._through_the_node(files)
            complaints += self._through_grade(files)
        spent = self._computed() - began
        if spent > cpu_seconds:
            complaints.append(f"it took {spent:.1f} s of computing")
        return complaints

    def _computed(self) -> float:
        """Return the processor seconds of this process and the one that reads.

        One that is replaced takes its time with it, and an alarm tells of that.
        """
        reading = self.reader.child.process_id
        return time.process_time() + (cpu_seconds_of(reading) if reading else 0)

    def _through_the_node(self, files: Sequence[bytes]) -> list[str]:
        for file in files:
            self._receive(file)
        indexer = Indexer(self.database, self.files, self.reader)
        while indexer.index_waiting():
            pass
        Settler(
            self.database, self.files, quiet_seconds=0, reader=self.reader
        ).settle_quiet()
        return self._new_alarms()

    def _new_alarms(self) -> list[str]:
        """Return the alarms that say that something hung or broke."""
        with self.database.reading.begin() as session:
            alarms = [it for it in open_alarms(session) if it.id not in self._seen]
        self._seen.update(alarm.id for alarm in alarms)
        return [
            f"{alarm.kind}: {alarm.sentence}"
            for alarm in alarms
            if any(words in alarm.sentence for words in BROKEN)
        ]

    def _receive(self, content: bytes) -> None:
        stored = self.files.write_received([content])
        with self.database.sessions.begin() as session:
            add_receipt(session, replace(RECEIPT, id=uuid.uuid4().hex, file=stored))

    def _through_grade(self, files: Sequence[bytes]) -> list[str]:
        folder = self.scratch / "folder"
        folder.mkdir()
        for number, file in enumerate(files):
            (folder / f"{number}.dcm").write_bytes(file)
        out = self.scratch / "out"
        complaint = self.grade(folder, out)
        shutil.rmtree(folder)
        shutil.rmtree(out, ignore_errors=True)
        return [f"grade: {complaint}"] if complaint else []

    @contextmanager
    def _nothing_left_over(self) -> Iterator[list[str]]:
        """Complain of files in wrong places, threads and descriptors that stay."""
        complaints: list[str] = []
        threads, descriptors = threading.active_count(), open_descriptors()
        yield complaints
        allowed = {self.files.data_directory / root.value for root in Root}
        strays = [
            path
            for path in self.scratch.rglob("*")
            if path.is_file()
            and not any(path.is_relative_to(folder) for folder in allowed)
            and not path.name.startswith("node.sqlite")
        ]
        complaints += [f"left behind: {path.name}" for path in strays]
        if threading.active_count() > threads:
            complaints.append("a thread was left over")
        # The first case starts the reading child, and opens the database.
        if open_descriptors() > max(descriptors, ENOUGH_DESCRIPTORS):
            complaints.append("a descriptor was left over")


ENOUGH_DESCRIPTORS = 60


def cpu_seconds_of(process: int) -> float:
    """Return what a process has computed, from its /proc/PID/stat."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    _, _, rest = stat.rpartition(")")  # its name may hold anything
    user, system = rest.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def open_descriptors() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


RECEIPT = Receipt(
    id="",
    received_at=datetime(2026, 3, 2, tzinfo=UTC),
    association="192.0.2.7:50123",
    calling_ae_title="SCANNER",
    peer_address="192.0.2.7",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
    sop_instance_uid="2.25.1",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    file=None,  # type: ignore[arg-type]  # every case brings its own
)


def beside(study: str) -> list[bytes]:
    """Return the sound images of a study: enough to be graded without the other."""
    return [encoded(_sound_image(study, number)) for number in SOUND_BESIDE]


def _sound_image(study: str, number: int) -> Dataset:
    return as_received(of_study(mr_image(number), study))


@contextmanager
def bench(scratch: Path, grade: Callable[[Path, Path], str]) -> Iterator[Bench]:
    """Prepare a node in an empty folder."""
    url = f"sqlite:///{scratch / 'node.sqlite'}"
    migrate(url)
    with (
        closing(open_database(url)) as database,
        closing(Reader(timeout_seconds=PATIENCE_SECONDS)) as reader,
    ):
        yield Bench(scratch, database, Files(scratch / "data"), reader, grade)


def quietly(run: Callable[[], int]) -> str:
    """Run a command; return what is wrong where it ends otherwise than it may."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            status = run()
        # Whatever comes out of it is what this is looking for.
        except BaseException as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
    return "" if status in (0, 1) else f"ended with status {status}"
