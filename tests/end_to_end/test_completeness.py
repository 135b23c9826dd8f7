"""A study whose PACS counts what is here is not kept waiting; any other is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from pydicom import Dataset
from pynetdicom import evt

from dicom_node.asking import Asker
from dicom_node.audit.trail import silent
from dicom_node.calling import CallingAE
from dicom_node.clockwatch import ClockWatch
from dicom_node.completeness import Settler
from dicom_node.config import (
    CompletenessSection,
    Config,
    DatabaseSection,
    Destination,
    NodeSection,
)
from dicom_node.demo_pacs import Orthanc, small_pacs
from dicom_node.fetching import Fetcher
from dicom_node.query import OpenQuery, asking
from dicom_node.sender import Peer
from dicom_node.verbs import checking, working
from storage import jobs, studies
from storage.associations import is_being_received
from storage.overview import overview
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import NODE_TITLE, Node
from tests.end_to_end.query_pacs import (
    Failing,
    Hanging,
    Nonsense,
    QueryPacs,
    query_pacs,
    silent_listener,
)
from tests.end_to_end.scanner import send

AN_HOUR_SECONDS = 3600.0
SHORTLY = timedelta(microseconds=1)
"""Two answers are demanded; how far apart, `tests.dicom_node.test_evidence` tests."""
NO_TIME = timedelta(0)
PATIENCE_SECONDS = 60.0


@pytest.fixture
def images() -> list[Dataset]:
    return [as_received(ds) for ds in mr_series(5)]


def asker_of(
    node: Node,
    peer: Peer,
    fetcher: Fetcher | None = None,
    answer_seconds: float = 30,
    watch: ClockWatch | None = None,
) -> Asker:
    """Return what asks a PACS on behalf of a node whose quiet time is an hour."""
    settler = Settler(
        node.database, node.files, AN_HOUR_SECONDS, watch, reader=node.settler.reader
    )
    ask = partial(asking, NODE_TITLE, peer, answer_seconds=answer_seconds)
    return Asker(node.database, settler, ask, fetcher, apart=SHORTLY, still=NO_TIME)


def receive(node: Node, images: list[Dataset]) -> None:
    """Send images over an association, and index them when it is closed."""
    assert send(node.peer, images) == [0x0000] * len(images)
    index(node)
    wait_until(lambda: not coming_in(node))


def index(node: Node) -> None:
    while node.indexer.index_waiting():
        pass


def coming_in(node: Node) -> bool:
    with node.database.reading.begin() as session:
        return is_being_received(session, STUDY_UID)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def missing(node: Node) -> list[str]:
    with node.database.reading.begin() as session:
        return studies.seems_missing(session, STUDY_UID)


def revision(node: Node) -> int:
    with node.database.reading.begin() as session:
        job = jobs.get(session, STUDY_UID)
    return job.revision if job else 0


def test_a_study_is_complete_when_the_pacs_has_counted_twice_what_is_here(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images)
    with query_pacs(QueryPacs({}, images)) as pacs:
        asker = asker_of(here, pacs.peer)

        first = asker.ask_and_settle(), revision(here)
        second = asker.ask_and_settle(), revision(here)

    assert (first, second) == ((0, 0), (1, 1))
    assert pacs.asked == [STUDY_UID, STUDY_UID]
    assert missing(here) == []


def test_a_settled_study_is_not_asked_about_again(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images)
    here.settler.settle_quiet()
    with query_pacs(QueryPacs({}, images)) as pacs:
        asker_of(here, pacs.peer).ask_and_settle()

    assert pacs.asked == []


def test_an_open_association_that_touched_the_study_keeps_it_waiting(
    here: Node, images: list[Dataset]
) -> None:
    with query_pacs(QueryPacs({}, images)) as pacs:
        asker = asker_of(here, pacs.peer)
        with still_sending(here.peer, images):
            index(here)
            while_open = [asker.ask_and_settle() for _ in range(3)]
        wait_until(lambda: not coming_in(here))

        wait_until(lambda: asker.ask_and_settle() == 1)

    assert while_open == [0, 0, 0]
    assert revision(here) == 1


@contextmanager
def still_sending(node: Peer, images: list[Dataset]) -> Iterator[None]:
    """Send images, and keep the association open until the block ends."""
    ae = CallingAE(ae_title="SCANNER")
    ae.add_requested_context(images[0].SOPClassUID)
    assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
    for ds in images:
        assert assoc.send_c_store(ds).Status == 0x0000
    yield
    assoc.release()


class Passing:
    """Time that passes while, so to speak, the database's clock stands still.

    To whom compares the two, a clock that jumps ahead looks like time running back.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.watch = ClockWatch(AN_HOUR_SECONDS, seconds=lambda: self.seconds)


