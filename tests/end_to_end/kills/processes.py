"""Start the node's processes, kill them, and see whether they live."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.kills.stages import Page

END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Process:
    """One forked process of the node; its number cannot be taken for another's."""

    verb: str
    pid: int
    descriptor: int
    page: Page

    @property
    def lives(self) -> bool:
        return not select.select([self.descriptor], [], [], 0)[0]

    def kill(self) -> None:
        """As the kernel does when memory runs out: no last word."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """Ask it to stop, and wait until it has."""
        signal.pidfd_send_signal(self.descriptor, signal.SIGTERM)
        self.wait()

    def wait(self) -> None:
        if not select.select([self.descriptor], [], [], END_SECONDS)[0]:
            raise AssertionError(f"{self.verb} ({self.pid}) does not end")
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Starter:
    """Asks the forking process for more processes."""

    forking: subprocess.Popen[str]
    folder: Path

    def start(self, verb: str, *words: str) -> Process:
        page = self.folder / f"{verb}.stages"
        page.write_bytes(bytes(2))
        asked = {
            "words": [verb, "--config", str(self.folder / "config.toml"), *words],
            "log": str(self.folder / f"{verb}.log"),
            "page": str(page),
        }
        assert self.forking.stdin is not None
        assert self.forking.stdout is not None
        self.forking.stdin.write(json.dumps(asked) + "\n")
        self.forking.stdin.flush()
        pid = int(self.forking.stdout.readline())
        return Process(verb, pid, os.pidfd_open(pid), Page(page))


@contextmanager
def forking(folder: Path) -> Iterator[Starter]:
    """Run the forking process; it ends with the block, and so does what it forked."""
    command = [sys.executable, "-m", "tests.end_to_end.kills.fast_node"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    with process:
        yield Starter(process, folder)
        assert process.stdin is not None
        process.stdin.close()
