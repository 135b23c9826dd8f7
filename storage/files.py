"""Files that survive a power cut: the objects received and the objects produced.

Nothing from the wire ever names a file. What is received gets a fresh UUID, what
we produce is named by a digest of its study.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.errors import BadKey
from storage.states import Root as Root

FOLDER_MODE = 0o700
FILE_MODE = 0o600

TEMPORARY_SUFFIX = ".part"

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_KEY = re.compile(rf"{_NAME}(?:/{_NAME})*")
"""No empty part, no leading dot: a key cannot leave its root or be a temporary."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A durable file: which folder, what key below it, and what it must contain."""

    root: Root
    key: str
    """Relative to the root, with forward slashes."""
    sha256: str
    """Of the whole file, lower-case hexadecimal."""
    size_bytes: int


@dataclass(frozen=True)
class Files:
    """The two folders of files below the data directory."""

    data_directory: Path
    _durable: set[Path] = field(
        default_factory=set, init=False, repr=False, compare=False
    )
    """Folders that a power cut can no longer undo, so that few are synced twice."""

    def make_folder(self) -> None:
        """Make the data directory where it is missing; durable on return."""
        _make_folders(self.data_directory)

    def write_received(self, parts: Sequence[bytes | memoryview]) -> StoredFile:
        """Write one object as it came, in pieces; durable on return.

        Raises
        ------
        OSError
            The disk is full or broken. No file is left behind.
        """
        stored = self.place_received(parts)
        self.flush_names(self.folder_of(stored))
        return stored

    def place_received(self, parts: Sequence[bytes | memoryview]) -> StoredFile:
        """Write one object as it came; its content is durable on return.

        Its name is only after `flush_names` of its folder, which all that were
        placed there by then share.

        Raises
        ------
        OSError
            The disk is full or broken. No file is left behind.
        """
        # One folder an hour keeps folders small at any rate of receiving.
        hour = datetime.now(UTC).strftime("%Y/%m/%d/%H")
        return self._place(Root.RECEIVED, f"{hour}/{uuid.uuid4().hex}.dcm", parts)

    def folder_of(self, stored: StoredFile) -> Path:
        """Return the folder that holds a file's name."""
        return self.path(stored.root, stored.key).parent

    def flush_names(self, folder: Path) -> None:
        """Make every name that is in a folder by now survive a power cut.

        Raises
        ------
        OSError
            The disk is broken.
        """
        _sync_folder(folder)

    def write_produced(
        self, study_instance_uid: str, name: str, content: bytes | memoryview
    ) -> StoredFile:
        """Write an object of ours; durable on return.

        The same study and name give the same key, whose file is then replaced
        atomically. Whoever names files by attempt leaves one for each: those that no
        row names go later (`storage.strays`).

        Raises
        ------
        BadKey
            ``name`` is not a plain file name.
        OSError
            The disk is full or broken. What was there before is untouched.
        """
        # A digest, because a study UID is text from the wire.
        study = hashlib.sha256(study_instance_uid.encode("utf-8", "surrogatepass"))
        digest = study.hexdigest()
        stored = self._place(Root.PRODUCED, f"{digest[:2]}/{digest}-{name}", [content])
        self.flush_names(self.folder_of(stored))
        return stored

    def made_once(self, name: str, content: bytes) -> bytes:
        """Return what a file of the data directory holds: ``content`` if it is new.

        Whole and durable on return: of several processes the first one decides, and
        no kill and no power cut leaves an empty file for ever.

        Raises
        ------
        OSError
            It can be neither read nor written.
        """
        self.make_folder()
        path = self.data_directory / name
        if not path.exists():
            temporary = _temporary(path)
            try:
                _write_durably(temporary, [content])
                with suppress(FileExistsError):
                    path.hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
        # Even where it is not new: whoever made it may not have come so far yet.
        _sync_folder(self.data_directory)
        return path.read_bytes()

    def path(self, root: Root, key: str) -> Path:
        """Return where a file lies, whether or not it is there.

        Raises
        ------
        BadKey
            The key could leave the root's folder.
        """
        if not _KEY.fullmatch(key):
            raise BadKey(
                f"{key!r} is no key of a stored file: only letters, digits, '.', '_' "
                f"and '-' between single slashes, and no part starts with a dot"
            )
        return self.data_directory / root.value / key

    def read(self, root: Root, key: str) -> bytes:
        """Return the whole content of a file.

        Raises
        ------
        BadKey
            The key could leave the root's folder.
        FileNotFoundError
            There is no such file.
        """
        return self.path(root, key).read_bytes()

    def remove(self, root: Root, key: str) -> None:
        """Remove a file; one that is gone already is no error.

        Raises
        ------
        BadKey
            The key could leave the root's folder.
        """
        self.path(root, key).unlink(missing_ok=True)

    def flush_removed(self, folder: Path) -> None:
        """Make removals from a folder survive a power cut, where it is still there.

        Raises
        ------
        OSError
            The disk is broken.
        """
        with suppress(FileNotFoundError):
            _sync_folder(folder)

    def folders(self) -> Iterator[tuple[Root, str]]:
        """Yield every folder that may hold files, and what their keys begin with."""
        for root in Root:
            top = self.data_directory / root.value
            for folder, _, names in os.walk(top):
                if names:
                    yield root, Path(folder).relative_to(top).as_posix()

    def keys_of(
        self, root: Root, prefix: str, since: datetime, until: datetime
    ) -> list[str]:
        """Return the keys of a folder's files that were written in between."""
        keys = []
        folder = self.data_directory / root.value / prefix
        # Another process may remove the folder or a file while we look.
        with suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                key = f"{prefix}/{entry.name}"
                if not _KEY.fullmatch(key) or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError):
                    if since.timestamp() <= entry.stat().st_mtime <= until.timestamp():
                        keys.append(key)
        return keys

    def remove_abandoned_temporaries(self, older_than: timedelta) -> int:
        """Remove what killed writers left behind, and return how many files.

        Younger ones may belong to a writer at work. None of them was ever
        acknowledged: that happens after the rename.
        """
        latest = (datetime.now(UTC) - older_than).timestamp()
        removed = 0
        for temporary in self.data_directory.rglob(f"*{TEMPORARY_SUFFIX}"):
            # Between listing and looking, its writer may have finished it.
            with suppress(FileNotFoundError):
                if temporary.stat().st_mtime <= latest:
                    temporary.unlink()
                    removed += 1
        return removed

    def _place(
        self, root: Root, key: str, parts: Sequence[bytes | memoryview]
    ) -> StoredFile:
        """Write a file beside its place, flush it, and rename it."""
        path = self.path(root, key)
        self._make_durable_folder(path.parent)
        temporary = _temporary(path)
        try:
            sha256, size_bytes = _write_durably(temporary, parts)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return StoredFile(root, key, sha256, size_bytes)

    def _make_durable_folder(self, folder: Path) -> None:
        if folder in self._durable:
            return
        _make_folders(folder)
        # Another thread or process may have made any of them a moment ago and
        # not synced it yet, so the whole way up is synced, whoever made it.
        for parent in folder.parents:
            _sync_folder(parent)
            if parent == self.data_directory:
                break
        self._durable.add(folder)


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(FOLDER_MODE, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: fsync of a file does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    """Return a new name in the same folder, where a rename is atomic."""
    return path.with_name(f".{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")


def _write_durably(path: Path, parts: Sequence[bytes | memoryview]) -> tuple[str, int]:
    """Write the parts one after the other; return their SHA-256 and size in bytes."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    size_bytes = 0
    try:
        for part in parts:
            digest.update(part)
            size_bytes += _write_whole(descriptor, part)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return digest.hexdigest(), size_bytes


def _write_whole(descriptor: int, part: bytes | memoryview) -> int:
    """Write all of it, in as many pieces as the system takes; return its size."""
    rest = memoryview(part).cast("B")
    size_bytes = len(rest)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return size_bytes