def test_a_clock_that_jumps_ahead_keeps_a_pacs_from_speaking_for_a_quiet_time(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images)
    clocks = Passing()
    with query_pacs(QueryPacs({}, images)) as pacs:
        asker = asker_of(here, pacs.peer, watch=clocks.watch)
        asker.ask_and_settle()

        clocks.seconds -= 2 * AN_HOUR_SECONDS
        after_the_jump = asker.ask_and_settle(), len(pacs.asked)
        clocks.seconds += AN_HOUR_SECONDS
        # The passing of that hour is seen as a step back, which holds nothing up.
        an_hour_later = asker.ask_and_settle()

    assert after_the_jump == (0, 1)
    assert (an_hour_later, revision(here)) == (1, 1)


def test_a_clock_that_jumps_while_the_pacs_answers_settles_nothing(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images)
    clocks = Passing()
    pacs = JumpsMeanwhile({}, images)
    with query_pacs(pacs):
        asker = asker_of(here, pacs.peer, watch=clocks.watch)
        asker.ask_and_settle()
        pacs.clocks = clocks

        settled = asker.ask_and_settle()

    assert (settled, revision(here), len(pacs.asked)) == (0, 0, 2)


@dataclass
class JumpsMeanwhile(QueryPacs):
    """While it answers, somebody sets the clock an hour ahead."""

    clocks: Passing | None = None

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        if self.clocks:
            self.clocks.seconds -= AN_HOUR_SECONDS
        yield from super().on_find(event)


def test_an_image_that_waits_to_be_indexed_may_belong_to_the_study(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images[:4])
    with query_pacs(QueryPacs({}, images[:4])) as pacs:
        asker = asker_of(here, pacs.peer)
        send(here.peer, images[4:])

        settled = [asker.ask_and_settle() for _ in range(3)]

    assert settled == [0, 0, 0]


def test_the_last_slice_that_is_missing_keeps_the_study_waiting_and_is_reported(
    here: Node, images: list[Dataset], destination: Destination
) -> None:
    receive(here, images[:4])
    with (
        query_pacs(QueryPacs({}, images)) as pacs,
        small_pacs(destination.ae_title, destination.port) as archive,
    ):
        asker = asker_of(here, pacs.peer)
        settled = [asker.ask_and_settle() for _ in range(3)]
        quiet = replace(here.settler, memory=asker.memory)

        quiet.settle_quiet()
        here.work()
        (report,) = [ds for ds in archive.instances() if ds.Modality == "SR"]

    sentence = "the PACS counts 5 in series 'T2 AX', 4 are here"
    assert settled == [0, 0, 0]
    assert sentence in " ".join(missing(here))
    assert sentence in json.dumps(report.to_json_dict())
    with here.database.reading.begin() as session:
        assert len(overview(session).incomplete) == 1


