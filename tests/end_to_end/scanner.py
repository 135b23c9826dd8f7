"""What a modality or a PACS does to the node: send, with pynetdicom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import Dataset, config
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom.dimse_primitives import C_STORE

from dicom_node.calling import CallingAE
from dicom_node.sender import Peer
from tests.privacy import EAR


def send(
    node: Peer, datasets: Sequence[Dataset], calling_ae_title: str = "SCANNER"
) -> list[int]:
    """Send datasets over one association, in their own transfer syntaxes.

    Returns the status of each; an association that was not accepted gives none.
    """
    ae = CallingAE(ae_title=calling_ae_title)
    for ds in datasets:
        EAR.remember(ds)
        ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
    if not assoc.is_established:
        return []
    statuses = [int(assoc.send_c_store(ds).Status) for ds in datasets]
    assoc.release()
    return statuses


def read(files: Sequence[Path]) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in files]


def send_raw(
    node: Peer,
    body: bytes,
    sop_instance_uid: str = "2.25.1",
    sop_class_uid: str = MRImageStorage,
    transfer_syntax_uid: str = ExplicitVRLittleEndian,
) -> int | None:
    """Send any bytes as a dataset, under any text as SOP Instance UID.

    What a broken modality, or an attacker, does; returns the status, or None where
    the association was aborted instead.
    """
    ae = CallingAE(ae_title="SCANNER")
    ae.dimse_timeout = 10
    ae.add_requested_context(sop_class_uid, transfer_syntax_uid)
    assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID = UID(sop_class_uid)
    # Past pynetdicom's own checks, as an attacker would be.
    request._affected_sop_instance_uid = UID(sop_instance_uid, config.IGNORE)
    request.DataSet = BytesIO(body)
    # The association's own thread must not take the answer (as in send_c_store).
    assoc._reactor_checkpoint.clear()
    while not assoc._is_paused:
        time.sleep(0.001)
    assoc.dimse.send_msg(request, assoc.accepted_contexts[0].context_id or 1)
    _, answer = assoc.dimse.get_msg(block=True)
    assoc._reactor_checkpoint.set()
    assoc.release()
    return int(answer.Status or 0) if isinstance(answer, C_STORE) else None


def send_file(node: Peer, path: Path) -> int | None:
    """Send what a Part 10 file holds, byte for byte, readable or not."""
    meta = read_file_meta_info(path)
    return send_raw(
        node,
        encoded_dataset(path.read_bytes()),
        meta.MediaStorageSOPInstanceUID,
        meta.MediaStorageSOPClassUID,
        meta.TransferSyntaxUID,
    )


def encoded_dataset(part10: bytes) -> bytes:
    """Return what follows the file meta information (PS3.10 7.1)."""
    length = int.from_bytes(part10[140:144], "little")
    return part10[144 + length :]
