"""Files that no row names, which no other rule would ever remove.

A kill between file and row leaves one, so does a connection that was lost, and so does
an attempt at grading that did not count. They hold patients' data as all others do.

Whether a row names a file is asked twice. The first question is answered from an
index, and may be wrong where a clock was set; the second one reads the table, and is
asked only about the few files that the first one did not find.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage.states import ReceiptState, Root
from storage.tables import InstallationRow, ObjectRow, ReceiptRow

AT_ONCE = 500
"""Keys in one question: a driver takes so many parameters and no more."""
HOUR_FOLDER = "%Y/%m/%d/%H"
"""As `storage.files.Files` names the folders of what is received."""
ABOUT = timedelta(hours=2)
"""A file's row is written soon after its folder was named."""


def unnamed(session: Session, root: Root, keys: Collection[str]) -> set[str]:
    """Return those of the keys that no row names, or only one of a removed file."""
    ours = set(keys)
    for which in (_likely, _exactly):
        for some in _in_parts(ours):
            ours.difference_update(session.scalars(which(root, some)))
    return ours


def belongs_since(session: Session) -> datetime | None:
    """Return since when files belong to this database; None where it has no node yet.

    What is older may be another database's, whose rows still name it.
    """
    return session.scalar(sa.select(InstallationRow.created_at))


def _in_parts(keys: set[str]) -> list[list[str]]:
    ordered = sorted(keys)
    return [ordered[at : at + AT_ONCE] for at in range(0, len(ordered), AT_ONCE)]


def _exactly(root: Root, keys: list[str]) -> sa.Select[str]:
    if root is Root.PRODUCED:
        return sa.select(ObjectRow.key).where(
            ObjectRow.root == root, ObjectRow.key.in_(keys)
        )
    return sa.select(ReceiptRow.key).where(
        ReceiptRow.root == root,
        ReceiptRow.key.in_(keys),
        ReceiptRow.removed_at.is_(None),
    )


def _likely(root: Root, keys: list[str]) -> sa.Select[str]:
    """Return the same question, for the rows that an index finds."""
    if root is Root.PRODUCED:
        # The name is made of the study's digest, the UID and the claim.
        uids = [key.rpartition("/")[2].split("-")[1:2] for key in keys]
        flat = [uid for one in uids for uid in one]
        return _exactly(root, keys).where(ObjectRow.sop_instance_uid.in_(flat))
    hours = [hour for key in keys if (hour := _hour(key))]
    if not hours:
        return _exactly(root, keys).where(sa.false())
    return _exactly(root, keys).where(
        ReceiptRow.state.in_(list(ReceiptState)),
        ReceiptRow.recorded_at.between(min(hours) - ABOUT, max(hours) + ABOUT),
    )


def _hour(key: str) -> datetime | None:
    """Return the hour of a key's folder; None where somebody else has named it."""
    try:
        return datetime.strptime(key.rpartition("/")[0], HOUR_FOLDER).replace(
            tzinfo=UTC
        )
    except ValueError:
        return None
