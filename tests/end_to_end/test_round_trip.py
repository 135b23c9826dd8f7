"""A PACS at both ends: a study goes in, one report and one picture come back."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.config import Destination
from dicom_node.demo_pacs import Orthanc, returned
from dicom_node.demo_pacs import orthanc as orthanc_running
from storage import studies
from tests.end_to_end.node import Node, deliver
from tests.end_to_end.scanner import read, send
from tests.peers import require_peer
from tests.shared_data import shared_data

IDENTITY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID")


def classes(datasets: list[Dataset]) -> Counter[str]:
    return Counter(str(ds.SOPClassUID) for ds in datasets)


ONE_OF_EACH = Counter({ComprehensiveSRStorage: 1, SecondaryCaptureImageStorage: 1})


def test_a_study_routed_by_the_pacs_comes_back_as_one_report_and_one_picture(
    orthanc: Orthanc, node: Node, hitachi_files: list[Path]
) -> None:
    orthanc.fill(hitachi_files)

    orthanc.route(node.peer)
    node.work()

    assert classes(returned(orthanc)) == ONE_OF_EACH
    assert len(orthanc.get("/studies")) == 1


def test_all_67_images_of_the_study_come_back_as_one_report(
    orthanc: Orthanc, node: Node
) -> None:
    files = sorted(shared_data("lumbar-hitachi-openmr-0p3t").rglob("*.dcm"))
    orthanc.fill(files)

    orthanc.route(node.peer)
    node.work()

    assert len(files) == 67
    assert classes(returned(orthanc)) == ONE_OF_EACH
    assert node.overview().receipts.indexed == 67


def test_series_that_are_not_graded_are_refused_with_their_reasons(
    orthanc: Orthanc, node: Node, hitachi_files: list[Path]
) -> None:
    orthanc.fill(hitachi_files)

    orthanc.route(node.peer)
    node.work()

    study = str(pydicom.dcmread(hitachi_files[0]).StudyInstanceUID)
    with node.database.reading.begin() as session:
        reasons = {v.description: v.reason for v in studies.verdicts(session, study)}
    assert reasons == {
        "T2 AX": "axial T2-weighted: TE 95 ms, TR 4455 ms",
        "T1 AX": "not T2-weighted (T1): TE 21 ms, TR 567 ms",
        "T2 SAG": "sagittal T2-weighted, for the levels only: TE 110 ms, TR 3203 ms",
        "T1 SAG": "not axial: normal 89 degrees from the body axis",
        "STIR SAG": "not axial: normal 89 degrees from the body axis",
    }


def test_the_report_carries_the_identity_of_its_study_byte_for_byte(
    orthanc: Orthanc, node: Node, hitachi_files: list[Path]
) -> None:
    source = pydicom.dcmread(hitachi_files[0])
    orthanc.fill(hitachi_files)

    orthanc.route(node.peer)
    node.work()

    for made in returned(orthanc):
        for keyword in ("SpecificCharacterSet", "StudyInstanceUID", *IDENTITY):
            assert made.get(keyword) == source.get(keyword), keyword
        assert made["PatientName"].value.original_string == (
            source["PatientName"].value.original_string
        )


def test_a_pacs_that_routes_everything_back_starts_no_loop(
    orthanc: Orthanc, node: Node, hitachi_files: list[Path]
) -> None:
    orthanc.fill(hitachi_files)
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
    node: Node, destination: Destination, hitachi_files: list[Path], tmp_path: Path
) -> None:
    require_peer("orthanc", "Orthanc")
    send(node.peer, read(hitachi_files))
    node.work()
    off = node.overview()

    with orthanc_running(tmp_path, destination.ae_title, destination.port) as pacs:
        for _ in range(3):
            deliver(node)
        made = classes(returned(pacs))

    assert (off.jobs.done, off.deliveries[0].waiting) == (1, 2)
    assert made == ONE_OF_EACH
    assert node.overview().jobs.done == 1


def test_what_comes_back_passes_the_validators_beside_its_source(
    orthanc: Orthanc, node: Node, hitachi_files: list[Path], tmp_path: Path
) -> None:
    dciodvfy, dcentvfy = require_peer("dicom3tools", "dciodvfy", "dcentvfy")
    orthanc.fill(hitachi_files)
    orthanc.route(node.peer)
    node.work()

    made = write_all(returned(orthanc), tmp_path)
    axial = [path for path in hitachi_files if path.parent.name == "t2_ax"]

    for path in made:
        assert errors([dciodvfy, "-new", path]) == []
    assert errors([dcentvfy, *axial, *made]) == []


RSNA_UID_ERROR = "Illegal root for UID = <1002894806"
"""The public study's own UIDs begin with a root that nobody may register."""


def test_a_public_study_without_half_its_header_comes_back_too(
    orthanc: Orthanc, node: Node, tmp_path: Path
) -> None:
    dciodvfy, dcentvfy = require_peer("dicom3tools", "dciodvfy", "dcentvfy")
    folder = shared_data("lumbar-rsna2024-study-1002894806")
    files = with_modality_and_class(sorted(folder.rglob("*.dcm")), tmp_path / "copy")
    orthanc.fill(files)

    orthanc.route(node.peer)
    node.work()

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
