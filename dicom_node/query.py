"""The query SCU: what a PACS counts, and telling it to send a series (PS3.4 annex C).

Everything is bounded: the time for one answer, for all answers to one question, and
their number. A PACS that hangs, refuses or answers nonsense costs a `QueryFailed`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.audit import messages
from dicom_node.audit.trail import Trail, silent
from dicom_node.errors import QueryFailed, SendError
from dicom_node.evidence import SeriesCount
from dicom_node.sender import OpenAssociation, Peer, association

FIND = str(StudyRootQueryRetrieveInformationModelFind)
MOVE = str(StudyRootQueryRetrieveInformationModelMove)
ANSWER_SECONDS = 10.0
"""A PACS that is silent for so long, in the middle of an answer too, is given up."""
FIND_SECONDS = 15.0
"""For all answers to one question: a study has a few dozen series."""
MOVE_SECONDS = 120.0
"""For one series to be sent; a PACS reports on it now and then."""
MOST_SERIES = 1000
"""Answers to one question; no study has so many series."""
PENDING = (0xFF00, 0xFF01)
SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class OpenQuery:
    """An association to ask on."""

    opened: OpenAssociation
    trail: Trail = field(default_factory=silent)

    @property
    def is_open(self) -> bool:
        """Whether another question can be asked."""
        return bool(self.opened.assoc.is_established)

    def series_counts(self, study_instance_uid: str) -> list[SeriesCount]:
        """Return how many instances of each series of a study the PACS has.

        Raises
        ------
        QueryFailed
            No answer in time, a failure, or more answers than a study has series.
        """
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "SERIES"
        wanted.StudyInstanceUID = study_instance_uid
        wanted.SeriesInstanceUID = ""
        wanted.Modality = ""
        wanted.NumberOfSeriesRelatedInstances = ""
        # PS3.5 6.1.2.5: without it, UIDs and numbers are ASCII.
        query = self._as_put(FIND, wanted)
        with _told(partial(self.trail.queried, self._audited_peer, query)):
            answers = self._ask(FIND, wanted)
        counts = [_count(it) for it in answers if _is_about(it, study_instance_uid)]
        return [count for count in counts if count.series_instance_uid]

    def move_series(
        self, study_instance_uid: str, series_instance_uid: str, to_ae_title: str
    ) -> None:
        """Have the PACS send one series to an AE, and return when it says it has.

        Raises
        ------
        QueryFailed
            No answer in time, or it could not send all of it.
        """
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "SERIES"
        wanted.StudyInstanceUID = study_instance_uid
        wanted.SeriesInstanceUID = series_instance_uid
        told = partial(self.trail.had_sent, self._audited_peer, study_instance_uid)
        with _told(told):
            self._ask(MOVE, wanted, to_ae_title)

    @property
    def _audited_peer(self) -> messages.Peer:
        return messages.Peer(self.opened.peer.ae_title, self.opened.peer.host)

    def _as_put(self, sop_class: str, wanted: Dataset) -> messages.Query:
        """Return a question for the audit trail: UIDs, and nothing of a patient."""
        accepted = {
            str(context.abstract_syntax): context.transfer_syntax[0]
            for context in self.opened.assoc.accepted_contexts
        }
        syntax = accepted.get(sop_class, ImplicitVRLittleEndian)
        identifier = encode(wanted, syntax.is_implicit_VR, syntax.is_little_endian)
        return messages.Query(sop_class, identifier or b"", str(syntax))

    def _ask(self, sop_class: str, wanted: Dataset, to: str = "") -> list[Dataset]:
        assoc, peer = self.opened.assoc, self.opened.peer
        limit_seconds = MOVE_SECONDS if to else FIND_SECONDS
        deadline = time.monotonic() + limit_seconds
        try:
            responses = (
                assoc.send_c_move(wanted, to, sop_class)
                if to
                else assoc.send_c_find(wanted, sop_class)
            )
            found: list[Dataset] = []
            for number, (status, identifier) in enumerate(responses):
                if status.get("Status") not in PENDING:
                    _require_success(status, peer)
                    return found
                if number >= MOST_SERIES or time.monotonic() > deadline:
                    assoc.abort()
                    raise QueryFailed(f"{peer} does not come to an end with its answer")
                if identifier is not None:
                    found.append(identifier)
        # Not established, or the peer takes no such question.
        except (RuntimeError, ValueError) as error:
            raise QueryFailed(f"{peer} cannot be asked: {error}") from error
        raise QueryFailed(f"{peer} gave no answer, or aborted")


@contextmanager
def asking(
    calling_ae_title: str,
    peer: Peer,
    *,
    move: bool = False,
    answer_seconds: float = ANSWER_SECONDS,
    trail: Trail | None = None,
) -> Iterator[OpenQuery]:
    """Open an association to ask on, or to have series sent, and release it.

    Raises
    ------
    QueryFailed
        Nobody listens there, the association was rejected, or the PACS takes no
        such question.
    """
    try:
        with association(
            calling_ae_title, peer, [MOVE if move else FIND], answer_seconds
        ) as opened:
            yield OpenQuery(opened, trail or silent())
    except SendError as error:
        raise QueryFailed(str(error)) from error


@contextmanager
def _told(tell: Callable[[str], None]) -> Iterator[None]:
    """Tell the audit trail how a question ended, whatever comes of it."""
    try:
        yield
    except QueryFailed as error:
        tell(str(error))
        raise
    tell("")


def _require_success(status: Dataset, peer: Peer) -> None:
    if "Status" not in status:
        raise QueryFailed(f"{peer} gave no answer, or aborted")
    if status.Status != SUCCESS:
        raise QueryFailed(f"{peer} answered with status 0x{int(status.Status):04X}")


def _is_about(answer: Dataset, study_instance_uid: str) -> bool:
    """Tell whether an answer is about the study; one that does not say is."""
    uid = _value(answer, "StudyInstanceUID")
    return not uid or str(uid) == study_instance_uid


def _count(answer: Dataset) -> SeriesCount:
    number = str(_value(answer, "NumberOfSeriesRelatedInstances") or "").strip()
    return SeriesCount(
        series_instance_uid=str(_value(answer, "SeriesInstanceUID") or ""),
        modality=str(_value(answer, "Modality") or "").strip(),
        instances=int(number) if number.isdecimal() and len(number) <= 9 else None,
    )


def _value(answer: Dataset, keyword: str) -> Any:
    """Return a value, None where it breaks the rules of its VR."""
    try:
        return answer.get(keyword)
    # Values come from the wire and are converted here for the first time.
    except Exception:  # noqa: BLE001
        return None
