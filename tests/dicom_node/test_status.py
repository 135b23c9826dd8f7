"""What a person, a program and monitoring read of the node's state."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.uid import BasicTextSRStorage, SecondaryCaptureImageStorage

from dicom_node.status import (
    OVERDUE_SECONDS,
    UNHEARD_SECONDS,
    Disk,
    as_json,
    complaints,
    needs_a_person,
    text,
)
from storage.alarms import Alarm, AlarmKind
from storage.overview import (
    Deliveries,
    Incomplete,
    Jobs,
    LastError,
    OldestWaiting,
    Overview,
    Receipts,
    SentAs,
    Studies,
)
from storage.space import FileSystem, Watermarks
from storage.states import ObjectKind

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
QUIET = Overview(
    at=NOON,
    receipts=Receipts(received=0, indexed=67, quarantined=0),
    studies=Studies(total=1, held=0, waiting=0),
    jobs=Jobs(waiting=0, running=0, done=1, failed=0),
    deliveries=(
        Deliveries("pacs", waiting=0, sending=0, delivered=2, shadow=0, dead=0),
    ),
    oldest=OldestWaiting(None, None, None),
    errors=(),
    alarms=(),
)
ALARM = Alarm(
    id=1,
    kind=AlarmKind.QUARANTINED,
    study_instance_uid="2.25.1",
    sentence="not a DICOM file",
    count=1,
    first_at=NOON,
    last_at=NOON,
)


def test_a_quiet_node_needs_nobody() -> None:
    assert complaints(QUIET) == []
    assert not needs_a_person(QUIET)
    assert text(QUIET).endswith("nothing for a person to do")


def test_the_text_counts_everything_by_state() -> None:
    lines = text(QUIET).splitlines()

    assert lines[0] == "receipts    0 received, 67 indexed, 0 quarantined"
    assert lines[2] == "jobs        0 waiting, 0 running, 1 done, 0 failed"
    assert lines[3].startswith("deliveries  to pacs: 0 waiting, 0 sending, 2 delivered")


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("receipt_seconds", "a received image waits to be indexed"),
        ("job_seconds", "a study waits to be graded"),
        ("study_seconds", "a study waits to be looked at"),
    ],
)
def test_what_waits_too_long_is_a_complaint(field: str, what: str) -> None:
    def waiting(seconds: float) -> Overview:
        return replace(QUIET, oldest=replace(QUIET.oldest, **{field: seconds}))

    assert complaints(waiting(OVERDUE_SECONDS)) == []
    (complaint,) = complaints(waiting(OVERDUE_SECONDS * 1.5))
    assert complaint.startswith(f"{what} since 1.5 hours")
    assert needs_a_person(waiting(OVERDUE_SECONDS * 1.5))


def test_what_waits_too_long_for_a_destination_is_a_complaint_that_names_it() -> None:
    def waiting(seconds: float) -> Overview:
        [pacs] = QUIET.deliveries
        return replace(QUIET, deliveries=(replace(pacs, oldest_seconds=seconds),))

    assert complaints(waiting(OVERDUE_SECONDS)) == []
    (complaint,) = complaints(waiting(OVERDUE_SECONDS * 1.5))
    assert complaint.startswith("an object waits to be sent to pacs since 1.5 hours")


def test_an_alarm_is_a_complaint_that_names_its_study() -> None:
    seen = replace(QUIET, alarms=(ALARM, replace(ALARM, study_instance_uid=None)))

    first, second = complaints(seen)

    assert first.endswith(": not a DICOM file (study 2.25.1)")
    assert second.endswith(": not a DICOM file")
    assert f"a person must act:\n  {first}" in text(seen)


@pytest.mark.parametrize("field", ["receipt_seconds", "job_seconds", "study_seconds"])
def test_work_that_waits_for_a_worker_nobody_heard_of_is_a_complaint(
    field: str,
) -> None:
    def waiting(seconds: float) -> Overview:
        oldest = replace(QUIET.oldest, **{field: seconds})
        return replace(QUIET, receipts=Receipts(1, 0, 0), oldest=oldest)

    assert complaints(waiting(UNHEARD_SECONDS)) == []
    (complaint,) = complaints(waiting(UNHEARD_SECONDS + 1))
    assert "none was heard of; start lumbar-node-worker" in complaint


def disk(free_mb: int) -> Disk:
    room = FileSystem(Path("/data"), free_mb << 20, 4096 << 20)
    return Disk(room, Watermarks(1024 << 20, 2048 << 20))


def test_the_room_on_disk_is_told_and_becomes_a_complaint_below_the_mark() -> None:
    told = "disk        {} of 4096 MB free for /data; images are refused below 1024 MB"

    assert told.format(1024) in text(QUIET, disk(1024))
    assert not needs_a_person(QUIET, disk(1024))
    (complaint,) = complaints(QUIET, disk(1023))
    assert complaint.startswith("disk_low: 1023 of 4096 MB free")
    content = json.loads(json.dumps(as_json(QUIET, disk(1023))))
    assert content["disk"]["scarcest"]["folder"] == "/data"


def test_an_open_alarm_about_the_disk_is_told_once() -> None:
    alarm = replace(ALARM, kind=AlarmKind.DISK_LOW, sentence="too little room")

    assert len(complaints(replace(QUIET, alarms=(alarm,)), disk(1))) == 1


def test_the_last_errors_are_told_with_their_time() -> None:
    error = LastError(NOON, None, "the PACS does not answer")

    shown = text(replace(QUIET, errors=(error,)))

    assert "  2026-03-02 12:00:00 UTC  -  the PACS does not answer" in shown


def test_the_json_holds_everything_with_times_in_iso_8601() -> None:
    error = LastError(NOON, "2.25.1", "refused")

    content = json.loads(
        json.dumps(as_json(replace(QUIET, errors=(error,), alarms=(ALARM,))))
    )

    assert datetime.fromisoformat(content["at"]) == NOON
    assert datetime.fromisoformat(content["errors"][0]["at"]) == NOON
    assert content["deliveries"][0]["delivered"] == 2
    assert content["oldest"]["job_seconds"] is None
    assert content["complaints"] == complaints(replace(QUIET, alarms=(ALARM,)))


FELL_BACK = replace(
    QUIET,
    sent=(
        SentAs("pacs", ObjectKind.PICTURE, str(SecondaryCaptureImageStorage), 3),
        SentAs("pacs", ObjectKind.STRUCTURED_REPORT, str(BasicTextSRStorage), 3),
    ),
)


def test_the_sop_class_that_a_destination_took_is_told_by_name() -> None:
    lines = text(FELL_BACK).splitlines()

    sent = "sent        to pacs: 3 times the structured report as Basic Text SR Storage"
    assert sent in lines
    [picture, report] = as_json(FELL_BACK)["sent"]
    assert picture["sop_class"] == "Secondary Capture Image Storage"
    assert report["kind"] == "structured_report"


def test_a_study_that_seemed_incomplete_is_listed_and_needs_nobody() -> None:
    study = Incomplete(NOON, "2.25.1", ("the PACS counts 5", "1 would fit"))
    seen = replace(QUIET, incomplete=(study,))

    lines = text(seen).splitlines()

    start = lines.index("seemed incomplete when looked at")
    assert lines[start + 1].endswith("2.25.1  the PACS counts 5")
    assert lines[start + 2].endswith("2.25.1  1 would fit")
    assert not needs_a_person(seen)
    assert as_json(seen)["incomplete"][0]["study_instance_uid"] == "2.25.1"
