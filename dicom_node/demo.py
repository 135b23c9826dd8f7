"""The whole path on one machine: a PACS sends a study, and a report comes back."""

from __future__ import annotations

import contextlib
import html
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node import demo_pacs
from dicom_node.demo_pacs import Pacs, free_port, returned, wait_for_port
from dicom_node.errors import NodeError
from dicom_node.listing import as_table
from dicom_node.sender import Peer
from grading.grades import StudyGrades
from storage import results
from storage.database import migrate, open_database
from storage.overview import Overview, overview

PATIENCE_SECONDS = 300.0
QUIET_SECONDS = 3.0
PACS_TITLE, NODE_TITLE = "DEMOPACS", "LUMBARNODE"
STUDY = Path(__file__).parent.parent / "tests" / "data" / "hitachi"
"""The public-domain study of the repository."""

CONFIG = """\
[node]
ae_title = "{node_title}"
port = {node_port}
data_directory = "{folder}/node"
[database]
url = "sqlite:///{folder}/node.sqlite"
[receiver]
quiet_seconds = {quiet_seconds}
[model]
accept_phantom_bundle = true
[worker]
poll_seconds = 0.2
[[destinations]]
name = "pacs"
ae_title = "{pacs_title}"
host = "127.0.0.1"
port = {pacs_port}
"""


def demo(study: Path | None, out: Path) -> int:
    """Run the whole path, print what came back, and stop all that was started.

    Raises
    ------
    NodeError
        There is no study, or no report came back in time.
    """
    files = sorted((study or STUDY).rglob("*.dcm"))
    if not files:
        raise NodeError(
            f"{study or STUDY} holds no .dcm files; name a folder with --study"
        )
    out.mkdir(parents=True, exist_ok=True)
    node_log = out / "node.log"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = free_port(), free_port()
        pacs = stack.enter_context(running_pacs(folder / "pacs", ports[1]))
        print(f"PACS   {pacs.name}: {PACS_TITLE} on port {ports[1]}")
        url = stack.enter_context(running_node(folder, *ports, node_log))
        print(f"node   {NODE_TITLE} on port {ports[0]}, log in {node_log}")
        pacs.fill(files)
        print(f"study  {len(files)} images; the PACS routes them to the node")
        started = time.monotonic()
        pacs.route(Peer(NODE_TITLE, "127.0.0.1", ports[0]))
        _wait_for_report(pacs, url, node_log)
        seconds = time.monotonic() - started
        print("\n" + as_table(_grades(url, files)))
        kept = _keep(returned(pacs), out)
    print(
        f"\n{seconds:.1f} s from the first image to the report in the PACS, "
        f"{QUIET_SECONDS:.0f} s of them quiet time"
    )
    for name, path in kept:
        print(f"{name:<20} {path}")
    return 0


@contextlib.contextmanager
def running_pacs(folder: Path, port: int) -> Iterator[Pacs]:
    """Run the PACS until the block ends: Orthanc where it is installed."""
    if shutil.which("Orthanc"):
        with demo_pacs.orthanc(folder, PACS_TITLE, port) as orthanc:
            yield orthanc
    else:
        with demo_pacs.small_pacs(PACS_TITLE, port) as small:
            yield small


