"""Archives that are asked whether they keep what they took, and how they answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import cast

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from dicom_node.calling import CallingAE
from dicom_node.commitment import (
    ALL_KEPT,
    SOME_NOT_KEPT,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
)
from dicom_node.config import Destination
from dicom_node.sender import Peer

NO_SUCH_OBJECT = 0x0112


class Manner(Enum):
    """How an archive answers."""

    ON_THE_SAME_ASSOCIATION = auto()
    ON_ITS_OWN = auto()
    NEVER = auto()
    BY_REFUSING_THE_QUESTION = auto()


@dataclass
class Archive:
    """Stores, and says later what it keeps."""

    manner: Manner
    asker: Peer
    """Where it opens associations of its own to."""
    loses: int = 0
    """So many questions are answered with a loss of everything."""
    stored: list[str] = field(default_factory=list)
    asked: list[Dataset] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """The statuses with which its reports were taken."""

    def on_store(self, event: evt.Event) -> int:
        request = cast(C_STORE, event.request)
        self.stored.append(str(request.AffectedSOPInstanceUID))
        return 0x0000

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        if self.manner is Manner.BY_REFUSING_THE_QUESTION:
            return 0x0110, None
        asked = event.action_information
        self.asked.append(asked)
        if self.manner is Manner.ON_THE_SAME_ASSOCIATION:
            # Once the answer to N-ACTION is out.
            threading.Thread(target=self._say_here, args=(event.assoc, asked)).start()
        if self.manner is Manner.ON_ITS_OWN:
            threading.Thread(target=self.report, args=(asked,)).start()
        return 0x0000, None

    def _say_here(self, assoc: Association, asked: Dataset) -> None:
        time.sleep(0.02)
        self._say(assoc, asked)

    def report(self, asked: Dataset) -> None:
        """Open an association to whoever asked, as the provider, and say it."""
        ae = CallingAE(ae_title="PACS")
        ae.add_requested_context(SOP_CLASS_UID)
        assoc = ae.associate(
            self.asker.host,
            self.asker.port,
            ae_title=self.asker.ae_title,
            ext_neg=[build_role(SOP_CLASS_UID, scp_role=True)],
        )
        assert assoc.is_established
        self._say(assoc, asked)
        assoc.release()

    def _say(self, assoc: Association, asked: Dataset) -> None:
        loses, self.loses = self.loses > 0, self.loses - 1
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        references = list(asked.ReferencedSOPSequence)
        if loses:
            for reference in references:
                reference.FailureReason = NO_SUCH_OBJECT
            report.FailedSOPSequence = references
        else:
            report.ReferencedSOPSequence = references
        status, _ = assoc.send_n_event_report(
            report,
            SOME_NOT_KEPT if loses else ALL_KEPT,
            SOP_CLASS_UID,
            SOP_INSTANCE_UID,
        )
        self.answers.append(int(status.get("Status", -1)))


@contextmanager
def running(archive: Archive, destination: Destination) -> Iterator[Archive]:
    """Run an archive where a destination says that it is."""
    ae = AE(ae_title=destination.ae_title)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(SOP_CLASS_UID)
    server = ae.start_server(
        (destination.host, destination.port),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, archive.on_store),
            (evt.EVT_N_ACTION, archive.on_action),
        ],
    )
    assert server is not None
    try:
        yield archive
    finally:
        server.shutdown()
