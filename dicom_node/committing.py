"""Ask a destination whether it keeps what it took, and wait a moment for the answer.

An answer that takes longer comes to the receiver, on an association of the
destination's own; whoever gets it writes it down (`dicom_node.commitment`).
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass, field, replace

from pynetdicom import evt
from pynetdicom.pdu import P_DATA_TF

from dicom_node import requested
from dicom_node.commitment import (
    REQUEST,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    Reports,
    question,
)
from dicom_node.config import Destination
from dicom_node.errors import ContextRefused, PeerUnreachable
from dicom_node.logs import Action, about
from dicom_node.sender import OpenAssociation, Peer, association
from storage import commitments
from storage.commitments import Question
from storage.database import Database

log = logging.getLogger(__name__)

OBJECTS_PER_QUESTION = 50
QUESTION_LEASE_SECONDS = 300.0
"""Longer than connecting, asking and waiting may take together."""
ANSWER_HERE_SECONDS = 5.0
"""How long the association is kept open for an answer on it."""
RESPONSE_SECONDS = 40.0
"""How long we may take to write that answer down: a lock of the database, and more."""
LOOK_SECONDS = 0.1
"""How often it is looked whether the association is still there."""


@dataclass(frozen=True, slots=True)
class _Listener:
    """Takes a report on the association that asked, and tells when it is dealt with."""

    reports: Reports
    asked: threading.Event = field(default_factory=threading.Event)
    """The question may have left us."""
    heard: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    """Our response is out: to release before would break the association."""

    def handlers(self) -> list[evt.EventHandlerType]:
        return [
            (evt.EVT_N_EVENT_REPORT, self._on_event_report),
            (evt.EVT_PDU_SENT, self._on_pdu_sent),
        ]

    def _on_event_report(self, event: evt.Event) -> tuple[int, None]:
        self.heard.set()
        return self.reports.on_event_report(event)

    def _on_pdu_sent(self, event: evt.Event) -> None:
        # The one that follows the report on this association is its response.
        if self.heard.is_set() and isinstance(event.pdu, P_DATA_TF):
            self.answered.set()


@dataclass(frozen=True, slots=True)
class Committer:
    """Asks one destination after another."""

    name: str
    """Of the worker whose lease it is."""
    database: Database
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    """For the destinations that ask for it."""
    answer_here_seconds: float = ANSWER_HERE_SECONDS

    def ask_due(self, destination: Destination) -> int:
        """Ask about what is due at one destination; return how many objects."""
        if (due := self._claim(destination)) is None:
            return 0
        listener = _Listener(Reports(self.database))
        try:
            with association(
                self.calling_ae_title,
                peer_of(destination, self.tls),
                [SOP_CLASS_UID],
                handlers=listener.handlers(),
            ) as opened:
                listener.asked.set()
                if self._ask(opened, due):
                    self._wait(opened, listener)
        except PeerUnreachable as error:
            self._postpone(due, error, sent=listener.asked.is_set())
        except ContextRefused as error:
            self._fail(due, error)
        return len(due.items)

    def _claim(self, destination: Destination) -> Question | None:
        with self.database.reading.begin() as session:
            if not commitments.anything_free(session, destination.name):
                return None
        with self.database.sessions.begin() as session:
            return commitments.claim_due(
                session,
                destination.name,
                self.name,
                QUESTION_LEASE_SECONDS,
                OBJECTS_PER_QUESTION,
            )

    def _ask(self, opened: OpenAssociation, due: Question) -> bool:
        """Send the question; False where the destination does not take it.

        Raises
        ------
        PeerUnreachable
            No answer, or the association is gone.
        """
        try:
            answer, _ = opened.assoc.send_n_action(
                question(due.transaction_uid, due.items),
                REQUEST,
                SOP_CLASS_UID,
                SOP_INSTANCE_UID,
            )
        except RuntimeError as error:
            raise PeerUnreachable(f"{opened.peer} closed the association") from error
        if "Status" not in answer:
            raise PeerUnreachable(f"{opened.peer} gave no answer, or aborted")
        if status := int(answer.Status):
            self._refused(due, f"{opened.peer} answered with status 0x{status:04X}")
            return False
        with self.database.sessions.begin() as session:
            commitments.asked(session, due)
        self._log(due, logging.INFO, "took the question")
        return True

    def _wait(self, opened: OpenAssociation, listener: _Listener) -> None:
        """Keep the association open for a moment, or until the answer is dealt with."""
        if _wait_for(listener.heard, opened, self.answer_here_seconds):
            # Released now, pynetdicom's thread would die of our response.
            _wait_for(listener.answered, opened, RESPONSE_SECONDS)

    def _postpone(self, due: Question, error: PeerUnreachable, *, sent: bool) -> None:
        with self.database.sessions.begin() as session:
            commitments.postpone(session, due, str(error), sent=sent)
        self._log(due, logging.WARNING, f"is asked again: {error}")

    def _refused(self, due: Question, error: str) -> None:
        with self.database.sessions.begin() as session:
            commitments.refused(session, due, error)
        self._log(due, logging.WARNING, f"does not take the question: {error}")

    def _fail(self, due: Question, error: ContextRefused) -> None:
        reason = f"it offers no storage commitment ({error})"
        with self.database.sessions.begin() as session:
            commitments.fail(session, due, reason)
        self._log(due, logging.ERROR, f"{reason}; set commitment = false for it")

    def _log(self, due: Question, level: int, sentence: str) -> None:
        for study in sorted({item.study_instance_uid for item in due.items}):
            log.log(
                level,
                "commitment of %s: it %s",
                due.destination,
                sentence,
                extra=about(Action.COMMITMENT_ASKED, study),
            )


def _wait_for(event: threading.Event, opened: OpenAssociation, seconds: float) -> bool:
    """Wait for an event while the association is there; tell whether it came."""
    until = time.monotonic() + seconds
    while opened.assoc.is_established and (left := until - time.monotonic()) > 0:
        if event.wait(min(LOOK_SECONDS, left)):
            break
    return event.is_set()


def peer_of(destination: Destination, tls: ssl.SSLContext | None = None) -> Peer:
    """Return whom to ask: the destination itself, unless another AE answers for it."""
    peer = requested.peer(destination, tls)
    return replace(
        peer,
        ae_title=destination.commitment_ae_title or peer.ae_title,
        host=destination.commitment_host or peer.host,
        port=destination.commitment_port or peer.port,
        # The name is that of the destination's machine, not of another one.
        tls_name="" if destination.commitment_host else peer.tls_name,
    )
