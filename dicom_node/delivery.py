"""One destination served: what is due goes out on one association, an outcome each.

Every destination has a tick of its own, so one that is dead delays no other. A
process that dies on any line leaves a row that is sent again under the same UID.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from dicom_node import requested
from dicom_node.audit import messages
from dicom_node.audit.trail import Trail, silent
from dicom_node.config import Destination
from dicom_node.errors import ContextRefused, PeerUnreachable, SendError, SendRefused
from dicom_node.logs import Action, about, where
from dicom_node.patience import in_words
from dicom_node.sender import OpenAssociation, association
from storage import commitments, outbox
from storage.database import Database
from storage.errors import DatabaseUnreachable, LeaseLost
from storage.files import Files
from storage.installation import is_here
from storage.outbox import Delivery

log = logging.getLogger(__name__)

OBJECTS_PER_ASSOCIATION = 20
DELIVERY_LEASE_SECONDS = 180.0
"""Longer than connecting, or than one object, may take; renewed before each object, so
that no other worker sends too. What a killed worker was sending waits for so long."""


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Sends what is due."""

    name: str
    """Of the worker whose lease it is."""
    database: Database
    files: Files
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    """For the destinations that ask for it."""
    trail: Trail = field(default_factory=silent)

    def send_due(self, destination: Destination) -> int:
        """Send what is due for one destination on one association; return how many."""
        if not (due := self._claim(destination)):
            return 0
        peer = requested.peer(destination, self.tls)
        sop_classes = {delivery.object.sop_class_uid for delivery in due}
        settled = partial(self._settled, destination)
        try:
            with association(self.calling_ae_title, peer, sop_classes) as opened:
                for sent, delivery in enumerate(due):
                    self._renew(due[sent:])
                    settled(delivery, partial(self._send, destination, opened))
        except PeerUnreachable as error:
            for delivery in due:
                settled(delivery, partial(self._postpone, error=error))
        except ContextRefused as error:
            for delivery in due:
                settled(delivery, partial(self._fall_back, destination, error=error))
        return len(due)

    def _claim(self, destination: Destination) -> Sequence[Delivery]:
        with self.database.reading.begin() as session:
            if not outbox.anything_free(session, destination.name):
                return ()
        with self.database.sessions.begin() as session:
            return outbox.claim_due(
                session,
                destination.name,
                self.name,
                DELIVERY_LEASE_SECONDS,
                OBJECTS_PER_ASSOCIATION,
            )

    def _renew(self, left: Sequence[Delivery]) -> None:
        with self.database.sessions.begin() as session:
            outbox.renew(session, left, DELIVERY_LEASE_SECONDS)

    def _settled(
        self,
        destination: Destination,
        delivery: Delivery,
        move: Callable[[Delivery], None],
    ) -> None:
        """Move one delivery on; whatever breaks, the next one has its turn."""
        try:
            self._moved(destination, delivery, move)
        except LeaseLost:
            self._log(delivery, Action.LEASE_LOST, "another worker has taken it over")

    def _moved(
        self,
        destination: Destination,
        delivery: Delivery,
        move: Callable[[Delivery], None],
    ) -> None:
        """Move it on, or send it later, or give it up; each of them needs its lease."""
        try:
            move(delivery)
        except (LeaseLost, DatabaseUnreachable):
            raise
        except OSError as error:
            self._wait_or_bury(destination, delivery, error)
        # The second place that catches everything, for the same reason as the first.
        except Exception as error:  # noqa: BLE001
            broken = f"it cannot be sent: {type(error).__name__} at {where(error)}"
            self._bury(destination, delivery, SendRefused(broken))

    def _wait_or_bury(
        self, destination: Destination, delivery: Delivery, error: OSError
    ) -> None:
        """Send it later: a disk that fails may work again; a file that is gone not."""
        missing = isinstance(error, FileNotFoundError)
        if missing and is_here(self.files.data_directory):
            broken = SendRefused(f"{delivery.object.file.key} is no longer there")
            self._bury(destination, delivery, broken)
        else:
            later = PeerUnreachable(f"it cannot be sent now: {in_words(error)}")
            self._postpone(delivery, later)

    def _send(
        self, destination: Destination, opened: OpenAssociation, delivery: Delivery
    ) -> None:
        stored = delivery.object.file
        content = self.files.read(stored.root, stored.key)
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            broken = SendRefused(f"{stored.key} is not what was written")
            self._bury(destination, delivery, broken)
            return
        try:
            status = opened.send(content)
        except PeerUnreachable as error:
            self._postpone(delivery, error)
        except ContextRefused as error:
            self._fall_back(destination, delivery, error)
        except SendRefused as error:
            self._bury(destination, delivery, error)
        else:
            with self.database.sessions.begin() as session:
                outbox.delivered(session, delivery, status)
                if destination.commitment:
                    commitments.expect(session, delivery)
            self._log(delivery, Action.DELIVERED, f"delivered with 0x{status:04X}")
            self._audit(destination, delivery)

    def _postpone(self, delivery: Delivery, error: SendError) -> None:
        with self.database.sessions.begin() as session:
            outbox.postpone(session, delivery, str(error), error.status)
        self._log(delivery, Action.DELIVERY_POSTPONED, str(error))

    def _fall_back(
        self, destination: Destination, delivery: Delivery, error: SendRefused
    ) -> None:
        with self.database.sessions.begin() as session:
            fell_back = outbox.fall_back(session, delivery, str(error), error.status)
        if fell_back:
            self._log(delivery, Action.DELIVERY_FELL_BACK, str(error))
        else:
            self._bury(destination, delivery, error)

    def _bury(
        self, destination: Destination, delivery: Delivery, error: SendRefused
    ) -> None:
        with self.database.sessions.begin() as session:
            outbox.dead(session, delivery, str(error), error.status)
        self._log(delivery, Action.DELIVERY_DEAD, str(error))
        self._audit(destination, delivery, refusal=str(error))

    def _audit(
        self, destination: Destination, delivery: Delivery, refusal: str = ""
    ) -> None:
        self.trail.sent(
            messages.Peer(destination.ae_title, destination.host),
            delivery.study_instance_uid,
            delivery.object.sop_class_uid,
            refusal,
        )

    def _log(self, delivery: Delivery, action: Action, sentence: str) -> None:
        level = logging.INFO if action is Action.DELIVERED else logging.WARNING
        log.log(
            level,
            "%s to %s: %s",
            delivery.object.kind.value,
            delivery.destination,
            sentence,
            extra=about(action, delivery.study_instance_uid),
        )