@contextlib.contextmanager
def running_node(folder: Path, port: int, pacs_port: int, log: Path) -> Iterator[str]:
    """Run the node in a folder until the block ends; yield its database's URL."""
    config = folder / "config.toml"
    config.write_text(
        CONFIG.format(
            folder=folder,
            node_title=NODE_TITLE,
            node_port=port,
            pacs_title=PACS_TITLE,
            pacs_port=pacs_port,
            quiet_seconds=QUIET_SECONDS,
        ),
        encoding="utf-8",
    )
    url = f"sqlite:///{folder}/node.sqlite"
    migrate(url)
    (folder / "node").mkdir(mode=0o700)
    command = [sys.executable, "-m", "dicom_node", "serve", "--config", str(config)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_for_port(port, process)
            yield url
        finally:
            process.terminate()
            process.wait()


def _wait_for_report(pacs: Pacs, url: str, log: Path) -> None:
    """Show progress until report and picture are in the PACS.

    Raises
    ------
    NodeError
        Grading failed, or it takes too long.
    """
    database = open_database(url)
    deadline, shown = time.monotonic() + PATIENCE_SECONDS, ""
    try:
        while time.monotonic() < deadline:
            with database.reading.begin() as session:
                seen = overview(session)
            if (progress := _progress(seen)) != shown:
                print(f"       {progress}", flush=True)
                shown = progress
            if seen.alarms:
                raise NodeError(f"{seen.alarms[0].sentence}; see {log}")
            if sum(to.delivered for to in seen.deliveries) >= len(demo_pacs.OURS):
                return
            time.sleep(0.2)
    finally:
        database.close()
    raise NodeError(f"no report after {PATIENCE_SECONDS:.0f} s; see {log}")


def _progress(seen: Overview) -> str:
    """Return how far the study has come, in a few words."""
    if sum(to.delivered for to in seen.deliveries):
        return "report and picture delivered"
    if seen.jobs.done:
        return "graded, sending"
    if seen.jobs.running:
        return "grading"
    if seen.jobs.waiting:
        return "queued for grading"
    known = seen.receipts.received + seen.receipts.indexed
    if seen.receipts.received:
        return "received, indexing"
    return f"{known} images indexed, waiting for silence" if known else "waiting"


def _grades(url: str, files: Sequence[Path]) -> StudyGrades:
    database = open_database(url)
    try:
        with database.reading.begin() as session:
            grades = results.latest(session, demo_pacs.study_uid(files[0]))
    finally:
        database.close()
    if grades is None:
        raise NodeError("the report was sent, but its grades are not in the database")
    return grades


def _keep(objects: Sequence[Dataset], out: Path) -> list[tuple[str, Path]]:
    """Write what came back as files that a person can open."""
    kept = []
    for ds in objects:
        if ds.SOPClassUID == SecondaryCaptureImageStorage:
            ds.save_as(out / "picture.dcm")
            Image.fromarray(ds.pixel_array).save(out / "picture.png")
            kept += [("picture", out / "picture.png")]
        else:
            ds.save_as(out / "report.dcm")
            _render(ds, out / "report.html")
            kept += [
                ("Structured Report", out / "report.dcm"),
                ("its HTML rendering", out / "report.html"),
            ]
    return kept


def _render(ds: Dataset, target: Path) -> None:
    """Render a report as HTML: by DCMTK where it is installed, else plainly."""
    # DCMTK does not know every character set; what it renders is a copy in UTF-8.
    ds.decode()
    ds.SpecificCharacterSet = "ISO_IR 192"
    program = shutil.which("dsr2html")
    if program:
        with tempfile.NamedTemporaryFile(suffix=".dcm") as copy:
            ds.save_as(copy.name)
            done = subprocess.run(
                [program, "-q", "+U8", copy.name, target], check=False
            )
        if done.returncode == 0:
            return
    items = "\n".join(f"<li>{html.escape(line)}</li>" for line in _lines(ds))
    page = f'<!doctype html><meta charset="utf-8"><title>Report</title><ul>{items}</ul>'
    target.write_text(page, encoding="utf-8")


def _lines(item: Dataset) -> Iterator[str]:
    """Yield "name: value" of every text, code and number of a report, in order."""
    name = item.get("ConceptNameCodeSequence")
    value = item.get("TextValue") or ""
    if "ConceptCodeSequence" in item:
        value = item.ConceptCodeSequence[0].CodeMeaning
    if item.get("MeasuredValueSequence"):
        value = f"{item.MeasuredValueSequence[0].NumericValue} %"
    if name:
        yield f"{name[0].CodeMeaning}: {value}" if value else str(name[0].CodeMeaning)
    for child in item.get("ContentSequence", []):
        yield from _lines(child)
