"""The node as it is in a hospital: processes, started, killed and started again."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dicom_node import __main__ as command_line
from dicom_node.demo_pacs import wait_for_port
from dicom_node.sender import Peer
from storage.database import open_database
from storage.overview import Overview, overview
from tests.ports import free_port
from tests.privacy import EAR

CONFIG = """\
[node]
ae_title = "LUMBARNODE"
port = {port}
data_directory = "{folder}/data"
[database]
url = "{url}"
[receiver]
quiet_seconds = {quiet_seconds}
[model]
accept_phantom_bundle = true
[worker]
lease_seconds = 4
poll_seconds = 0.1
{destinations}
"""
PATIENCE_SECONDS = 120.0


@dataclass
class NodeProcesses:
    """A configuration, and the processes that run with it."""

    folder: Path
    url: str
    port: int
    program: str = "dicom_node"
    """The module to run: the node, or the node with a stand-in for the network."""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def peer(self) -> Peer:
        return Peer("LUMBARNODE", "127.0.0.1", self.port)

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def run_here(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one verb to its end in this process, which has imported everything."""
        return run_here(verb, "--config", str(self.config), *words)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one verb to its end in a process of its own."""
        ended = subprocess.run(
            self._command(*words), capture_output=True, text=True, check=False
        )
        EAR.hear(words[0], ended.stdout + ended.stderr)
        return ended

    def start(self, verb: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{verb}.log").open("ab") as log:
            process = subprocess.Popen(self._command(verb), stdout=log, stderr=log)
        self.running.append(process)
        if verb == "receive":
            wait_for_port(self.port, process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """As the kernel does when memory runs out: no last word."""
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def overview(self) -> Overview:
        with (
            closing(open_database(self.url)) as database,
            database.reading.begin() as session,
        ):
            return overview(session)

    def wait_until(self, condition: Callable[[Overview], bool]) -> Overview:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(seen := self.overview()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return seen
        raise AssertionError(f"waited in vain; {seen}; {self.logs()}")

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def _command(self, *words: str) -> list[str]:
        verb, *rest = words
        base = [sys.executable, "-m", self.program, verb]
        return [*base, "--config", str(self.config), *rest]


def run_here(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the node's command line in this process, to its end."""
    out, err = StringIO(), StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = command_line.main(words)
    finally:
        # The verb logs to its standard error, which ends here.
        root.handlers[:] = handlers
        root.setLevel(level)
    EAR.hear(words[0], out.getvalue() + err.getvalue())
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


@contextmanager
def node_processes(
    folder: Path, url: str, quiet_seconds: float = 0.5, destinations: str = ""
) -> Iterator[NodeProcesses]:
    """Write a configuration; end whatever still runs when the block does."""
    node = NodeProcesses(folder, url, free_port())
    (folder / "data").mkdir(parents=True)
    text = CONFIG.format(
        port=node.port,
        folder=folder,
        url=url,
        quiet_seconds=quiet_seconds,
        destinations=destinations,
    )
    node.config.write_text(text)
    try:
        yield node
    finally:
        for process in list(node.running):
            node.kill(process)
        EAR.hear("the node's processes", node.logs())
