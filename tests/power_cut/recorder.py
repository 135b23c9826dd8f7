"""A file system that keeps its files in a folder and writes down what is done to them.

``python -m tests.power_cut.recorder MOUNT FOLDER RECORD`` serves until it is unmounted.
A sync takes a moment before it counts, so that an acknowledgement which does not wait
for it comes too early, and is seen to.
"""

from __future__ import annotations

import os
import random
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import mfusepy

from tests.power_cut.recording import (
    MARKS,
    ROOT,
    Acknowledged,
    Link,
    Make,
    Operation,
    Rename,
    Sync,
    Truncate,
    Unlink,
    Write,
    append,
)

ENDED_BY_SIGNAL = 8
"""What libfuse's `fuse_main` returns when it was told to end (fuse.h)."""
LONGEST_SYNC_SECONDS = 0.01


class Recorder(mfusepy.Operations):  # type: ignore[misc]
    """Passes everything on, and records what changes anything."""

    use_ns = True

    def __init__(self, folder: Path, record: BinaryIO) -> None:
        self._folder = folder
        self._record = record
        self._lock = threading.Lock()
        self._nodes: dict[str, int] = {"/": ROOT}
        self._open: dict[int, int] = {}
        """The node of each open descriptor: its name may be gone."""
        self._made = self._count = ROOT

    # What changes names. Each is done and recorded under one lock, in one order.

    def create(self, path: str, mode: int, flags: int | None = None) -> int:
        with self._lock:
            # The kernel has looked: only a race could have made it meanwhile.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            descriptor = os.open(self._real(path), flags, mode)
            self._open[descriptor] = self._make(path, folder=False)
            return descriptor

    def mkdir(self, path: str, mode: int) -> int:
        with self._lock:
            self._real(path).mkdir(mode)
            self._make(path, folder=True)
        return 0

    def link(self, target: str, source: str) -> int:
        with self._lock:
            self._real(target).hardlink_to(self._real(source))
            node = self._nodes[target] = self._nodes[source]
            self._write_down(Link(*self._place(target), node))
        return 0

    def unlink(self, path: str) -> int:
        return self._remove(path, Path.unlink)

    def rmdir(self, path: str) -> int:
        return self._remove(path, Path.rmdir)

    def rename(self, old: str, new: str) -> int:
        with self._lock:
            self._real(old).replace(self._real(new))
            self._nodes.pop(new, None)
            below = [path for path in self._nodes if f"{path}/".startswith(f"{old}/")]
            for path in below:
                self._nodes[new + path[len(old) :]] = self._nodes.pop(path)
            self._write_down(Rename(*self._place(old), *self._place(new)))
        return 0

    # What changes content.

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._lock:
            if path == MARKS:
                self._write_down(Acknowledged(bytes(data).decode().strip()))
                return len(data)
            written = os.pwrite(fh, data, offset)
            self._write_down(Write(self._open[fh], offset, bytes(data[:written])))
            return written

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        with self._lock:
            os.truncate(self._real(path) if fh is None else fh, length)
            node = self._nodes[path] if fh is None else self._open[fh]
            self._write_down(Truncate(node, length))
        return 0

    # What makes it last.

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return self._sync(self._open[fh], path)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        return self._sync(self._nodes[path], path)

    # What only looks, or changes nothing that a power cut could take.

    def open(self, path: str, flags: int) -> int:
        if path == MARKS:
            return 0
        with self._lock:
            # Appending is the kernel's business: it tells the offset of each write.
            descriptor = os.open(self._real(path), flags & ~os.O_APPEND)
            node = self._open[descriptor] = self._nodes[path]
            if flags & os.O_TRUNC:
                self._write_down(Truncate(node, 0))
            return descriptor

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def release(self, path: str, fh: int) -> int:
        if path != MARKS:
            with self._lock:
                del self._open[fh]
            os.close(fh)
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == MARKS:
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": 0}
        found = os.fstat(fh) if fh else self._real(path).lstat()
        names = ("mode", "nlink", "size", "uid", "gid")
        times = {
            f"st_{which}time": getattr(found, f"st_{which}time_ns") for which in "amc"
        }
        return {f"st_{name}": getattr(found, f"st_{name}") for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path))]  # noqa: PTH208

    def chmod(self, path: str, mode: int) -> int:
        self._real(path).chmod(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._real(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        if times is None:
            os.utime(self._real(path))
        else:
            os.utime(self._real(path), ns=times)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._real(path))
        return {
            name: getattr(found, name) for name in dir(found) if name.startswith("f_")
        }

    def _remove(self, path: str, how: Callable[[Path], None]) -> int:
        with self._lock:
            how(self._real(path))
            self._write_down(Unlink(*self._place(path)))
            del self._nodes[path]
        return 0

    def _sync(self, node: int, path: str) -> int:
        with self._lock:
            covers = self._count
        time.sleep(random.uniform(0, LONGEST_SYNC_SECONDS))
        with self._lock:
            self._write_down(Sync(node, path, covers))
        return 0

    def _make(self, path: str, *, folder: bool) -> int:
        self._made += 1
        self._nodes[path] = self._made
        self._write_down(Make(*self._place(path), self._made, folder))
        return self._made

    def _place(self, path: str) -> tuple[int, str]:
        parent, name = os.path.split(path)
        return self._nodes[parent], name

    def _real(self, path: str) -> Path:
        return self._folder / path[1:]

    def _write_down(self, operation: Operation) -> None:
        append(self._record, operation)
        self._count += 1


def main() -> None:
    """Serve the mount point that the command line names."""
    mount, folder, record = sys.argv[1:]
    os.umask(0)  # the modes that callers ask for have been masked already
    with Path(record).open("wb") as file:
        try:
            mfusepy.FUSE(Recorder(Path(folder), file), mount, foreground=True)
        except RuntimeError as ended:
            if ended.args != (ENDED_BY_SIGNAL,):
                raise


if __name__ == "__main__":
    main()
