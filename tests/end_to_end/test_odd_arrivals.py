"""However odd a study arrives, the outcome is the one a person would expect."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.association import Association

from dicom_node.calling import CallingAE
from dicom_node.config import Destination
from dicom_node.demo_pacs import SmallPacs, small_pacs
from dicom_node.sender import Peer
from storage.states import AlarmKind
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node, running_node
from tests.end_to_end.scanner import send
from tests.fakes import SameEverywhere


@pytest.fixture
def pacs(destination: Destination) -> Iterator[SmallPacs]:
    with small_pacs(destination.ae_title, destination.port) as running:
        yield running


@pytest.fixture
def images() -> list[Dataset]:
    return [as_received(ds) for ds in mr_series(5)]


def reports(pacs: SmallPacs) -> list[Dataset]:
    """Return the structured reports, by revision."""
    found = [ds for ds in pacs.instances() if ds.Modality == "SR"]
    return sorted(found, key=lambda ds: int(ds.InstanceNumber))


def evidence(report: Dataset) -> list[str]:
    """Return the SOP Instance UIDs of the images that a report is based on."""
    return sorted(
        str(instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    )


def uids(images: Sequence[Dataset]) -> list[str]:
    return sorted(str(ds.SOPInstanceUID) for ds in images)


def test_a_study_that_is_sent_ten_times_is_graded_once(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    del images[3:]
    for time in range(10):
        assert send(here.peer, images) == [0x0000] * len(images)
        if time in (0, 5):
            here.work()
    here.work()

    (report,) = reports(pacs)
    assert evidence(report) == uids(images)
    assert here.overview().receipts.indexed == 10 * len(images)
    assert here.overview().alarms == ()


def test_a_study_that_comes_in_two_interleaved_associations_is_one_study(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    first, second = associate(here.peer), associate(here.peer)
    for number, ds in enumerate(images):
        assoc = second if number % 2 else first
        assert assoc.send_c_store(ds).Status == 0x0000
    first.release()
    second.release()

    here.work()

    (report,) = reports(pacs)
    assert evidence(report) == uids(images)


def associate(node: Peer) -> Association:
    ae = CallingAE(ae_title="SCANNER")
    ae.add_requested_context("1.2.840.10008.5.1.4.1.1.4")
    return ae.associate(node.host, node.port, ae_title=node.ae_title)


def test_images_in_random_order_give_the_report_of_images_in_order(
    here: Node,
    pacs: SmallPacs,
    images: list[Dataset],
    tmp_path: Path,
    migrated_sqlite: Path,
    destination: Destination,
) -> None:
    send(here.peer, images)
    here.work()
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    (tmp_path / "other.sqlite").write_bytes(migrated_sqlite.read_bytes())
    shuffled = random.Random(7).sample(images, len(images))
    with running_node(
        url, tmp_path / "other", SameEverywhere(), (destination,)
    ) as other:
        send(other.peer, shuffled)
        other.work()
        delivered = other.overview().deliveries[0].delivered

    # The PACS keeps the first of equal UIDs: the same report came from both.
    (report,) = reports(pacs)
    assert delivered == 2
    assert evidence(report) == uids(images)
    assert [ds.SOPInstanceUID for ds in shuffled] != [
        ds.SOPInstanceUID for ds in images
    ]


def test_pauses_longer_than_the_quiet_time_give_revisions_that_end_with_the_whole(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    for ds in images:
        send(here.peer, [ds])
        here.work()

    made = reports(pacs)
    assert [len(evidence(report)) for report in made] == [3, 4, 5]
    assert evidence(made[-1]) == uids(images)
    assert all("PredecessorDocumentsSequence" in report for report in made[1:])
    assert here.overview().alarms == ()


def test_two_studies_in_one_association_are_two_reports_of_two_patients(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    others = of_another_patient(images)
    mixed = [ds for pair in zip(images, others, strict=True) for ds in pair]

    assert send(here.peer, mixed) == [0x0000] * len(mixed)
    here.work()

    of = {str(report.StudyInstanceUID): report for report in reports(pacs)}
    assert {uid: str(report.PatientID) for uid, report in of.items()} == {
        STUDY_UID: str(images[0].PatientID),
        "2.25.4711": "P0002",
    }
    assert evidence(of[STUDY_UID]) == uids(images)
    assert evidence(of["2.25.4711"]) == uids(others)
    assert here.overview().alarms == ()


def of_another_patient(images: Sequence[Dataset]) -> list[Dataset]:
    others: list[Dataset] = [
        as_received(ds) for ds in mr_series(len(images), "2.25.4712")
    ]
    for ds in others:
        ds.StudyInstanceUID, ds.PatientID = "2.25.4711", "P0002"
        ds.PatientName = "Other^Person"
    return others


def test_a_patients_name_that_is_corrected_after_grading_gives_a_report_under_it(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    send(here.peer, images)
    here.work()
    for ds in images:
        ds.PatientName = "Phantom^Anne"

    send(here.peer, images)
    here.work()

    names = [str(report.PatientName) for report in reports(pacs)]
    assert names == ["Phantom^Anna", "Phantom^Anne"]
    assert "PredecessorDocumentsSequence" in reports(pacs)[1]
    assert here.overview().studies.held == 0
    kinds = {alarm.kind for alarm in here.overview().alarms}
    assert kinds == {AlarmKind.INSTANCE_CHANGED}


def test_a_correction_that_came_only_in_part_holds_the_study(
    here: Node, pacs: SmallPacs, images: list[Dataset]
) -> None:
    send(here.peer, images)
    here.work()
    for ds in images:
        ds.PatientName = "Phantom^Anne"
    send(here.peer, images[:2])
    here.work()

    held = here.overview().studies.held
    sent_while_held = len(reports(pacs))

    assert (held, sent_while_held) == (1, 1)
    kinds = {alarm.kind for alarm in here.overview().alarms}
    assert AlarmKind.STUDY_HELD in kinds
