"""What was graded arrives, once, however the PACS behaves meanwhile."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pydicom
import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, _config, evt
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from dicom_node import status
from dicom_node.config import Destination
from dicom_node.delivery import DELIVERY_LEASE_SECONDS
from dicom_node.demo_pacs import small_pacs
from dicom_node.errors import SendError
from dicom_node.sender import STORED, OpenAssociation, Peer, outcome
from storage import outbox
from storage.installation import ID_NAME
from storage.outbox import Delivery
from storage.states import AlarmKind
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.node import Node, deliver
from tests.end_to_end.scanner import send
from tests.storage.builders import pass_time


@dataclass
class PickyPacs:
    """Takes these SOP classes, and answers with this status."""

    sop_classes: tuple[str, ...]
    status: int = 0x0000
    stored: list[str] = field(default_factory=list)

    def on_store(self, event: evt.Event) -> int:
        if self.status == 0x0000:
            self.stored.append(str(event.request.AffectedSOPClassUID))
        return self.status


@contextmanager
def listening(pacs: PickyPacs, destination: Destination) -> Iterator[PickyPacs]:
    ae = AE(ae_title=destination.ae_title)
    for uid in pacs.sop_classes:
        ae.add_supported_context(uid, ExplicitVRLittleEndian)
    server = ae.start_server(
        (destination.host, destination.port),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, pacs.on_store)],
    )
    assert server is not None
    # The node's receiver runs in this process too and has switched this on for all.
    unrestricted = _config.UNRESTRICTED_STORAGE_SERVICE
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    try:
        yield pacs
    finally:
        _config.UNRESTRICTED_STORAGE_SERVICE = unrestricted
        server.shutdown()


def graded(node: Node) -> None:
    send(node.peer, [as_received(ds) for ds in mr_series(4)])
    node.work()


BOTH = (ComprehensiveSRStorage, SecondaryCaptureImageStorage)


def test_a_pacs_that_is_down_costs_no_second_grading(
    node: Node, destination: Destination
) -> None:
    graded(node)
    waiting = node.overview().deliveries[0].waiting

    with listening(PickyPacs(BOTH), destination) as pacs:
        deliver(node)
        deliver(node)

    assert waiting == 2
    assert Counter(pacs.stored) == Counter(BOTH)
    seen = node.overview()
    assert (seen.jobs.done, seen.deliveries[0].delivered) == (1, 2)


def produced_files(node: Node) -> list[Path]:
    return sorted((node.files.data_directory / "produced").rglob("*.dcm"))


def test_a_disk_that_fails_while_objects_are_sent_only_delays_them(
    here: Node, destination: Destination
) -> None:
    graded(here)
    for path in produced_files(here):
        path.rename(path.with_suffix(".aside"))
        path.mkdir()  # as good as a sector that cannot be read
    with listening(PickyPacs(BOTH), destination) as pacs:
        deliver(here)
        meanwhile = here.overview()
        for path in produced_files(here):
            path.rmdir()
            path.with_suffix(".aside").rename(path)
        deliver(here)

    assert (meanwhile.deliveries[0].waiting, meanwhile.alarms) == (2, ())
    assert "it cannot be sent now: Is a directory" in meanwhile.errors[0].sentence
    assert Counter(pacs.stored) == Counter(BOTH)


def test_an_object_whose_file_is_gone_is_given_up_but_not_while_the_disk_is_gone(
    here: Node, destination: Destination
) -> None:
    graded(here)
    for path in produced_files(here):
        path.unlink()
    identity = here.files.data_directory / ID_NAME
    identity.rename(identity.with_name("elsewhere"))
    with listening(PickyPacs(BOTH), destination):
        deliver(here)
        waiting = here.overview().deliveries[0].waiting
        identity.with_name("elsewhere").rename(identity)
        deliver(here)

    assert waiting == 2
    assert here.overview().deliveries[0].dead == 2


def test_a_pacs_whose_name_is_not_known_is_tried_again(
    here: Node, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def resolving(host: str | None, *rest: Any, **named: Any) -> Any:
        if host == "pacs.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    moved = msgspec.structs.replace(destination, host="pacs.example")
    object.__setattr__(here.worker, "destinations", (moved,))

    graded(here)

    seen = here.overview()
    assert (seen.deliveries[0].waiting, seen.deliveries[0].sending) == (2, 0)
    assert "no connection (Name or service not known)" in seen.errors[0].sentence


def test_no_other_worker_sends_what_a_slow_pacs_is_still_to_get(
    here: Node, destination: Destination
) -> None:
    graded(here)
    others: list[Delivery] = []

    @dataclass
    class SlowPacs(PickyPacs):
        def on_store(self, event: evt.Event) -> int:
            with here.database.sessions.begin() as session:
                pass_time(session, 2 / 3 * DELIVERY_LEASE_SECONDS)
                others.extend(outbox.claim_due(session, "pacs", "other", 60, 10))
            return super().on_store(event)

    with listening(SlowPacs(BOTH), destination) as pacs:
        deliver(here)

    assert Counter(pacs.stored) == Counter(BOTH)
    assert others == []


def test_what_a_killed_worker_was_sending_is_sent_within_minutes(
    here: Node, destination: Destination
) -> None:
    graded(here)
    with here.database.sessions.begin() as session:
        # It waits again since the PACS is down; its pause is over.
        pass_time(session, 60)

    class Killed(BaseException):
        pass

    def ends(*_: object, **__: object) -> None:
        raise Killed

    with (
        listening(PickyPacs(BOTH), destination),
        patch.object(OpenAssociation, "send", ends),
        pytest.raises(Killed),
    ):
        here.deliverer.send_due(destination)
    with here.database.sessions.begin() as session:
        pass_time(session, 200)

    with listening(PickyPacs(BOTH), destination) as pacs:
        here.deliverer.send_due(destination)

    assert Counter(pacs.stored) == Counter(BOTH)


def test_a_pacs_that_refuses_comprehensive_sr_gets_enhanced_sr(
    node: Node, destination: Destination
) -> None:
    graded(node)

    takes = (EnhancedSRStorage, SecondaryCaptureImageStorage)
    with listening(PickyPacs(takes), destination) as pacs:
        deliver(node)
        deliver(node)

    assert Counter(pacs.stored) == Counter(takes)


def test_a_pacs_that_takes_only_text_gets_the_text_report_and_status_says_so(
    node: Node, destination: Destination
) -> None:
    graded(node)

    takes = (BasicTextSRStorage, SecondaryCaptureImageStorage)
    with listening(PickyPacs(takes), destination) as pacs:
        for _ in range(3):
            deliver(node)

    assert Counter(pacs.stored) == Counter(takes)
    told = status.text(node.overview())
    assert "to pacs: 1 times the structured report as Basic Text SR Storage" in told
    assert "to pacs: 1 times the picture as Secondary Capture" in told


@pytest.mark.parametrize(
    "taken", [Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage]
)
def test_a_destination_that_asks_for_3d_gets_it_or_the_next_class(
    node: Node, destination: Destination, taken: str
) -> None:
    asking = msgspec.structs.replace(destination, sr_class="comprehensive-3d")
    object.__setattr__(node.worker, "destinations", (asking,))
    graded(node)

    takes = (taken, SecondaryCaptureImageStorage)
    with listening(PickyPacs(takes), destination) as pacs:
        for _ in range(3):
            deliver(node)

    assert Counter(pacs.stored) == Counter(takes)
    assert [sent.sop_class_uid for sent in node.overview().sent][-1] == taken


def test_a_pacs_that_takes_no_report_at_all_gets_the_picture_and_a_person_is_told(
    node: Node, destination: Destination
) -> None:
    graded(node)

    with listening(PickyPacs((SecondaryCaptureImageStorage,)), destination) as pacs:
        for _ in range(4):
            deliver(node)

    assert pacs.stored == [SecondaryCaptureImageStorage]
    told = status.text(node.overview())
    assert "1 times the picture as Secondary Capture Image Storage" in told
    assert "structured_report to pacs, dead" in told
    assert [alarm.kind for alarm in node.overview().alarms] == [AlarmKind.DELIVERY_DEAD]


@pytest.mark.parametrize("status", [0xA700, 0x0110, 0x0211])
def test_a_pacs_that_asks_for_patience_is_asked_again(
    node: Node, destination: Destination, status: int
) -> None:
    graded(node)

    with listening(PickyPacs(BOTH, status), destination):
        deliver(node)

    seen = node.overview()
    assert (seen.deliveries[0].waiting, seen.deliveries[0].dead) == (2, 0)
    assert seen.alarms == ()


def test_a_refusal_goes_to_the_dead_letter_and_can_be_resent(
    node: Node, destination: Destination
) -> None:
    graded(node)
    with listening(PickyPacs(BOTH, status=0xC000), destination):
        deliver(node)
    dead = node.overview().deliveries[0].dead

    with listening(PickyPacs(BOTH), destination) as pacs:
        with node.database.sessions.begin() as session:
            outbox.resend(session, STUDY_UID)
        node.work()

    assert dead == 2
    assert Counter(pacs.stored) == Counter(BOTH)


def test_resending_ten_times_leaves_one_object_of_each(
    node: Node, destination: Destination
) -> None:
    with small_pacs(destination.ae_title, destination.port) as pacs:
        graded(node)
        for _ in range(10):
            with node.database.sessions.begin() as session:
                outbox.resend(session, STUDY_UID)
            node.work()

    assert len(pacs.kept) == 2


def test_what_is_sent_again_is_byte_for_byte_what_was_sent_before(
    node: Node, destination: Destination
) -> None:
    sent = []
    for _ in range(2):
        with small_pacs(destination.ae_title, destination.port) as pacs:
            graded(node)
            with node.database.sessions.begin() as session:
                outbox.resend(session, STUDY_UID)
            node.work()
        sent.append({uid: dataset_of(file) for uid, file in pacs.kept.items()})

    assert sent[0] == sent[1]


def dataset_of(part10: bytes) -> bytes:
    length = int.from_bytes(part10[140:144], "little")
    return part10[144 + length :]


def test_every_storage_status_has_an_outcome() -> None:
    stored = {s for s in STORAGE_SERVICE_CLASS_STATUS if s in STORED}
    failed = set(STORAGE_SERVICE_CLASS_STATUS) - stored

    assert stored == {0x0000, 0xB000, 0xB006, 0xB007}
    assert {failure(status).status for status in failed} == failed


def failure(status: int) -> SendError:
    with pytest.raises(SendError) as caught:
        outcome(status, Peer("PACS", "127.0.0.1", 104))
    return caught.value


def test_nothing_is_sent_for_a_shadow_destination(
    node: Node, destination: Destination
) -> None:
    shadow = Destination(
        "pacs", destination.ae_title, destination.host, destination.port, shadow=True
    )
    object.__setattr__(node.worker, "destinations", (shadow,))
    graded(node)

    with listening(PickyPacs(BOTH), destination) as pacs:
        deliver(node)

    assert pacs.stored == []
    assert node.overview().deliveries[0].shadow == 2


def test_our_files_are_sound_part_10_files(node: Node) -> None:
    graded(node)

    files = list((node.files.data_directory / "produced").rglob("*.dcm"))

    assert {str(pydicom.dcmread(path).SOPClassUID) for path in files} == {
        *BOTH,
        EnhancedSRStorage,
        BasicTextSRStorage,
    }
