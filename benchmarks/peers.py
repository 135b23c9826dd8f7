"""What the benchmarks measure: our receiver, Orthanc, storescp, PostgreSQL, senders.

Each runs as a process of its own in a folder of its own, and is ended with its block.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicom_node.demo import STUDY
from dicom_node.demo_pacs import free_port, wait_for_port
from dicom_node.errors import NodeError
from storage.database import migrate

AE_TITLE = "RECEIVER"
STOP_SECONDS = 60.0
SERVERS = "/usr/sbin:/usr/local/sbin:/usr/bin"
"""Where Debian keeps servers, and DCMTK's tools beside namesakes of pynetdicom."""
IMAGE_SIDE = 512
"""Pixels: with 16 bits each, half a megabyte."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = """\
[node]
ae_title = "{ae_title}"
port = {port}
data_directory = "{folder}/data"
[database]
url = "{url}"
[receiver]
max_associations = 100
"""


class PeerMissing(Exception):
    """A program that is to be measured is not installed, or does not start."""


@dataclass(frozen=True, slots=True)
class Running:
    """A listening process."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Return the processor time of it, its children and those that ended."""
        return sum(map(_cpu_seconds, process_tree(self.process.pid)))


def program(name: str) -> str:
    """Return a program's path.

    Raises
    ------
    PeerMissing
        It is not there.
    """
    found = shutil.which(name, path=f"{SERVERS}:{os.environ.get('PATH', '')}")
    if found is None:
        raise PeerMissing(f"{name} is not installed; see `make peers`")
    return found


def process_tree(pid: int) -> list[int]:
    """Return a process and everything below it that lives."""
    below = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            below += [int(word) for word in children.read_text().split()]
    return [pid, *(one for child in below for one in process_tree(child))]


def _cpu_seconds(pid: int) -> float:
    # Fields 14 to 17 of proc(5): user and system time, its own and that of ended ones.
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(ticks) for ticks in after_name[11:15]) / CLOCK_TICKS


@contextmanager
def listening(
    folder: Path, port: int, command: Sequence[str], *, nodelay: bool
) -> Iterator[Running]:
    """Run a command that listens on a port, with DCMTK's TCP_NODELAY or as it comes."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment(nodelay=nodelay)
        )
        try:
            _wait(port, process, Path(output.name))
            yield Running(port, process)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _wait(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    try:
        wait_for_port(port, process)
    except NodeError as error:
        raise PeerMissing(f"{process.args!r}: {output.read_text()[-500:]}") from error


def environment(*, nodelay: bool) -> dict[str, str]:
    """Return the environment of a DCMTK program; it reads this variable."""
    plain = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    return {**plain, "TCP_NODELAY": "1"} if nodelay else plain


@contextmanager
def our_receiver(folder: Path, url: str) -> Iterator[Running]:
    """Run ``lumbar-node receive`` on a migrated database."""
    port, config = free_port(), folder / "config.toml"
    (folder / "data").mkdir(parents=True)
    config.write_text(
        CONFIG.format(ae_title=AE_TITLE, port=port, folder=folder, url=url)
    )
    command = [sys.executable, "-m", "dicom_node", "receive", "--config", str(config)]
    with listening(folder, port, command, nodelay=False) as running:
        yield running


@contextmanager
def sqlite_receiver(folder: Path) -> Iterator[Running]:
    """Run ours on a new SQLite database."""
    url = f"sqlite:///{folder}/node.sqlite"
    migrate(url)
    with our_receiver(folder, url) as running:
        yield running


@contextmanager
def orthanc(folder: Path, *, nodelay: bool) -> Iterator[Running]:
    """Run Orthanc with its defaults."""
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": AE_TITLE,
        "DicomPort": port,
        "HttpPort": free_port(),
    }
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(settings))
    command = [program("Orthanc"), str(configuration)]
    with listening(folder, port, command, nodelay=nodelay) as running:
        yield running


@contextmanager
def storescp(folder: Path, *, nodelay: bool) -> Iterator[Running]:
    """Run DCMTK's storescp with a process for each association."""
    port = free_port()
    kept = folder / "kept"
    kept.mkdir()
    command = [
        program("storescp"),
        "--fork",
        "-aet",
        AE_TITLE,
        "-od",
        f"{kept}",
        f"{port}",
    ]
    with listening(folder, port, command, nodelay=nodelay) as running:
        yield running


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL with its defaults; yield the URL of a migrated database."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder = Path(name)
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        cluster, log = folder / "cluster", folder / "log"
        options = f"-c listen_addresses='' -k {folder}"
        _as(user, "initdb", "-D", cluster, "--username=postgres", "--auth=trust")
        _as(user, "pg_ctl", "-D", cluster, "-w", "-l", log, "-o", options, "start")
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
            migrate(url)
            yield url
        finally:
            _as(user, "pg_ctl", "-D", cluster, "-w", "-m", "fast", "stop")


def _as(user: str | None, name: str, *arguments: str | Path) -> None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not versions:
        raise PeerMissing(f"{name} of PostgreSQL is not installed; see `make peers`")
    group = pwd.getpwnam(user).pw_gid if user else None
    subprocess.run(
        [versions[-1], *arguments],
        user=user,
        group=group,
        extra_groups=[] if user else None,
        cwd="/",
        check=True,
        # A server that outlives its starter would keep a pipe open for ever.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def resident_mib(pid: int) -> float:
    """Return the memory of a process, 0 where it has ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(pages) * PAGE_BYTES / (1 << 20)


def write_images(folder: Path, count: int, side: int = IMAGE_SIDE) -> list[Path]:
    """Write so many axial images of one new series; half a megabyte each by default."""
    folder.mkdir(parents=True)
    ds = pydicom.dcmread(next((STUDY / "t2_ax").glob("*.dcm")))
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Rows = ds.Columns = side
    del ds.PixelData
    ds.add_new("PixelData", "OW", os.urandom(side * side * 2))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    paths = []
    for number in range(1, count + 1):
        ds.InstanceNumber = number
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        paths.append(folder / f"{uuid.uuid4().hex}.dcm")
        ds.save_as(paths[-1])
    return paths


def start_sender(
    port: int, files: Sequence[Path], *, nodelay: bool
) -> subprocess.Popen[bytes]:
    """Start DCMTK's storescu with these files over one association."""
    command = [program("storescu"), "-aec", AE_TITLE, "127.0.0.1", str(port)]
    command += map(str, files)
    return subprocess.Popen(command, env=environment(nodelay=nodelay))


def enter_network(*, loopback: bool) -> str:
    """Give this process a network of its own with Ethernet's MTU, and say which it has.

    On the loopback's own MTU of 65,536 an image is a handful of packets, and what
    Nagle's algorithm and delayed acknowledgement cost on a real network is not seen.
    The process is replaced by itself in the new network; this returns in there.
    """
    marker = "LUMBAR_BENCHMARK_NETWORK"
    if marker in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "up"], check=True)
        return "a network namespace of its own, MTU 1500"
    possible = not loopback and shutil.which("unshare") and shutil.which("ip")
    if (
        possible
        and not subprocess.run(
            ["unshare", "--net", "ip", "link", "set", "lo", "mtu", "1500", "up"],
            check=False,
            capture_output=True,
        ).returncode
    ):
        os.environ[marker] = "1"
        arguments = [sys.executable, *sys.orig_argv[1:]]
        os.execvp("unshare", ["unshare", "--net", *arguments])  # noqa: S606
    return "the loopback interface, MTU 65536 (a network namespace needs root)"
