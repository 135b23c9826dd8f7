"""Receipt to instance of a study, or to quarantine with a reason.

What is read of a file comes from `dicom_node.reading`, whose child may hang or die.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dicom_node.audit.messages import Did, Peer
from dicom_node.audit.trail import Trail, silent
from dicom_node.logs import Action, about
from dicom_node.patience import Patience, in_words
from dicom_node.reading import Reader as Reader
from dicom_node.reading import Unreadable as Unreadable
from storage.database import Database
from storage.errors import DatabaseUnreachable
from storage.files import Files
from storage.installation import is_here
from storage.instances import InstanceHeader, file_receipt
from storage.receipts import (
    Receipt,
    note_trouble,
    quarantine,
    still_waits,
    unindexed_receipts,
)
from storage.states import Filed

log = logging.getLogger(__name__)

BATCH = 200
"""Receipts taken per tick, so that stopping never waits long."""
TICK_SECONDS = 300.0
"""No receipt is begun after that: the watchdog ends a worker whose tick never ends."""


AUDITED_AS = {
    Filed.NEW: Did.CREATE,
    Filed.IDENTICAL: Did.READ,
    Filed.CHANGED: Did.UPDATE,
}


@dataclass(frozen=True, slots=True)
class _Transfer:
    """What one association brought of one study, for one line of the audit trail."""

    association: str
    peer: Peer
    study: str
    did: Did


class _Overtaken(Exception):
    """Another worker has decided the receipt meanwhile."""


@dataclass(frozen=True, slots=True)
class Indexer:
    """Files every receipt that waits.

    In their order, since the last content of an image counts. Of several workers one
    comes first, and the others leave the batch to it: each file is read about once.
    """

    database: Database
    files: Files
    reader: Reader
    trail: Trail = field(default_factory=silent)
    patience: Patience = field(default_factory=Patience)
    """With what could not be read or filed, and may be at the next try."""

    def index_waiting(self) -> int:
        """File or quarantine a batch of receipts, oldest first; return how many."""
        receipts = self._waiting()
        self.patience.keep_only({receipt.id for receipt in receipts})
        transfers: dict[_Transfer, Counter[str]] = {}
        decided = 0
        try:
            for receipt in self._in_turn(receipts):
                transfer = self._index(receipt)
                if transfer:
                    counts = transfers.setdefault(transfer, Counter())
                    counts[receipt.sop_class_uid] += 1
                decided += self.patience.is_new(receipt.id)
        except _Overtaken:
            pass
        finally:
            for transfer, counts in transfers.items():
                self.trail.received(transfer.did, transfer.peer, transfer.study, counts)
        return decided

    def _waiting(self) -> list[Receipt]:
        """Return receipts among which a batch may be tried, or all that wait.

        What is in trouble, and what waits behind it, must not crowd out all others.
        """
        limit = BATCH + len(self.patience)
        while True:
            with self.database.reading.begin() as session:
                receipts = unindexed_receipts(session, limit)
            triable = sum(1 for _ in self._in_turn(receipts))
            if len(receipts) < limit or triable >= BATCH:
                return receipts
            limit *= 2

    def _in_turn(self, receipts: Sequence[Receipt]) -> Iterator[Receipt]:
        """Give what may be tried now, but nothing that came after what may not.

        After it of the same instance, that is: the other order would make the older
        content the one that counts.
        """
        until = self.patience.seconds() + TICK_SECONDS
        behind: set[str] = set()
        for receipt in receipts:
            if self.patience.seconds() > until:
                return
            instance = receipt.sop_instance_uid
            if instance not in behind and self.patience.may_try(receipt.id):
                yield receipt
            if not self.patience.is_new(receipt.id):
                behind.add(instance)

    def _index(self, receipt: Receipt) -> _Transfer | None:
        """File a receipt, set it aside, or leave it for later; whatever breaks."""
        try:
            path = self.files.path(receipt.file.root, receipt.file.key)
            transfer = self._filed(receipt, self.reader.read(path))
        except (DatabaseUnreachable, _Overtaken):
            raise
        except Unreadable as error:
            self._quarantine(receipt, str(error))
            self.patience.went_well(receipt.id)  # the disk gave what there is
            return None
        # One receipt must never keep all that came after it waiting.
        except Exception as error:  # noqa: BLE001
            self._failed(receipt, error)
            return None
        self.patience.went_well(receipt.id)
        return transfer

    def _filed(self, receipt: Receipt, header: InstanceHeader) -> _Transfer:
        with self.database.sessions.begin() as session:
            if not still_waits(session, receipt.id):
                raise _Overtaken
            filed = file_receipt(session, receipt, header)
        if filed is Filed.CHANGED:
            log.warning(
                "an instance came again with other content; both versions are kept, "
                "the last one counts",
                extra=about(Action.INSTANCE_CHANGED, header.study_instance_uid),
            )
        return _Transfer(
            receipt.association,
            Peer(receipt.calling_ae_title, receipt.peer_address),
            header.study_instance_uid,
            AUDITED_AS[filed],
        )

    def _failed(self, receipt: Receipt, error: Exception) -> None:
        """Try a receipt again later, unless it alone is at fault."""
        missing = isinstance(error, FileNotFoundError)
        if missing and is_here(self.files.data_directory):
            self._quarantine(receipt, "the file is no longer there")
            return
        reason = in_words(error)
        is_new = self.patience.is_new(receipt.id)
        if self.patience.failed(receipt.id):
            reason = f"it cannot be read or filed, though others can: {reason}"
            self._quarantine(receipt, reason)
            return
        with self.database.sessions.begin() as session:
            note_trouble(session, receipt.id, reason)
        if is_new:
            log.warning(
                "cannot read or file %s: %s; tried again later, others go on",
                receipt.file.key,
                reason,
                extra=about(Action.READING_FAILED),
            )

    def _quarantine(self, receipt: Receipt, reason: str) -> None:
        with self.database.sessions.begin() as session:
            quarantine(session, receipt.id, reason)
        self.patience.forget(receipt.id)
        log.error(
            "quarantined %s: %s",
            receipt.file.key,
            reason,
            extra=about(Action.QUARANTINED),
        )
