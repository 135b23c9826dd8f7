"""One sound file, broken in one of the ways in which files are broken.

Everything follows from the random source, so that a case can be repeated by its number.
"""

from __future__ import annotations

import copy
import random
import struct
from collections.abc import Callable, Mapping
from io import BytesIO

import pydicom
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom_factories import as_received, compressed, enhanced_mr, mr_image

META_END = 144
"""Preamble, prefix and the group length element (PS3.10 7.1)."""
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VALUE_REPRESENTATIONS = (
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "OB", "OD",
    "OF", "OL", "OV", "OW", "PN", "SH", "SL", "SQ", "SS", "ST", "SV", "TM", "UC", "UI",
    "UL", "UN", "UR", "US", "UT", "UV", "ZZ",
)  # fmt: skip
COUNTS = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "SamplesPerPixel",
    "PixelRepresentation",
    "PlanarConfiguration",
)
TEXTS = (
    "NumberOfFrames",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "EchoTime",
    "SliceThickness",
    "InstanceNumber",
    "SpecificCharacterSet",
    "PatientName",
    "PhotometricInterpretation",
    "SOPInstanceUID",
    "SeriesDescription",
)
ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "nan",
    "inf",
    "1,5",
    "99999999999999999999",
    "ISO 2022 IR 149",
    "../../etc/passwd",
    "\\",
    "1\\2\\3\\4\\5\\6\\7",
    "=^=^=",
    "x" * 5000,
)
COMPRESSED = (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
DEEPER = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + ITEM
"""A sequence of undefined length with an item of undefined length, never closed."""


def sound(rng: random.Random, study_instance_uid: str) -> Dataset:
    """Return one image of a study, classic or enhanced, in one of seven encodings."""
    ds = of_study(
        enhanced_mr() if rng.random() < 0.15 else mr_image(2), study_instance_uid
    )
    syntax = rng.choice([None, None, *COMPRESSED])
    if syntax is None and rng.random() < 0.3:
        return as_received(ds, ImplicitVRLittleEndian)
    return in_encoding(ds, syntax)


def of_study(ds: Dataset, study_instance_uid: str) -> Dataset:
    """Return the dataset, now of that study."""
    ds.StudyInstanceUID = study_instance_uid
    return ds


def in_encoding(ds: Dataset, syntax: UID | None) -> Dataset:
    """Return a received dataset, compressed unless ``syntax`` is None."""
    return as_received(ds) if syntax is None else compressed(ds, syntax)


def mutated(rng: random.Random, ds: Dataset) -> tuple[str, bytes]:
    """Return the name of what was done to a dataset, and the file that came of it."""
    name = rng.choice(sorted(MUTATIONS))
    whole = copy.deepcopy(ds)
    try:
        return name, MUTATIONS[name](rng, ds)
    # What pydicom refuses to write has to be broken after writing.
    except Exception:  # noqa: BLE001
        return "bits flipped", _flipped(rng, whole)


def encoded(ds: Dataset) -> bytes:
    """Return a dataset as a Part 10 file."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _truncated(rng: random.Random, ds: Dataset) -> bytes:
    content = encoded(ds)
    return content[: rng.randrange(len(content))]


def _flipped(rng: random.Random, ds: Dataset) -> bytes:
    """Flip some bits of the header; among the pixels they would do nothing."""
    content = bytearray(encoded(ds))
    for _ in range(rng.randint(1, 20)):
        place = rng.randrange(min(len(content), 2000))
        content[place] ^= 1 << rng.randrange(8)
    return bytes(content)


def _odd_length(rng: random.Random, ds: Dataset) -> bytes:
    """Write an extreme number over a place where a length may stand."""
    content = bytearray(encoded(ds))
    place = rng.randrange(META_END, min(len(content), 3000) - 4)
    width = rng.choice(["<H", "<I"])
    number = rng.choice(EXTREMES) & (0xFFFF if width == "<H" else 0xFFFFFFFF)
    struct.pack_into(width, content, place, number)
    return bytes(content)


def _nested(rng: random.Random, ds: Dataset) -> bytes:
    content = encoded(ds)
    start = META_END + struct.unpack_from("<I", content, 140)[0]
    deep = DEEPER * rng.choice([10, 90, 200, 1000, 20_000])
    return content[:start] + deep + content[start:]


def _wrong_vr(rng: random.Random, ds: Dataset) -> bytes:
    """Give one element of an Explicit VR file another value representation."""
    content = bytearray(encoded(ds))
    known = {vr.encode() for vr in VALUE_REPRESENTATIONS}
    places = [
        place
        for place in range(META_END, min(len(content), 3000))
        if bytes(content[place : place + 2]) in known
    ]
    if places:
        place = rng.choice(places)
        content[place : place + 2] = rng.choice(VALUE_REPRESENTATIONS).encode()
    return bytes(content)


def _short_pixels(rng: random.Random, ds: Dataset) -> bytes:
    pixels = ds.PixelData
    ds.PixelData = pixels[: 2 * rng.randrange(len(pixels) // 2)]
    return encoded(ds)


def _absurd_counts(rng: random.Random, ds: Dataset) -> bytes:
    for keyword in rng.sample(COUNTS, rng.randint(1, 4)):
        setattr(ds, keyword, rng.choice([0, 1, 7, 8, 17, 64, 255, 32768, 65535]))
    return encoded(ds)


def _odd_texts(rng: random.Random, ds: Dataset) -> bytes:
    """Replace values after encoding, because a library would not write most of them."""
    content = encoded(ds)
    for keyword in rng.sample(TEXTS, rng.randint(1, 3)):
        text = rng.choice(ODD_TEXTS).encode()
        text += b" " * (len(text) % 2)
        ds = pydicom.dcmread(BytesIO(content), force=True)
        old: object = ds.get_item(keyword) if keyword in ds else None
        if isinstance(old, RawDataElement) and isinstance(old.value, bytes):
            content = _with_value(content, old.value_tell, len(old.value), text)
    return content


def _with_value(content: bytes, place: int, length: int, text: bytes) -> bytes:
    """Replace a value and the length before it, be that of two or of four bytes."""
    short = struct.unpack_from("<H", content, place - 2)[0] == length
    width = "<H" if short else "<I"
    before = content[: place - struct.calcsize(width)]
    return before + struct.pack(width, len(text)) + text + content[place + length :]


def _without(rng: random.Random, ds: Dataset) -> bytes:
    for tag in rng.sample(list(ds.keys()), rng.randint(1, 8)):
        del ds[tag]
    return encoded(ds)


def _repeated(rng: random.Random, ds: Dataset) -> bytes:
    """Write a piece of the file once more, somewhere else."""
    content = encoded(ds)
    start = rng.randrange(META_END, len(content))
    piece = content[start : start + rng.randint(1, 500)]
    place = rng.randrange(META_END, len(content))
    return content[:place] + piece + content[place:]


MUTATIONS: Mapping[str, Callable[[random.Random, Dataset], bytes]] = {
    "truncated": _truncated,
    "bits flipped": _flipped,
    "odd length": _odd_length,
    "nested deep": _nested,
    "wrong VR": _wrong_vr,
    "short pixels": _short_pixels,
    "absurd counts": _absurd_counts,
    "odd texts": _odd_texts,
    "elements left out": _without,
    "piece repeated": _repeated,
}
