"""The trail never stops the work, and says when it has lost something."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dicom_node.audit import trail as trails
from dicom_node.audit.messages import AuditSource, Did, Peer
from dicom_node.audit.sinks import FileSink, SyslogSink
from dicom_node.audit.trail import Trail, silent, trail_of
from dicom_node.config import AuditSection, Config, DatabaseSection, NodeSection

SOURCE = AuditSource("LUMBARNODE", 1, "node", "lumbar-1")
SCANNER = Peer("SCANNER", "192.0.2.7")


@dataclass
class Kept:
    """A sink in memory that fails as often as told."""

    failures: int = 0
    messages: list[bytes] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def write(self, message: bytes) -> None:
        self.go_on.wait()
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        self.messages.append(message)

    def close(self) -> None:
        self.messages.append(b"closed")


def events(messages: Sequence[bytes]) -> list[str]:
    known = ("110120", "110121", "110113", "110104", "110103", "110105")
    return [next((it for it in known if it.encode() in m), "-") for m in messages]


def test_what_happens_is_kept_in_its_order_until_the_end() -> None:
    sink = Kept()
    trail = Trail(SOURCE, sink)

    trail.started()
    trail.refused(SCANNER, "not on the list")
    trail.received(Did.CREATE, SCANNER, "1.2.3", {"1.2": 70})
    trail.graded("1.2.3", {"1.2": 1})
    trail.sent(SCANNER, "1.2.3", "1.2", "")
    trail.deleted("1.2.3")
    trail.stopped()

    assert sink.messages[-1] == b"closed"
    assert events(sink.messages[:-1]) == [
        "110120",
        "110113",
        "110104",
        "110103",
        "110104",
        "110105",
        "110121",
    ]


def test_a_disk_that_is_full_loses_messages_and_says_so_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Kept(failures=3)
    trail = Trail(SOURCE, sink)

    for _ in range(5):
        trail.deleted("1.2.3")
    trail.stopped()

    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "audit messages are lost: No space left on device; receiving and grading go on",
        "the audit trail is written again; 3 messages were lost",
    ]


def test_a_sink_that_hangs_makes_nobody_wait(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "WAITING_MESSAGES", 5)
    sink = Kept()
    sink.go_on.clear()
    trail = Trail(SOURCE, sink)

    for _ in range(20):
        trail.deleted("1.2.3")
    said = caplog.text
    sink.go_on.set()
    trail.stopped()

    assert "the sink does not keep up" in said
    assert 5 <= len(sink.messages) <= 8


def test_a_peer_that_knocks_and_knocks_is_one_alert_a_minute() -> None:
    sink, now = Kept(), [0.0]
    trail = Trail(SOURCE, sink, seconds=lambda: now[0])

    for _ in range(100):
        trail.refused(SCANNER, "not on the list")
    trail.refused(Peer("OTHER", "192.0.2.8"), "not on the list")
    now[0] = trails.ALERT_SECONDS
    trail.refused(SCANNER, "not on the list")
    trail.stopped()

    assert events(sink.messages).count("110113") == 3


def test_without_a_sink_nothing_is_kept_and_nothing_breaks() -> None:
    trail = silent("LUMBARNODE")

    trail.started()
    trail.stopped()


def config(audit: AuditSection, folder: Path) -> Config:
    node = NodeSection("LUMBARNODE", folder)
    return Config(node, DatabaseSection("sqlite:///x"), audit=audit)


def test_each_role_has_a_file_of_its_own(tmp_path: Path) -> None:
    made = trail_of(config(AuditSection(), tmp_path), "work")
    made.stopped()

    assert isinstance(made.sink, FileSink)
    assert made.sink.path == tmp_path / "audit-work.xml"
    assert made.source.source_id == "LUMBARNODE"


def test_syslog_is_used_where_it_is_configured(tmp_path: Path) -> None:
    audit = AuditSection(to="syslog-unix", address=str(tmp_path / "none"))
    made = trail_of(config(audit, tmp_path), "work")
    made.stopped()

    assert isinstance(made.sink, SyslogSink)
    assert made.sink.protocol == "unix"


def test_off_keeps_nothing(tmp_path: Path) -> None:
    assert trail_of(config(AuditSection(to="off"), tmp_path), "work").sink is None
