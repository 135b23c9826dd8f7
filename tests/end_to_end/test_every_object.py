"""Everything a destination can ask for, through a real PACS and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.config import Destination
from dicom_node.demo_pacs import Orthanc
from storage import jobs, outbox, studies
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node, running_node
from tests.end_to_end.scanner import send
from tests.fakes import SameEverywhere

ASKED_FOR = Counter(
    [
        Comprehensive3DSRStorage,
        SecondaryCaptureImageStorage,
        EncapsulatedPDFStorage,
        BasicTextSRStorage,
    ]
)


@pytest.fixture
def asking_node(
    sqlite_database_url: str, tmp_path: Path, destination: Destination
) -> Iterator[Node]:
    """A node whose destination asks for everything."""
    asking = msgspec.structs.replace(
        destination,
        objects=("sr", "picture", "pdf", "text"),
        sr_class="comprehensive-3d",
    )
    folder = tmp_path / "node"
    with running_node(
        sqlite_database_url, folder, SameEverywhere(), (asking,)
    ) as running:
        yield running


def held(orthanc: Orthanc) -> dict[str, Dataset]:
    """Return what the PACS holds of ours, by SOP Instance UID."""
    return {
        str(ds.SOPInstanceUID): ds
        for ds in orthanc.instances()
        if ds.SOPClassUID in ASKED_FOR
    }


def regrade(node: Node) -> None:
    with node.database.sessions.begin() as session:
        last = jobs.get(session, STUDY_UID)
        assert last is not None
        revision = studies.force_revision(session, STUDY_UID)
        jobs.add(session, STUDY_UID, revision, last.input_digest)
    node.work()


def test_every_object_comes_back_equal_and_once_however_often_it_is_sent(
    orthanc: Orthanc, asking_node: Node
) -> None:
    send(asking_node.peer, [as_received(ds) for ds in mr_series()])
    asking_node.work()

    for _ in range(10):
        with asking_node.database.sessions.begin() as session:
            assert outbox.resend(session, STUDY_UID) == 4
        asking_node.work()

    back = held(orthanc)
    folder = asking_node.files.data_directory / "produced"
    made = [dcmread(path) for path in folder.rglob("*.dcm")]
    assert Counter(str(ds.SOPClassUID) for ds in back.values()) == ASKED_FOR
    assert back == {
        str(ds.SOPInstanceUID): ds for ds in made if str(ds.SOPInstanceUID) in back
    }


def test_a_second_revision_stands_beside_the_first_and_names_it(
    orthanc: Orthanc, asking_node: Node
) -> None:
    send(asking_node.peer, [as_received(ds) for ds in mr_series()])
    asking_node.work()
    first = held(orthanc)

    regrade(asking_node)

    second = {uid: ds for uid, ds in held(orthanc).items() if uid not in first}
    assert Counter(str(ds.SOPClassUID) for ds in second.values()) == ASKED_FOR
    for ds in second.values():
        [before] = [it for it in first.values() if it.SOPClassUID == ds.SOPClassUID]
        assert ds.SeriesInstanceUID == before.SeriesInstanceUID
        assert (before.InstanceNumber, ds.InstanceNumber) == (1, 2)
        if ds.Modality == "SR":
            [study] = ds.PredecessorDocumentsSequence
            [series] = study.ReferencedSeriesSequence
            [named] = series.ReferencedSOPSequence
            assert named.ReferencedSOPInstanceUID == before.SOPInstanceUID
