"""Receipts: what was acknowledged, and what the indexer has still to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms
from storage.database import database_now
from storage.errors import StorageError
from storage.files import StoredFile
from storage.states import AlarmKind, ReceiptState
from storage.tables import ReceiptRow

_INSERT = sa.insert(cast("sa.Table", ReceiptRow.__table__))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One acknowledged C-STORE, as the command set told it; not yet understood."""

    id: str
    received_at: datetime
    association: str
    calling_ae_title: str
    peer_address: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    file: StoredFile


def add_receipt(session: Session, receipt: Receipt) -> None:
    """Keep a receipt; once this is committed the C-STORE may be acknowledged."""
    add_receipts(session.connection(), [receipt])


def add_receipts(connection: sa.Connection, receipts: Sequence[Receipt]) -> None:
    """Keep receipts, at least one; once this is committed they may be acknowledged.

    On a connection: a session would cost more time than the rows.
    """
    connection.execute(_INSERT, [_values(receipt) for receipt in receipts])


def unindexed_receipts(session: Session, limit: int) -> list[Receipt]:
    """Return receipts that are neither indexed nor quarantined, oldest first."""
    query = (
        sa.select(ReceiptRow)
        .where(ReceiptRow.state == ReceiptState.RECEIVED)
        .order_by(ReceiptRow.recorded_at, ReceiptRow.id)
        .limit(limit)
    )
    return [_receipt(row) for row in session.scalars(query)]


def oldest_waiting(session: Session) -> datetime | None:
    """Return when the oldest receipt that waits for the indexer was recorded."""
    return session.scalar(
        sa.select(sa.func.min(ReceiptRow.recorded_at)).where(
            ReceiptRow.state == ReceiptState.RECEIVED
        )
    )


def quarantine(session: Session, receipt_id: str, reason: str) -> None:
    """Set aside a receipt that cannot be read; its file stays where it is.

    Nothing happens where the receipt is indexed or quarantined already.
    """
    moved = session.scalars(
        sa.update(ReceiptRow)
        .where(ReceiptRow.id == receipt_id, ReceiptRow.state == ReceiptState.RECEIVED)
        .values(
            state=ReceiptState.QUARANTINED,
            reason=reason,
            decided_at=database_now(session),
        )
        .returning(ReceiptRow.id)
    )
    if moved.all():
        alarms.raise_alarm(session, AlarmKind.QUARANTINED, None, reason)


def note_trouble(session: Session, receipt_id: str, reason: str) -> None:
    """Keep why a receipt could not be read yet; it waits on, and `status` says so."""
    session.execute(
        sa.update(ReceiptRow)
        .where(ReceiptRow.id == receipt_id, ReceiptRow.state == ReceiptState.RECEIVED)
        .values(reason=reason)
    )


def still_waits(session: Session, receipt_id: str) -> bool:
    """Tell whether nobody has decided a receipt; nobody else will in this transaction.

    Raises
    ------
    StorageError
        The receipt was never added.
    """
    return lock_receipt(session, receipt_id).state is ReceiptState.RECEIVED


def lock_receipt(session: Session, receipt_id: str) -> ReceiptRow:
    """Return a receipt that nobody else decides until the transaction ends.

    Raises
    ------
    StorageError
        The receipt was never added.
    """
    row = session.get(
        ReceiptRow, receipt_id, with_for_update=True, populate_existing=True
    )
    if row is None:
        raise StorageError(f"receipt {receipt_id} was never added, so nothing is filed")
    return row


def stored_file(row: ReceiptRow) -> StoredFile:
    return StoredFile(row.root, row.key, row.sha256, row.size_bytes)


def _values(receipt: Receipt) -> dict[str, object]:
    return {
        "id": receipt.id,
        "received_at": receipt.received_at,
        "association": receipt.association,
        "calling_ae_title": receipt.calling_ae_title,
        "peer_address": receipt.peer_address,
        "sop_class_uid": receipt.sop_class_uid,
        "sop_instance_uid": receipt.sop_instance_uid,
        "transfer_syntax_uid": receipt.transfer_syntax_uid,
        "state": ReceiptState.RECEIVED,
        "root": receipt.file.root,
        "key": receipt.file.key,
        "sha256": receipt.file.sha256,
        "size_bytes": receipt.file.size_bytes,
    }


def _receipt(row: ReceiptRow) -> Receipt:
    return Receipt(
        row.id,
        row.received_at,
        row.association,
        row.calling_ae_title,
        row.peer_address,
        row.sop_class_uid,
        row.sop_instance_uid,
        row.transfer_syntax_uid,
        stored_file(row),
    )
