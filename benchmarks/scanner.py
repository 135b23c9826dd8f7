"""A scanner that sends the public-domain study, each time as one nobody has seen."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import pydicom
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from dicom_node.demo import STUDY
from dicom_node.errors import NodeError
from dicom_node.sender import Peer

RENEWED = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
)


def study_under_fresh_uids() -> list[Dataset]:
    """Return the study as one that no node has seen before."""
    fresh: defaultdict[str, str] = defaultdict(lambda: generate_uid(prefix=None))
    datasets: list[Dataset] = [
        pydicom.dcmread(path) for path in sorted(STUDY.rglob("*.dcm"))
    ]
    for ds in datasets:
        for keyword in RENEWED:
            if keyword in ds:
                setattr(ds, keyword, fresh[ds[keyword].value])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return datasets


def send(datasets: Sequence[Dataset], node: Peer) -> float:
    """Send a study; return when (monotonic) its last image was acknowledged.

    Raises
    ------
    NodeError
        The node did not keep every image.
    """
    ae = AE(ae_title="SCANNER")
    for ds in datasets:
        ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate(node.host, node.port, ae_title=node.ae_title)
    statuses = [assoc.send_c_store(ds).get("Status") for ds in datasets]
    acknowledged = time.monotonic()
    assoc.release()
    if any(status != 0 for status in statuses):
        raise NodeError(f"the node did not keep every image: statuses {statuses}")
    return acknowledged
