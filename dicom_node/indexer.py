"""Receipt to instance of a study, or to quarantine with a reason.

What is read of a file comes from `dicom_node.reading`, whose child may hang or die.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from dicom_node.audit.messages import Did, Peer
from dicom_node.audit.trail import Trail, silent
from dicom_node.logs import Action, about
from dicom_node.reading import Reader as Reader
from dicom_node.reading import Unreadable as Unreadable
from storage.database import Database
from storage.files import Files
from storage.instances import file_receipt
from storage.receipts import Receipt, quarantine, unindexed_receipts
from storage.states import Filed

log = logging.getLogger(__name__)

BATCH = 200
"""Receipts taken per tick, so that stopping never waits long."""


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


@dataclass(frozen=True, slots=True)
class Indexer:
    """Files every receipt that waits."""

    database: Database
    files: Files
    reader: Reader
    trail: Trail = field(default_factory=silent)

    def index_waiting(self) -> int:
        """File or quarantine a batch of receipts, oldest first; return how many."""
        with self.database.reading.begin() as session:
            receipts = unindexed_receipts(session, BATCH)
        transfers: dict[_Transfer, Counter[str]] = {}
        try:
            for receipt in receipts:
                if transfer := self._index(receipt):
                    counts = transfers.setdefault(transfer, Counter())
                    counts[receipt.sop_class_uid] += 1
        finally:
            for transfer, counts in transfers.items():
                self.trail.received(transfer.did, transfer.peer, transfer.study, counts)
        return len(receipts)

    def _index(self, receipt: Receipt) -> _Transfer | None:
        path = self.files.path(receipt.file.root, receipt.file.key)
        try:
            header = self.reader.read(path)
        except Unreadable as error:
            self._quarantine(receipt, str(error))
            return None
        with self.database.sessions.begin() as session:
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

    def _quarantine(self, receipt: Receipt, reason: str) -> None:
        with self.database.sessions.begin() as session:
            quarantine(session, receipt.id, reason)
        log.error(
            "quarantined %s: %s",
            receipt.file.key,
            reason,
            extra=about(Action.QUARANTINED),
        )
