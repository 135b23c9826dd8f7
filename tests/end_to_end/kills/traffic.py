"""Senders that never give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from dicom_node.calling import CallingAE
from dicom_node.sender import Peer
from tests.dicom_factories import mr_series
from tests.end_to_end.kills.pacs import CountingPacs

SENDERS = 4
MOST_UNFINISHED = 10
"""Studies begun and not yet reported: more would only make the end take longer."""
SENT_TWICE = 0.1
"""How many of the acknowledged images come a second time, as from a nervous PACS."""
SENT_WITHIN_SECONDS = 900.0
"""A study, over however many associations, while the receiver is killed."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One image that the node answered with Success, and what it was, encoded."""

    sop_instance_uid: str
    encoded: bytes


def small_study(uid: str, images: int) -> list[Dataset]:
    """Return one axial T2-weighted series of a study of its own."""
    study = mr_series(images, f"{uid}.1")
    for ds in study:
        ds.StudyInstanceUID = uid
        ds.PatientID = f"P{uid[-15:]}"
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return study


def encoded(ds: Dataset) -> bytes:
    """Return a dataset as Explicit VR Little Endian puts it on the wire."""
    content = encode(ds, is_implicit_vr=False, is_little_endian=True)
    assert content is not None
    return content


@dataclass(slots=True)
class Traffic:
    """Four senders at once, each with one study after the other."""

    node: Peer
    pacs: CountingPacs
    seed: int
    most_unfinished: int = MOST_UNFINISHED
    acknowledged: list[Acknowledged] = field(default_factory=list)
    told: Callable[[Acknowledged], object] = lambda _: None
    """Called at once with each image that is acknowledged."""
    begun: dict[str, int] = field(default_factory=dict)
    """Images by Study Instance UID; all of them are acknowledged in the end."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(SENDERS):
            chance = random.Random(f"{self.seed}-{number}")
            thread = threading.Thread(target=self._send_all, args=(number, chance))
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> bool:
        """Begin no further study; False if one could not be sent within so long."""
        self._stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _send_all(self, sender: int, chance: random.Random) -> None:
        mine: list[list[Dataset]] = []
        while not self._stopping.is_set():
            reported = self.pacs.studies()
            if len(self.begun) - len(reported) < self.most_unfinished:
                mine.append(self._begin(f"{sender + 1}.{len(mine) + 1}", chance))
                self._send(mine[-1], chance)
            elif again := [it for it in mine if it[0].StudyInstanceUID in reported]:
                # The receiver stays busy while the worker catches up.
                self._send(chance.choice(again), chance)
            time.sleep(chance.uniform(0, 0.2))

    def _begin(self, number: str, chance: random.Random) -> list[Dataset]:
        images = chance.randint(4, 6)
        uid = f"2.25.{self.seed % 10**9 + 1}.{number}"
        self.begun[uid] = images
        return small_study(uid, images)

    def _send(self, study: list[Dataset], chance: random.Random) -> None:
        """Send until every image is acknowledged, over all associations it takes."""
        waiting = list(study)
        chance.shuffle(waiting)
        deadline = time.monotonic() + SENT_WITHIN_SECONDS
        while waiting and time.monotonic() < deadline:
            assoc = _associated(self.node, waiting[0])
            while waiting and assoc.is_established:
                if not self._store(assoc, waiting[0]):
                    break
                sent = waiting.pop(0)
                if chance.random() < SENT_TWICE:
                    self._store(assoc, sent)
            if assoc.is_established:
                assoc.release()
            else:
                time.sleep(0.05)

    def _store(self, assoc: Association, ds: Dataset) -> bool:
        try:
            answer = assoc.send_c_store(ds)
        except RuntimeError:  # the association went away before it could be used
            return False
        if answer.get("Status") != 0x0000:
            return False
        image = Acknowledged(ds.SOPInstanceUID, encoded(ds))
        self.told(image)
        self.acknowledged.append(image)
        return True


def _associated(node: Peer, ds: Dataset) -> Association:
    ae = CallingAE(ae_title="SCANNER")
    ae.connection_timeout = ae.acse_timeout = 5
    ae.dimse_timeout = ae.network_timeout = 30
    ae.add_requested_context(ds.SOPClassUID, ExplicitVRLittleEndian)
    return ae.associate(node.host, node.port, ae_title=node.ae_title)
