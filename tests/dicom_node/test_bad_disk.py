"""A disk that fails for a while costs nothing; one bad file keeps nothing waiting."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pytest

from dicom_node.audit.trail import Trail, silent
from dicom_node.completeness import Settler
from dicom_node.indexer import Indexer
from dicom_node.patience import Patience
from dicom_node.reading import Reader, header_of, images_of
from grading.headers import ImageHeader
from storage.database import Database, open_database
from storage.files import Files
from storage.installation import ID_NAME, installation_id
from storage.instances import InstanceHeader, study_instances
from storage.overview import Overview, overview
from storage.receipts import add_receipt
from storage.states import AlarmKind
from tests.dicom_factories import STUDY_UID, as_received, mr_image
from tests.storage.builders import receipt

EIO = OSError(errno.EIO, "Input/output error")
STALLED = TimeoutError(errno.ETIMEDOUT, "the disk does not answer")
AN_HOUR_SECONDS = 3600


class OnThisDisk(Reader):
    """Reads in this process, from a disk of which some files cannot be got at."""

    def __init__(self) -> None:
        super().__init__(timeout_seconds=1)
        self.broken: dict[Path, Exception] = {}
        self.all_broken: Exception | None = None

    def read(self, path: Path) -> InstanceHeader:
        return header_of(self._content(path))

    def images(self, path: Path) -> tuple[ImageHeader, ...]:
        return images_of(self._content(path))

    def _content(self, path: Path) -> bytes:
        error = self.all_broken or self.broken.get(path)
        if error:
            raise error
        return path.read_bytes()


@dataclass
class Bench:
    """A node that indexes and settles when told to, by a clock of its own."""

    database: Database
    files: Files
    reader: OnThisDisk
    seconds: float = 0.0
    indexer: Indexer = field(init=False)
    settler: Settler = field(init=False)

    def __post_init__(self) -> None:
        self.indexer = Indexer(
            self.database, self.files, self.reader, patience=self._patience()
        )
        self.settler = Settler(
            self.database, self.files, 0, reader=self.reader, patience=self._patience()
        )

    def _patience(self) -> Patience:
        return Patience(lambda: self.seconds)

    def receive(self, number: int, echo_time_ms: int = 95) -> Path:
        """Receive one image; return where its file lies."""
        ds = mr_image(number)
        ds.EchoTime = echo_time_ms
        content = BytesIO()
        as_received(ds).save_as(content)
        stored = self.files.write_received([content.getvalue()])
        with self.database.sessions.begin() as session:
            received = receipt(ds.SOPInstanceUID)
            add_receipt(session, replace(received, id=uuid.uuid4().hex, file=stored))
        return self.files.path(stored.root, stored.key)

    def index_for(self, seconds: int, *, arriving: bool = False) -> None:
        """Tick every ten seconds; with ``arriving``, an image comes at every tick."""
        for passed in range(0, seconds, 10):
            if arriving:
                self.receive(1000 + passed)
            self.indexer.index_waiting()
            self.seconds += 10

    @property
    def seen(self) -> Overview:
        with self.database.reading.begin() as session:
            return overview(session)


@pytest.fixture
def bench(sqlite_database_url: str, tmp_path: Path) -> Iterator[Bench]:
    installation_id(tmp_path / "data")
    with closing(open_database(sqlite_database_url)) as database:
        yield Bench(database, Files(tmp_path / "data"), OnThisDisk())


@pytest.mark.parametrize("error", [EIO, STALLED, RuntimeError("Somebody^Else")])
def test_a_file_that_cannot_be_got_at_keeps_no_other_waiting(
    bench: Bench, error: Exception
) -> None:
    bench.reader.broken[bench.receive(1)] = error
    bench.receive(2)
    bench.receive(3)

    decided = bench.indexer.index_waiting()

    seen = bench.seen
    assert decided == 2
    assert (seen.receipts.received, seen.receipts.indexed) == (1, 2)
    assert seen.alarms == ()


def test_status_says_at_once_what_cannot_be_read_and_why(bench: Bench) -> None:
    bench.reader.broken[bench.receive(1)] = EIO

    bench.indexer.index_waiting()

    [error] = bench.seen.errors
    assert "cannot be read yet: Input/output error (EIO)" in error.sentence


def test_a_file_that_can_be_got_at_again_is_filed_and_forgotten(bench: Bench) -> None:
    path = bench.receive(1)
    bench.reader.broken[path] = EIO
    bench.index_for(60)

    del bench.reader.broken[path]
    bench.index_for(60)

    seen = bench.seen
    assert (seen.receipts.indexed, seen.receipts.quarantined) == (1, 0)
    assert seen.errors == ()


def test_a_bad_file_is_quarantined_with_its_error_once_others_go_well_for_long(
    bench: Bench,
) -> None:
    bench.reader.broken[bench.receive(1)] = EIO

    bench.index_for(AN_HOUR_SECONDS // 4, arriving=True)

    seen = bench.seen
    assert (seen.receipts.received, seen.receipts.quarantined) == (0, 1)
    [alarm] = seen.alarms
    assert alarm.kind is AlarmKind.QUARANTINED
    assert "others can: Input/output error (EIO)" in alarm.sentence


def test_a_disk_that_is_away_for_an_hour_costs_no_image(bench: Bench) -> None:
    for number in range(5):
        bench.receive(number)
    bench.reader.all_broken = STALLED
    bench.index_for(AN_HOUR_SECONDS)

    bench.reader.all_broken = None
    bench.index_for(180)

    seen = bench.seen
    assert (seen.receipts.indexed, seen.receipts.quarantined) == (5, 0)
    assert seen.alarms == ()


def test_what_came_later_of_the_same_image_waits_for_what_came_before(
    bench: Bench,
) -> None:
    first = bench.receive(1, echo_time_ms=90)
    bench.receive(1, echo_time_ms=95)
    bench.reader.broken[first] = EIO
    bench.indexer.index_waiting()
    waiting = bench.seen.receipts.received

    bench.reader.broken.clear()
    bench.index_for(60)

    with bench.database.reading.begin() as session:
        [current] = study_instances(session, STUDY_UID)
    [image] = bench.reader.images(bench.files.path(current.file.root, current.file.key))
    assert waiting == 2
    assert image.acquisition.echo_time_ms == 95


def test_many_bad_files_do_not_crowd_out_what_waits_behind_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.indexer.BATCH", 3)
    for number in range(5):
        bench.reader.broken[bench.receive(number)] = EIO
    bench.receive(9)

    for _ in range(3):
        bench.indexer.index_waiting()

    assert bench.seen.receipts.indexed == 1


def test_a_file_that_is_gone_is_quarantined_at_once(bench: Bench) -> None:
    bench.receive(1).unlink()

    bench.indexer.index_waiting()

    assert bench.seen.receipts.quarantined == 1


def test_no_file_is_believed_to_be_gone_while_the_whole_disk_is(bench: Bench) -> None:
    mounted = bench.files.data_directory
    bench.receive(1)
    elsewhere = mounted.rename(mounted.with_name("not mounted"))
    bench.index_for(60)

    elsewhere.rename(mounted)
    bench.index_for(60)

    assert bench.seen.receipts.indexed == 1


def test_an_empty_identity_file_speaks_for_no_disk(bench: Bench) -> None:
    (bench.files.data_directory / ID_NAME).write_bytes(b"")
    bench.receive(1).unlink()

    bench.indexer.index_waiting()

    assert bench.seen.receipts.received == 1


class Heard(Trail):
    """Keeps which instances it was told of."""

    def __init__(self) -> None:
        super().__init__(silent().source)
        self.instances = 0

    def received(self, *told: object) -> None:
        counts = told[-1]
        assert isinstance(counts, dict)
        self.instances += sum(counts.values())


class Overtaken(OnThisDisk):
    """Is so slow that another worker has filed everything when it has read one."""

    def __init__(self, other: Indexer) -> None:
        super().__init__()
        self.other = other
        self.files_read = 0

    def read(self, path: Path) -> InstanceHeader:
        self.files_read += 1
        self.other.index_waiting()
        return super().read(path)


def test_what_another_worker_has_filed_is_told_once_and_left_to_it(
    bench: Bench,
) -> None:
    trail = Heard()
    other = replace(bench.indexer, trail=trail)
    reader = Overtaken(other)
    mine = replace(bench.indexer, reader=reader, trail=trail)
    for number in range(4):
        bench.receive(number)

    decided = mine.index_waiting()

    assert (decided, reader.files_read, trail.instances) == (0, 1, 4)
    assert bench.seen.receipts.indexed == 4


def test_a_study_of_which_a_file_cannot_be_got_at_is_not_held_but_looked_at_later(
    bench: Bench,
) -> None:
    bench.receive(1)
    bench.indexer.index_waiting()
    bench.reader.all_broken = STALLED
    bench.settler.settle_quiet()
    meanwhile = bench.seen

    bench.reader.all_broken = None
    bench.seconds += 30
    bench.settler.settle_quiet()

    assert (meanwhile.studies.held, meanwhile.studies.waiting) == (0, 1)
    assert meanwhile.alarms == ()
    assert bench.seen.jobs.waiting == 1


def test_a_study_of_which_a_file_is_gone_is_held(bench: Bench) -> None:
    path = bench.receive(1)
    bench.indexer.index_waiting()
    path.unlink()

    bench.settler.settle_quiet()

    [alarm] = bench.seen.alarms
    assert alarm.kind is AlarmKind.STUDY_HELD
    assert "a file of it is no longer there" in alarm.sentence


def test_no_study_is_held_while_the_whole_disk_is_gone(bench: Bench) -> None:
    bench.receive(1)
    bench.indexer.index_waiting()
    mounted = bench.files.data_directory
    mounted.rename(mounted.with_name("not mounted"))

    bench.settler.settle_quiet()

    assert bench.seen.studies.held == 0


def test_a_study_whose_headers_take_too_long_is_held(bench: Bench) -> None:
    for number in range(3):
        bench.receive(number)
    bench.indexer.index_waiting()

    replace(bench.settler, look_seconds=0.0).settle_quiet()

    [alarm] = bench.seen.alarms
    assert "reading its headers took more than 0 seconds" in alarm.sentence


def test_a_tick_that_has_taken_long_leaves_the_other_studies_to_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.completeness.TICK_SECONDS", -1.0)
    bench.receive(1)
    bench.indexer.index_waiting()

    assert bench.settler.settle_quiet() == 0


def test_an_indexer_that_has_taken_long_leaves_the_others_to_the_next_tick(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.indexer.TICK_SECONDS", -1.0)
    bench.receive(1)

    assert bench.indexer.index_waiting() == 0


def test_duplicates_behind_what_cannot_be_read_keep_no_other_image_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.indexer.BATCH", 3)
    for number in range(4):
        bench.reader.broken[bench.receive(number)] = EIO
    for number in [*range(4)] * 2:
        bench.receive(number)
    bench.receive(99)

    bench.index_for(40)  # while all of them pause

    assert bench.seen.receipts.indexed == 1
