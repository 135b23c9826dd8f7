"""Digests that tell whether two objects say the same, however they are encoded.

The same instance may come again in another transfer syntax, and a study may hold
two patients by mistake. Both questions are answered without keeping what was
compared: only digests reach the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from grading.decoding import Undecodable, decoded

PATIENT_ATTRIBUTES = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
)
"""Those that must agree within one study."""
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000)
"""Decoders may round these differently, so their encoded bytes are compared."""
PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
LEFT_OUT = {*PIXEL_KEYWORDS, "DataSetTrailingPadding"}
WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
"""Values of words change their byte order with the transfer syntax (PS3.5 7.3)."""


def patient_digest(ds: Dataset) -> str:
    """Return a digest of who the patient is, bound to the study.

    Bound, so that nobody can find a patient in the database by trying IDs across
    studies.
    """
    digest = hashlib.sha256(str(ds.get("StudyInstanceUID", "")).encode())
    for keyword in PATIENT_ATTRIBUTES:
        value = ds.get(keyword)
        text = "" if value is None else str(value).strip(" \0^=")
        digest.update(f"\n{keyword}={text}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def content_digest(ds: Dataset) -> str:
    """Return a digest of the public elements and the decoded pixels.

    Group lengths, file meta and private elements are left out: archives change
    them without changing what an image says.
    """
    digest = hashlib.sha256()
    big_endian = ds.file_meta.get("TransferSyntaxUID") == ExplicitVRBigEndian
    for line in _lines(ds, "", big_endian=big_endian):
        digest.update(line.encode(errors="surrogateescape"))
    for part in _pixel_bytes(ds):
        digest.update(part)
    return digest.hexdigest()


def _lines(ds: Dataset, path: str, *, big_endian: bool) -> Iterator[str]:
    for tag in sorted(ds.keys()):
        if tag.is_private or tag.element == 0 or keyword_for_tag(tag) in LEFT_OUT:
            continue
        place = f"{path}{tag:08x}"
        element = _element(ds, tag)
        if isinstance(element.value, Sequence):
            for number, item in enumerate(element.value):
                yield from _lines(item, f"{place}[{number}].", big_endian=big_endian)
        else:
            yield f"{place}={_value(element, big_endian=big_endian)}\n"


def _element(ds: Dataset, tag: BaseTag) -> DataElement | RawDataElement:
    """Return an element, as it came where its value breaks the rules of its VR."""
    try:
        return ds[tag]
    # One value against the standard, a decimal comma say, is no damaged file.
    except (ValueError, TypeError, ArithmeticError):
        return ds.get_item(tag)


def _value(element: DataElement | RawDataElement, *, big_endian: bool) -> str:
    value: Any = element.value
    if isinstance(value, bytes):
        word = WORD_BYTES.get(element.VR or "", 1)
        if big_endian and len(value) % word == 0:
            value = np.frombuffer(value, f">u{word}").astype(f"<u{word}").tobytes()
        return hashlib.sha256(value).hexdigest()
    return "" if value is None else str(value).strip(" \0")


def _pixel_bytes(ds: Dataset) -> Iterator[bytes]:
    keyword = next((name for name in PIXEL_KEYWORDS if name in ds), None)
    if keyword is None:
        return
    encoded: bytes = ds[keyword].value or b""
    if ds.file_meta.get("TransferSyntaxUID") in LOSSY:
        yield encoded
        return
    try:
        pixels = decoded(ds, raw=True)
    # Undecodable pixels are compared as they came, and say themselves why they cannot
    # be graded, later.
    except Undecodable:
        yield encoded
        return
    little_endian = pixels.dtype.newbyteorder("<")
    yield np.ascontiguousarray(pixels, dtype=little_endian).tobytes()
