"""PACS that are asked about what they hold: one that behaves, and some that do not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.calling import CallingAE
from dicom_node.sender import Peer

PENDING, SUCCESS, CANNOT_PROCESS = 0xFF00, 0x0000, 0xC000
TITLE = "ARCHIVE"


@dataclass
class QueryPacs:
    """Counts what it holds, and sends it where it is told to."""

    destinations: Mapping[str, Peer]
    held: list[Dataset] = field(default_factory=list)
    counts: bool = True
    """Whether it returns Number of Series Related Instances."""
    asked: list[str] = field(default_factory=list)
    """The study of each question."""
    peer: Peer = field(default_factory=lambda: Peer(TITLE, "127.0.0.1", 0))

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        study = str(event.identifier.StudyInstanceUID)
        self.asked.append(study)
        for uid in sorted({str(ds.SeriesInstanceUID) for ds in self._of(study)}):
            yield PENDING, self.answer(study, uid)
        yield SUCCESS, None

    def answer(self, study: str, series: str) -> Dataset:
        members = [ds for ds in self._of(study) if ds.SeriesInstanceUID == series]
        answer = Dataset()
        answer.QueryRetrieveLevel = "SERIES"
        answer.StudyInstanceUID, answer.SeriesInstanceUID = study, series
        answer.Modality = members[0].Modality
        if self.counts:
            answer.NumberOfSeriesRelatedInstances = len(members)
        return answer

    def on_move(self, event: evt.Event) -> Iterator[Any]:
        to = self.destinations.get(str(event.move_destination))
        if to is None:
            yield None, None
            return
        yield to.host, to.port
        wanted = event.identifier
        members = [
            ds
            for ds in self._of(str(wanted.StudyInstanceUID))
            if wanted.SeriesInstanceUID == ds.SeriesInstanceUID
        ]
        yield len(members)
        for ds in members:
            yield PENDING, ds

    def _of(self, study: str) -> list[Dataset]:
        return [ds for ds in self.held if ds.StudyInstanceUID == study]


@contextmanager
def query_pacs(pacs: QueryPacs, *, allowed: Sequence[str] = ()) -> Iterator[QueryPacs]:
    """Run a PACS on a free port that rejects others than those allowed, if any."""
    # It opens associations too: those over which it sends what it is told to.
    ae = CallingAE(ae_title=TITLE)
    ae.require_calling_aet = list(allowed)
    for model in (
        Verification,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelMove,
    ):
        ae.add_supported_context(model)
    ae.add_requested_context(MRImageStorage)
    server = ae.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_FIND, pacs.on_find),
            (evt.EVT_C_MOVE, pacs.on_move),
        ],
    )
    assert server is not None
    pacs.peer = Peer(TITLE, "127.0.0.1", server.server_address[1])
    try:
        yield pacs
    finally:
        server.shutdown()


class Nonsense(QueryPacs):
    """Answers with what no count can be read from."""

    def answer(self, study: str, series: str) -> Dataset:
        answer = super().answer(study, series)
        answer.StudyInstanceUID = "2.25.1"
        answer.SeriesInstanceUID = ""
        return answer


class Failing(QueryPacs):
    """Says that it cannot process the question."""

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(str(event.identifier.StudyInstanceUID))
        yield CANNOT_PROCESS, None


@dataclass
class Hanging(QueryPacs):
    """Accepts an association, and never answers a question."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(str(event.identifier.StudyInstanceUID))
        self.let_go.wait(60)
        yield CANNOT_PROCESS, None


@contextmanager
def silent_listener() -> Iterator[Peer]:
    """Take connections, and say nothing on them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Peer(TITLE, "127.0.0.1", listener.getsockname()[1])
