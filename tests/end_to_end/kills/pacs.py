"""A PACS that counts what it takes, and says what it keeps in one of three manners."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pydicom
from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_node.calling import CallingAE
from dicom_node.commitment import (
    ALL_KEPT,
    PROCESSING_FAILURE,
    SOME_NOT_KEPT,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    SUCCESS,
)
from dicom_node.sender import Peer

LONGEST_ANSWER_SECONDS = 0.02
FORGETS, SAYS_IT_HERE = 0.1, 0.6
"""How many questions it never answers, and how many on the association that asked."""
NEXT_TRY_SECONDS = 0.1
NO_SUCH_OBJECT = 0x0112
"""Failure Reason (PS3.3 C.14.1.1)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One C-STORE that the PACS took."""

    study_instance_uid: str
    sop_instance_uid: str
    content: bytes


@dataclass(slots=True)
class CountingPacs:
    """Takes everything, after a moment in which its sender can be killed."""

    ae_title: str = ""
    asker: Peer | None = None
    """Where it opens associations of its own to."""
    stored: list[Stored] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    """SOP Instance UIDs that it has committed to."""
    forgotten: list[str] = field(default_factory=list)
    """Transaction UIDs that it took and never answers."""
    complaints: list[str] = field(default_factory=list)
    """What no node should have asked or answered."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def on_store(self, event: evt.Event) -> int:
        content = event.encoded_dataset()
        _linger()
        ds = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        one = Stored(str(ds.StudyInstanceUID), str(ds.SOPInstanceUID), content)
        self.stored.append(one)
        return SUCCESS

    def studies(self) -> set[str]:
        return {stored.study_instance_uid for stored in list(self.stored)}

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        """Take a question of storage commitment; answer it later, or never."""
        asked = event.action_information
        _linger()
        manner = random.random()
        if manner < FORGETS:
            self.forgotten.append(str(asked.TransactionUID))
            return SUCCESS, None
        here = event.assoc if manner < FORGETS + SAYS_IT_HERE else None
        said = (self._report(asked), here)
        threading.Thread(target=self._answer, args=said, daemon=True).start()
        return SUCCESS, None

    def _report(self, asked: Dataset) -> Dataset:
        """Return what is so: only what was stored is kept (PS3.4 table J.3-2)."""
        report, has = Dataset(), {one.sop_instance_uid for one in list(self.stored)}
        report.TransactionUID = asked.TransactionUID
        report.ReferencedSOPSequence, report.FailedSOPSequence = [], []
        for item in asked.ReferencedSOPSequence:
            uid = str(item.ReferencedSOPInstanceUID)
            if uid in has:
                self.kept.add(uid)
                report.ReferencedSOPSequence.append(item)
            else:
                self.complaints.append(f"{uid}: asked about, and never stored")
                item.FailureReason = NO_SUCH_OBJECT
                report.FailedSOPSequence.append(item)
        if not report.FailedSOPSequence:
            del report.FailedSOPSequence
        return report

    def _answer(self, report: Dataset, here: Association | None) -> None:
        """Say it until it is taken, at first where it was asked."""
        _linger()  # the answer to N-ACTION goes out first
        if here is not None and _say(here, report) == SUCCESS:
            return
        while not self.stopping.wait(NEXT_TRY_SECONDS):
            status = self._say_there(report)
            if status == SUCCESS:
                return
            if status not in (None, PROCESSING_FAILURE):
                said = f"a report was refused with status 0x{status:04X}"
                self.complaints.append(f"{report.TransactionUID}: {said}")
                return

    def _say_there(self, report: Dataset) -> int | None:
        """Open an association to whoever asked, as the provider, and say it."""
        assert self.asker is not None
        ae = CallingAE(ae_title=self.ae_title)
        ae.connection_timeout = ae.acse_timeout = 5
        ae.dimse_timeout = ae.network_timeout = 30
        ae.add_requested_context(SOP_CLASS_UID)
        role = build_role(SOP_CLASS_UID, scp_role=True)
        assoc = ae.associate(
            self.asker.host,
            self.asker.port,
            ae_title=self.asker.ae_title,
            ext_neg=[role],
        )
        status = _say(assoc, report)
        if assoc.is_established:
            assoc.release()
        return status


def _linger() -> None:
    time.sleep(random.uniform(0, LONGEST_ANSWER_SECONDS))


def _say(assoc: Association, report: Dataset) -> int | None:
    """Return the status with which a report was taken; None where nobody heard it."""
    event = SOME_NOT_KEPT if "FailedSOPSequence" in report else ALL_KEPT
    try:
        status, _ = assoc.send_n_event_report(
            report, event, SOP_CLASS_UID, SOP_INSTANCE_UID
        )
    except RuntimeError:  # the association is gone, or never was
        return None
    return int(status.Status) if "Status" in status else None


@contextmanager
def counting_pacs(
    ae_title: str, port: int, asker: Peer | None = None
) -> Iterator[CountingPacs]:
    """Run the PACS until the block ends; with an ``asker`` it commits."""
    pacs = CountingPacs(ae_title, asker)
    ae = AE(ae_title=ae_title)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(Verification)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, pacs.on_store)]
    if asker is not None:
        ae.add_supported_context(SOP_CLASS_UID)
        handlers.append((evt.EVT_N_ACTION, pacs.on_action))
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield pacs
    finally:
        pacs.stopping.set()
        server.shutdown()
