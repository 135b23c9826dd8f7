"""What becomes of what was received: graded once per revision, or a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, RLELossless

from dicom_node.config import Destination
from dicom_node.demo_pacs import SmallPacs, small_pacs
from storage import jobs, patients
from storage.states import AlarmKind, JobState
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node
from tests.end_to_end.scanner import encoded_dataset, read, send, send_raw


@pytest.fixture
def pacs(destination: Destination) -> Iterator[SmallPacs]:
    with small_pacs(destination.ae_title, destination.port) as running:
        yield running


def received(count: int = 4, **changes: str) -> list[Dataset]:
    datasets = mr_series(count)
    for ds in datasets:
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
    return [as_received(ds) for ds in datasets]


def reports(pacs: SmallPacs) -> list[Dataset]:
    return [ds for ds in pacs.instances() if ds.Modality == "SR"]


def test_a_late_slice_opens_a_revision_that_names_the_one_before(
    node: Node, pacs: SmallPacs
) -> None:
    images = received(5)
    send(node.peer, images[:4])
    node.work()

    send(node.peer, images[4:])
    node.work()

    first, second = sorted(reports(pacs), key=lambda ds: ds.InstanceNumber)
    (predecessor,) = second.PredecessorDocumentsSequence
    (series,) = predecessor.ReferencedSeriesSequence
    (named,) = series.ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.SeriesInstanceUID == first.SeriesInstanceUID


def test_a_late_series_that_is_not_graded_opens_no_revision(
    node: Node, pacs: SmallPacs
) -> None:
    send(node.peer, received())
    node.work()
    late = received(4, SeriesInstanceUID="2.25.2002", EchoTime="21")
    late = [renamed(ds, f"2.25.9.{n}") for n, ds in enumerate(late)]

    send(node.peer, late)
    node.work()

    assert len(reports(pacs)) == 1


def test_a_late_sagittal_series_opens_a_revision_for_it_may_tell_the_levels(
    node: Node, pacs: SmallPacs
) -> None:
    send(node.peer, received())
    node.work()
    late = received(4, SeriesInstanceUID="2.25.2002")
    for number, ds in enumerate(late):
        renamed(ds, f"2.25.9.{number}").ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    send(node.peer, late)
    node.work()

    assert len(reports(pacs)) == 2


def renamed(ds: Dataset, uid: str) -> Dataset:
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    return ds


def test_two_patients_in_one_study_are_held_until_a_person_decides(
    node: Node, pacs: SmallPacs
) -> None:
    images = received(4)
    images[0].PatientID = "SOMEBODY-ELSE"
    send(node.peer, images)

    node.work()
    held = [alarm.kind for alarm in node.overview().alarms]
    nothing_sent = reports(pacs) == []
    with node.database.sessions.begin() as session:
        patients.release(session, STUDY_UID, one_patient=True)
    node.work()

    assert held == [AlarmKind.STUDY_HELD]
    assert nothing_sent
    assert len(reports(pacs)) == 1
    assert node.overview().alarms == ()


def test_a_corrected_image_under_the_same_uid_raises_an_alarm_and_is_graded_anew(
    node: Node, pacs: SmallPacs
) -> None:
    images = received(4)
    send(node.peer, images)
    node.work()
    images[0].PixelData = bytes(len(images[0].PixelData))

    send(node.peer, images[:1])
    node.work()

    assert len(reports(pacs)) == 2
    assert AlarmKind.INSTANCE_CHANGED in {a.kind for a in node.overview().alarms}


def test_the_same_image_in_another_transfer_syntax_is_the_same_image(
    node: Node, pacs: SmallPacs
) -> None:
    images = received(4)
    send(node.peer, images)
    node.work()
    for ds in images:
        ds.compress(RLELossless, generate_instance_uid=False)

    send(node.peer, images)
    node.work()

    assert len(reports(pacs)) == 1
    assert node.overview().alarms == ()


def test_a_study_without_a_gradable_series_fails_with_its_reason_and_blocks_nobody(
    node: Node, pacs: SmallPacs
) -> None:
    t1 = received(4, StudyInstanceUID="2.25.404", EchoTime="21", RepetitionTime="567")
    t1 = [renamed(ds, f"2.25.8.{n}") for n, ds in enumerate(t1)]
    send(node.peer, t1)
    send(node.peer, received(4))

    node.work()

    with node.database.reading.begin() as session:
        job = jobs.get(session, "2.25.404")
    assert job is not None
    assert job.state is JobState.FAILED
    assert job.reason is not None
    assert "not T2-weighted (T1): TE 21 ms" in job.reason
    assert len(reports(pacs)) == 1


def test_images_of_another_patient_that_come_before_grading_hold_the_study(
    node: Node, pacs: SmallPacs
) -> None:
    images = received(5)
    images[4].PatientID = "SOMEBODY-ELSE"
    send(node.peer, images[:4])
    index_all(node)
    node.settler.settle_quiet()

    send(node.peer, images[4:])
    index_all(node)
    claimed = node.worker.grade_one()
    node.work()

    assert not claimed
    assert reports(pacs) == []
    assert node.overview().studies.held == 1


def index_all(node: Node) -> None:
    while node.indexer.index_waiting():
        pass


def test_a_study_that_cannot_be_judged_waits_for_a_person_and_blocks_nobody(
    node: Node, pacs: SmallPacs
) -> None:
    broken = [renamed(ds, f"2.25.7.{n}") for n, ds in enumerate(received(4))]
    for ds in broken:
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.707", "2.25.7"
    send(node.peer, broken)
    while node.indexer.index_waiting():
        pass
    for path in (node.files.data_directory / "received").rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:200])
    send(node.peer, received(4))

    node.work()

    assert [alarm.study_instance_uid for alarm in node.overview().alarms] == [
        "2.25.707"
    ]
    assert len(reports(pacs)) == 1


NESTED = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
"""A sequence of undefined length with an item of undefined length, never closed."""


def test_what_cannot_be_read_is_quarantined_with_its_reason(
    node: Node, hitachi_files: list[Path]
) -> None:
    truncated = encoded_dataset(hitachi_files[0].read_bytes())[:300]
    bodies = {
        "text": b"this is a text file named .dcm\n" * 10,
        "truncated": truncated,
        "deep": NESTED * 1000,
    }

    for body in bodies.values():
        send_raw(node.peer, body)
    node.work()

    seen = node.overview()
    assert seen.receipts.quarantined == len(bodies)
    reasons = " ".join(error.sentence for error in seen.errors)
    assert "it has no Study Instance UID" in reasons
    assert {alarm.kind for alarm in seen.alarms} == {AlarmKind.QUARANTINED}


def test_a_real_study_is_graded_with_its_five_slabs(
    node: Node, pacs: SmallPacs, hitachi_files: list[Path]
) -> None:
    send(node.peer, read(hitachi_files))

    node.work()

    (report,) = reports(pacs)
    groups = [item for item in walk(report) if name_of(item) == "Tracking Identifier"]
    assert [item.TextValue for item in groups] == [
        f"slab {n} of 5" for n in range(1, 6)
    ]


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from walk(child)


def name_of(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeMeaning) if names else ""
