"""The way in: what a C-STORE brings becomes durable, or is refused as a whole.

Each caller writes, flushes and renames its own file. What is left is the same for all
that come at once, and is paid once for all of them: one flush of the folder that has
the new names, then one transaction with a receipt for each. This order is the promise:
a row never names a file that a power cut could take away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from storage.database import Database
from storage.errors import ConnectionLost, DatabaseUnreachable, StorageError
from storage.files import Files, StoredFile
from storage.group_commit import GroupCommit
from storage.receipts import Receipt, add_receipts


@dataclass(frozen=True)
class Intake:
    """Keeps files and their receipts; any number of threads may call it at once."""

    database: Database
    files: Files
    _group: GroupCommit[Receipt] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_group", GroupCommit(self._commit))

    def keep(
        self,
        parts: Sequence[bytes | memoryview],
        receipt_of: Callable[[StoredFile], Receipt],
    ) -> None:
        """Keep an object and its receipt; once this returns both survive a power cut.

        Raises
        ------
        OSError
            The disk is full or broken. Nothing is left behind.
        StorageError
            The receipt could not be written. The file is removed again, except where
            the connection broke (`ConnectionLost`): the receipt may be there then.
        """
        stored = self.files.place_received(parts)
        try:
            self._group.commit(receipt_of(stored))
        except ConnectionLost:
            raise
        except BaseException:
            self.files.remove(stored.root, stored.key)
            raise

    def _commit(self, receipts: Sequence[Receipt]) -> list[Exception | None]:
        """Return each receipt's error, or None where it is durable now."""
        errors = self._flush_folders(receipts)
        named = [receipt for receipt in receipts if receipt.id not in errors]
        errors |= self._add_rows(named)
        return [errors.get(receipt.id) for receipt in receipts]

    def _flush_folders(self, receipts: Sequence[Receipt]) -> dict[str, Exception]:
        """Flush each folder once; a folder's error concerns the files in it."""
        by_folder = defaultdict[Path, list[Receipt]](list)
        for receipt in receipts:
            by_folder[self.files.folder_of(receipt.file)].append(receipt)
        errors: dict[str, Exception] = {}
        for folder, in_folder in by_folder.items():
            try:
                self.files.flush_names(folder)
            except OSError as error:
                errors |= {receipt.id: error for receipt in in_folder}
        return errors

    def _add_rows(self, receipts: Sequence[Receipt]) -> dict[str, Exception]:
        """Add all rows in one transaction, or each in its own where one is refused."""
        if not receipts:
            return {}
        try:
            with self.database.engine.begin() as connection:
                add_receipts(connection, receipts)
        except DatabaseUnreachable as error:
            # No single row's fault, and each try may last as long as the first.
            return {receipt.id: error for receipt in receipts}
        # Whatever the driver dislikes about one row must not cost the others theirs.
        except Exception as error:  # noqa: BLE001
            if len(receipts) == 1:
                return {receipts[0].id: _refused(error)}
            alone = [self._add_rows([receipt]) for receipt in receipts]
            return {receipt_id: it for one in alone for receipt_id, it in one.items()}
        return {}


def _refused(error: Exception) -> StorageError:
    if isinstance(error, StorageError):
        return error
    # Its message would quote the row.
    refused = StorageError(
        f"the database refuses this receipt ({type(error).__name__}); the sender may "
        f"try again, and should it go on, please report it"
    )
    refused.__cause__ = error
    return refused
