"""A PACS at both ends: a study goes in, one report and one picture come back."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.config import Destination
from dicom_node.demo_pacs import Orthanc, returned, study_uid
from dicom_node.demo_pacs import orthanc as orthanc_running
from storage import studies
from tests.end_to_end.conftest import HITACHI, empty, pacs_at
from tests.end_to_end.node import Node, deliver, running_node
from tests.end_to_end.scanner import read, send
from tests.fakes import SameEverywhere
from tests.peers import emptied_afterwards, require_peer
from tests.shared_data import shared_data

HITACHI_FILES = sorted(HITACHI.rglob("*.dcm"))
AXIAL_FILES = sorted(HITACHI.glob("t2_ax/*.dcm"))
IDENTITY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID")


def classes(datasets: list[Dataset]) -> Counter[str]:
    return Counter(str(ds.SOPClassUID) for ds in datasets)


ONE_OF_EACH = Counter({ComprehensiveSRStorage: 1, SecondaryCaptureImageStorage: 1})


@dataclass(frozen=True)
class Trip:
    """What the PACS and the node have once the public-domain study was routed."""

    returned: list[Dataset]
    studies: int
    """How many the PACS holds."""
    reasons: dict[str, str]
    """Why each series was graded or was not, by its description."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def trip(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    running_orthanc: Orthanc,
    orthanc_port: int,
) -> Trip:
    """One trip on each database, at which several tests look."""
    folder = tmp_path_factory.mktemp("trip")
    empty(running_orthanc)
    running_orthanc.fill(HITACHI_FILES)
    with (
        database_in(folder, request) as url,
        running_node(url, folder, SameEverywhere(), (pacs_at(orthanc_port),)) as node,
    ):
        running_orthanc.route(node.peer)
        node.work()
        with node.database.reading.begin() as session:
            verdicts = studies.verdicts(session, study_uid(HITACHI_FILES[0]))
    return Trip(
        returned(running_orthanc),
        len(running_orthanc.get("/studies")),
        {verdict.description: verdict.reason for verdict in verdicts},
    )


def database_in(
    folder: Path, request: pytest.FixtureRequest
) -> AbstractContextManager[str]:
    if request.param == "sqlite":
        copy = folder / "node.sqlite"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), copy)
        return nullcontext(f"sqlite:///{copy}")
    return emptied_afterwards(request.getfixturevalue("migrated_postgresql_url"))


def test_a_study_routed_by_the_pacs_comes_back_as_one_report_and_one_picture(
    trip: Trip,
) -> None:
    assert classes(trip.returned) == ONE_OF_EACH
    assert trip.studies == 1


def test_series_that_are_not_graded_are_refused_with_their_reasons(trip: Trip) -> None:
    assert trip.reasons == {
        "T2 AX": "axial T2-weighted: TE 95 ms, TR 4455 ms",
        "T1 AX": "not T2-weighted (T1): TE 21 ms, TR 567 ms",
        "T2 SAG": "sagittal T2-weighted, for the levels only: TE 110 ms, TR 3203 ms",
        "T1 SAG": "not axial: normal 89 degrees from the body axis",
        "STIR SAG": "not axial: normal 89 degrees from the body axis",
    }


def test_the_report_carries_the_identity_of_its_study_byte_for_byte(
    trip: Trip,
) -> None:
    source = pydicom.dcmread(HITACHI_FILES[0])

    assert trip.returned
    for made in trip.returned:
        for keyword in ("SpecificCharacterSet", "StudyInstanceUID", *IDENTITY):
            assert made.get(keyword) == source.get(keyword), keyword
        assert made["PatientName"].value.original_string == (
            source["PatientName"].value.original_string
        )


def test_what_comes_back_passes_the_validators_beside_its_source(
    trip: Trip, tmp_path: Path
) -> None:
    dciodvfy, dcentvfy = require_peer("dicom3tools", "dciodvfy", "dcentvfy")

    made = write_all(trip.returned, tmp_path)

    assert made
    for path in made:
        assert errors([dciodvfy, "-new", path]) == []
    assert errors([dcentvfy, *AXIAL_FILES, *made]) == []


def test_a_pacs_that_routes_everything_back_starts_no_loop(
    orthanc: Orthanc, node: Node
) -> None:
    orthanc.fill(AXIAL_FILES)
    orthanc.route(node.peer)
    node.work()

    for _ in range(3):
        orthanc.route(node.peer)
        node.work()

    assert classes(returned(orthanc)) == ONE_OF_EACH
    seen = node.overview()
    assert (seen.jobs.done, seen.jobs.waiting) == (1, 0)
    assert seen.alarms == ()


def test_a_pacs_that_was_off_gets_the_report_once_when_it_is_back(
    node: Node, destination: Destination, tmp_path: Path
) -> None:
    require_peer("orthanc", "Orthanc")
    send(node.peer, read(AXIAL_FILES))
    node.work()
    off = node.overview()

    with orthanc_running(tmp_path, destination.ae_title, destination.port) as pacs:
        for _ in range(3):
            deliver(node)
        made = classes(returned(pacs))

    assert (off.jobs.done, off.deliveries[0].waiting) == (1, 2)
    assert made == ONE_OF_EACH
    assert node.overview().jobs.done == 1


def test_all_67_images_of_the_study_come_back_as_one_report(
    orthanc: Orthanc, here: Node
) -> None:
    files = sorted(shared_data("lumbar-hitachi-openmr-0p3t").rglob("*.dcm"))
    orthanc.fill(files)

    orthanc.route(here.peer)
    here.work()

    assert len(files) == 67
    assert classes(returned(orthanc)) == ONE_OF_EACH
    assert here.overview().receipts.indexed == 67


RSNA_UID_ERROR = "Illegal root for UID = <1002894806"
"""The public study's own UIDs begin with a root that nobody may register."""


def test_a_public_study_without_half_its_header_comes_back_too(
    orthanc: Orthanc, here: Node, tmp_path: Path
) -> None:
    dciodvfy, dcentvfy = require_peer("dicom3tools", "dciodvfy", "dcentvfy")
    folder = shared_data("lumbar-rsna2024-study-1002894806")
    files = with_modality_and_class(sorted(folder.rglob("*.dcm")), tmp_path / "copy")
    orthanc.fill(files)

    orthanc.route(here.peer)
    here.work()

    assert classes(returned(orthanc)) == ONE_OF_EACH
    made = write_all(returned(orthanc), tmp_path)
    axial = [path for path in files if "1252873726" in path.name]
    found = [line for path in made for line in errors([dciodvfy, "-new", path])]
    found += errors([dcentvfy, *axial, *made])
    assert [line for line in found if RSNA_UID_ERROR not in line] == []


def with_modality_and_class(files: list[Path], folder: Path) -> list[Path]:
    """Add what the public files lack, in a copy that is never kept."""
    folder.mkdir()
    copies = []
    for path in files:
        ds = pydicom.dcmread(path)
        ds.Modality, ds.SOPClassUID = "MR", MRImageStorage
        ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        copies.append(folder / f"{path.parent.name}-{path.name}")
        ds.save_as(copies[-1])
    return copies


def write_all(datasets: list[Dataset], folder: Path) -> list[Path]:
    paths = [folder / f"made-{number}.dcm" for number in range(len(datasets))]
    for path, ds in zip(paths, datasets, strict=True):
        ds.save_as(path)
    return paths


def errors(command: list[Path | str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith("Error")]
