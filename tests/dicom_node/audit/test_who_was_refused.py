"""Who was not let in stands in the audit trail, whatever kept them out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from dicom_node.admission import AllowList
from dicom_node.audit.messages import AuditSource
from dicom_node.audit.sinks import FileSink
from dicom_node.audit.trail import Trail
from dicom_node.receiver import Receiver
from storage.database import open_database
from storage.files import Files
from storage.intake import Intake


def test_a_strange_address_and_a_failed_handshake_stand_in_the_trail(
    sqlite_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "audit.xml"
    source = AuditSource("LUMBARNODE", 1, "node", "lumbar-1")
    trail = Trail(source, FileSink(file, 1 << 20, 2))
    with closing(open_database(sqlite_database_url)) as database:
        store = Receiver(
            Intake(database, Files(tmp_path)),
            AllowList.of((), ("10.0.0.0/8",)),
            "LUMBARNODE",
            trail=trail,
        )

        assert store.address_refusal("192.0.2.9")
        assert store.address_refusal("10.1.2.3") is None
        store.unproven("192.0.2.10", "TLS: its certificate is refused")
    trail.stopped()

    text = file.read_text()
    assert "192.0.2.9" in text
    assert "192.0.2.10" in text
    assert "10.1.2.3" not in text
