"""Datasets with pixels as Part 10 files (PS3.10 7), byte for byte reproducible."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from grading.phantom.studies.habits import Syntax
from grading.phantom.studies.stored import Stored
from grading.phantom.studies.vendors import Storage

IMPLEMENTATION_UID = UID("2.25.276290471530868186229017243498327374437")
"""Of what wrote the files: not pydicom's, whose version would change the bytes."""
IMPLEMENTATION_NAME = "LUMBAR_PHANTOM"

COMPRESSED = {
    Syntax.RLE: (RLELossless, "pylibjpeg"),
    Syntax.JPEG_LS: (JPEGLSLossless, "pyjpegls"),
}
"""Transfer syntax and the encoder that always writes it."""


def part10(ds: Dataset, stored: Stored, storage: Storage, syntax: Syntax) -> bytes:
    """Return the file of a dataset.

    Parameters
    ----------
    stored
        (rows, columns), or (frames, rows, columns).
    """
    _put_pixels(ds, stored, storage)
    ds.file_meta = _file_meta(ds)
    implicit = syntax is Syntax.IMPLICIT
    ds.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    )
    if syntax in COMPRESSED:
        uid, encoder = COMPRESSED[syntax]
        ds.compress(uid, encoding_plugin=encoder, generate_instance_uid=False)
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _put_pixels(ds: Dataset, stored: Stored, storage: Storage) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.BitsAllocated = 16
    ds.BitsStored = storage.bits_stored
    ds.HighBit = storage.bits_stored - 1
    ds.PixelRepresentation = int(storage.signed)
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"


def _file_meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    return meta
