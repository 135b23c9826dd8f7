"""A PACS for the demo and the end-to-end tests: Orthanc, or a small one of our own.

Both are filled, told to route to the node, and asked what came back.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import pydicom
from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.calling import CallingAE
from dicom_node.errors import NodeError
from dicom_node.sender import Peer

START_SECONDS = 30.0
OURS = (ComprehensiveSRStorage, SecondaryCaptureImageStorage)
"""What the node puts into a PACS."""


class Pacs(Protocol):
    """A PACS that can be filled, told to route, and asked for what came back."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    def fill(self, files: Sequence[Path]) -> None:
        """Store Part 10 files, as a modality would."""

    def route(self, node: Peer) -> None:
        """Send everything it holds to the node."""

    def instances(self) -> list[Dataset]:
        """Return everything it holds."""


def returned(pacs: Pacs) -> list[Dataset]:
    """Return the reports and pictures that a PACS holds."""
    return [ds for ds in pacs.instances() if ds.SOPClassUID in OURS]


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], seconds: float = START_SECONDS
) -> None:
    """Return when the process listens on a port of this machine.

    Raises
    ------
    NodeError
        It has ended, or does not listen after so long.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise NodeError(f"nothing listens on port {port}; see the log of what was started")


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc, driven through its REST interface."""

    http_port: int
    version: str

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"Orthanc {self.version}"

    def fill(self, files: Sequence[Path]) -> None:
        """Store Part 10 files."""
        for path in files:
            self._post("/instances", path.read_bytes())

    def know(self, node: Peer) -> None:
        """Know the node as somebody to send to."""
        modality = [node.ae_title, node.host, node.port]
        self._request("PUT", "/modalities/node", json.dumps(modality).encode())

    def route(self, node: Peer) -> None:
        """Send every study to the node, over one association."""
        self.know(node)
        studies = json.dumps({"Resources": self.get("/studies"), "Synchronous": True})
        self._post("/modalities/node/store", studies.encode())

    def instances(self) -> list[Dataset]:
        """Return everything it holds."""
        return [
            pydicom.dcmread(BytesIO(self._request("GET", f"/instances/{uid}/file")))
            for uid in self.get("/instances")
        ]

    def get(self, path: str) -> Any:
        """Return the JSON that a REST path answers with."""
        return json.loads(self._request("GET", path))

    def _post(self, path: str, body: bytes) -> None:
        self._request("POST", path, body)

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        request = urllib.request.Request(url, data=body, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content


@contextmanager
def orthanc(
    folder: Path, ae_title: str, port: int, **further: object
) -> Iterator[Orthanc]:
    """Run Orthanc in a folder of its own, until the block ends.

    ``further`` settings are Orthanc's own, by their names.

    Raises
    ------
    NodeError
        It is not installed, or does not start.
    """
    program = shutil.which("Orthanc")
    if program is None:
        raise NodeError("Orthanc is not installed; on Debian: apt-get install orthanc")
    folder.mkdir(parents=True, exist_ok=True)
    http_port = free_port()
    configuration = folder / "orthanc.json"
    settings = _settings(folder, ae_title, port, http_port) | further
    configuration.write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [program, str(configuration)], stdout=output, stderr=output
        )
        try:
            wait_for_port(port, process)
            wait_for_port(http_port, process)
            version = Orthanc(http_port, "").get("/system")["Version"]
            yield Orthanc(http_port, version)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _settings(
    folder: Path, ae_title: str, port: int, http_port: int
) -> dict[str, object]:
    return {
        "Name": ae_title,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": ae_title,
        "DicomPort": port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "UnknownSopClassAccepted": True,
        "DicomModalities": {},
        "ConcurrentJobs": 1,
        "Plugins": [],
    }


@dataclass(slots=True)
class SmallPacs:
    """A storage SCP that keeps everything in memory, for machines without Orthanc."""

    ae_title: str
    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Part 10 files by Series and SOP Instance UID."""
    name: str = "a small one inside this demo (Orthanc is not installed)"

    def fill(self, files: Sequence[Path]) -> None:
        """Store Part 10 files."""
        for path in files:
            self._keep(path.read_bytes())

    def route(self, node: Peer) -> None:
        """Send everything it holds to the node."""
        datasets = self.instances()
        ae = CallingAE(ae_title=self.ae_title)
        for ds in datasets:
            ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
        assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
        if not assoc.is_established:
            raise NodeError(f"{node} does not accept an association")
        for ds in datasets:
            assoc.send_c_store(ds)
        assoc.release()

    def instances(self) -> list[Dataset]:
        """Return everything it holds."""
        # A copy, because an association may be adding to it this moment.
        kept = list(self.kept.values())
        return [pydicom.dcmread(BytesIO(content)) for content in kept]

    def on_store(self, event: evt.Event) -> int:
        """Keep what comes; like most archives, the first of equal UIDs."""
        self._keep(event.encoded_dataset())
        return 0x0000

    def _keep(self, content: bytes) -> None:
        ds = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        key = (str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))
        self.kept.setdefault(key, content)


@contextmanager
def small_pacs(ae_title: str, port: int) -> Iterator[SmallPacs]:
    """Run the small PACS until the block ends."""
    pacs = SmallPacs(ae_title)
    ae = AE(ae_title=ae_title)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(Verification)
    server = ae.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, pacs.on_store)],
    )
    try:
        yield pacs
    finally:
        if server is not None:
            server.shutdown()


def study_uid(path: Path) -> str:
    """Return the Study Instance UID of a Part 10 file."""
    ds = pydicom.dcmread(path, specific_tags=["StudyInstanceUID"])
    return str(ds.StudyInstanceUID)