def test_a_gap_between_slices_keeps_the_study_waiting_though_the_pacs_has_it_too(
    here: Node, images: list[Dataset]
) -> None:
    del images[2]
    receive(here, images)
    with query_pacs(QueryPacs({}, images)) as pacs:
        asker = asker_of(here, pacs.peer)
        settled = [asker.ask_and_settle() for _ in range(3)]
    here.settler.settle_quiet()

    assert settled == [0, 0, 0]
    (sentence,) = missing(here)
    assert "1 would fit between two slices of series 'T2 AX'" in sentence
    assert "lie 9.0 mm apart, the others lie 4.5 mm apart" in sentence


def test_a_pacs_that_does_not_count_is_said_to_once_and_leaves_the_quiet_time(
    here: Node, images: list[Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    receive(here, images)
    with query_pacs(QueryPacs({}, images, counts=False)) as pacs:
        asker = asker_of(here, pacs.peer)

        settled = [asker.ask_and_settle() for _ in range(3)]

    assert settled == [0, 0, 0]
    assert caplog.text.count("returns no Number of Series Related Instances") == 1


@pytest.mark.parametrize("kind", [Nonsense, Failing])
def test_a_pacs_that_answers_nonsense_or_a_failure_decides_nothing(
    here: Node, images: list[Dataset], kind: type[QueryPacs]
) -> None:
    receive(here, images)
    with query_pacs(kind({}, images)) as pacs:
        asker = asker_of(here, pacs.peer)

        settled = [asker.ask_and_settle() for _ in range(3)]

    assert settled == [0, 0, 0]
    assert len(pacs.asked) == 3


def test_a_pacs_that_hangs_is_given_up_and_left_alone_for_a_while(
    here: Node, images: list[Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    receive(here, images)
    let_go = threading.Event()
    with query_pacs(Hanging({}, images, let_go=let_go)) as pacs:
        asker = asker_of(here, pacs.peer)
        asker.ask = partial(asking_a_silent, pacs.peer)

        settled = [asker.ask_and_settle() for _ in range(3)]
        let_go.set()

    assert settled == [0, 0, 0]
    assert pacs.asked == [STUDY_UID]
    assert caplog.text.count("the quiet time decides") == 1


@contextmanager
def asking_a_silent(peer: Peer) -> Iterator[OpenQuery]:
    """Let it take its time to accept the association, and less to answer on it."""
    with asking(NODE_TITLE, peer, answer_seconds=30) as query:
        query.opened.assoc.dimse_timeout = 2
        yield query


def test_nothing_waits_for_a_pacs_that_hangs(here: Node, images: list[Dataset]) -> None:
    receive(here, images)
    pacs = Hanging({}, images)
    with query_pacs(pacs):
        asking_still = threading.Thread(
            target=asker_of(here, pacs.peer).ask_and_settle, daemon=True
        )
        asking_still.start()
        wait_until(lambda: pacs.asked == [STUDY_UID])

        here.settler.settle_quiet()
        meanwhile = revision(here), asking_still.is_alive()
        pacs.let_go.set()
        asking_still.join()

    assert meanwhile == (1, True)


@pytest.mark.parametrize("peer", ["down", "silent", "rejecting"])
def test_a_pacs_that_cannot_be_reached_is_tried_once_and_left_alone_for_a_while(
    here: Node,
    images: list[Dataset],
    peer: str,
    pacs_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receive(here, images)
    peers: dict[str, AbstractContextManager[Peer]] = {
        "down": nullcontext(Peer("ARCHIVE", "127.0.0.1", pacs_port)),
        "silent": silent_listener(),
        "rejecting": rejecting(),
    }
    with peers[peer] as unreachable:
        asker = asker_of(here, unreachable, answer_seconds=0.3)

        settled = [asker.ask_and_settle() for _ in range(3)]

    assert settled == [0, 0, 0]
    assert caplog.text.count("cannot ask whether studies are complete") == 1


@contextmanager
def rejecting() -> Iterator[Peer]:
    with query_pacs(QueryPacs({}), allowed=["SOMEBODY"]) as pacs:
        yield pacs.peer


def test_what_is_missing_is_fetched_once_and_then_the_study_is_complete(
    here: Node, images: list[Dataset]
) -> None:
    receive(here, images[:4])
    node_as_known = {NODE_TITLE: here.peer}
    with query_pacs(QueryPacs(node_as_known, images)) as pacs:
        fetcher = fetcher_of(pacs.peer)
        asker = asker_of(here, pacs.peer, fetcher)
        before = asker.ask_and_settle(), asker.ask_and_settle()

        fetched = fetcher.fetch_wanted()
        index(here)
        wait_until(lambda: asker.ask_and_settle() == 1)

    assert (before, fetched) == ((0, 0), 1)
    assert missing(here) == []


def test_a_pacs_that_does_not_know_us_is_told_to_send_once_in_each_state(
    here: Node, images: list[Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    receive(here, images[:4])
    with query_pacs(QueryPacs({}, images)) as pacs:
        fetcher = fetcher_of(pacs.peer)
        asker = asker_of(here, pacs.peer, fetcher)

        fetched = []
        for _ in range(4):
            asker.ask_and_settle()
            fetched.append(fetcher.fetch_wanted())

    assert fetched == [0, 0, 0, 0]
    assert caplog.text.count("the PACS did not send what is missing") == 1


def fetcher_of(peer: Peer) -> Fetcher:
    return Fetcher(partial(asking, NODE_TITLE, peer, move=True), NODE_TITLE)


def test_orthanc_counts_and_sends_what_is_missing(
    here: Node, orthanc: Orthanc, pacs_port: int, tmp_path: Path
) -> None:
    images: list[Dataset] = [as_received(ds) for ds in mr_series(5)]
    orthanc.fill(written(images, tmp_path))
    orthanc.know(here.peer)
    receive(here, images[:4])
    peer = Peer("PACS", "127.0.0.1", pacs_port)
    fetcher = fetcher_of(peer)
    asker = asker_of(here, peer, fetcher)
    asker.ask_and_settle()
    asker.ask_and_settle()

    fetched = fetcher.fetch_wanted()
    index(here)
    wait_until(lambda: asker.ask_and_settle() == 1)

    assert fetched == 1
    assert missing(here) == []


def written(images: list[Dataset], folder: Path) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(len(images))]
    for ds, path in zip(images, paths, strict=True):
        ds.save_as(path, enforce_file_format=True)
    return paths


def config_that_asks(port: int, fetch: Literal["none", "move"]) -> Config:
    return Config(
        NodeSection(NODE_TITLE, Path("nowhere")),
        DatabaseSection("sqlite:///nowhere"),
        completeness=CompletenessSection("ARCHIVE", "127.0.0.1", port, fetch),
    )


def test_check_config_says_which_questions_the_pacs_takes(
    capsys: pytest.CaptureFixture[str], pacs_port: int
) -> None:
    with query_pacs(QueryPacs({})) as pacs:
        takes = checking._answers_questions(
            config_that_asks(pacs.peer.port, "move"), None
        )
    takes_not = checking._answers_questions(config_that_asks(pacs_port, "none"), None)

    said = capsys.readouterr().out.splitlines()
    assert (takes, takes_not) == (True, False)
    assert said[:2] == ["completeness: takes C-FIND", "completeness: takes C-MOVE"]
    assert said[2].startswith("completeness: ARCHIVE at 127.0.0.1")


@pytest.mark.parametrize(
    ("fetch", "ticks"), [("none", ["ask"]), ("move", ["ask", "fetch"])]
)
def test_asking_and_fetching_are_ticks_of_their_own(
    here: Node, fetch: Literal["none", "move"], ticks: list[str], pacs_port: int
) -> None:
    config = config_that_asks(pacs_port, fetch)

    made = working._asking_ticks(config, here.database, here.settler, None, silent())

    assert sorted(tick.name for tick in made) == ticks
