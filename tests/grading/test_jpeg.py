"""The decoder of JPEG and JPEG-LS: whole streams, damaged ones, and other images'."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from grading.decoding import Undecodable, decoded
from grading.jpeg import FrameHeader, frame_header
from tests.dicom_factories import as_received, compressed, mr_image
from tests.peers import require_peer

SYNTAXES = [JPEGLosslessSV1, JPEGLSLossless]
WHOLE = {
    syntax: compressed(mr_image(), syntax) for syntax in [*SYNTAXES, JPEG2000Lossless]
}


def stream_of(ds: Dataset) -> bytes:
    [stream] = generate_frames(ds.PixelData, number_of_frames=1)
    return stream


def with_stream(syntax: UID, stream: bytes) -> Dataset:
    ds = compressed(mr_image(), syntax)
    ds.PixelData = encapsulate([stream])
    return ds


@pytest.mark.parametrize("options", [["+e1"], ["+el", "+sv", "4"]], ids=" ".join)
def test_what_another_program_encodes_without_loss_is_read(
    tmp_path: Path, options: list[str]
) -> None:
    ds = encoded_by_dcmtk(tmp_path, options)

    np.testing.assert_array_equal(decoded(ds), decoded(as_received(mr_image())))


def test_twelve_bits_that_another_program_encodes_are_read(tmp_path: Path) -> None:
    ds = encoded_by_dcmtk(tmp_path, ["+ee", "+q", "100"])

    assert ds.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    # DCMTK moves the values, and says so by Rescale Intercept.
    read, sent = decoded(ds).ravel(), decoded(as_received(mr_image())).ravel()
    assert np.corrcoef(read, sent)[0, 1] > 0.999


def encoded_by_dcmtk(folder: Path, options: list[str]) -> Dataset:
    (dcmcjpeg,) = require_peer("dcmtk", "/usr/bin/dcmcjpeg")
    plain, encoded = folder / "plain.dcm", folder / "encoded.dcm"
    as_received(mr_image()).save_as(plain)
    subprocess.run([dcmcjpeg, *options, plain, encoded], check=True)
    return dcmread(encoded)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda it: it.name)
def test_numbers_with_a_sign_keep_it(syntax: UID) -> None:
    ds = mr_image()
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 1, 16, 15
    pixels = np.arange(-2048, 2048, dtype="<i2").reshape(64, 64)
    ds.PixelData = pixels.tobytes()

    np.testing.assert_array_equal(decoded(compressed(ds, syntax)), pixels)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda it: it.name)
@pytest.mark.parametrize(("keyword", "value"), [("Rows", 63), ("Columns", 65)])
def test_a_stream_of_another_size_than_the_header_says_is_refused(
    syntax: UID, keyword: str, value: int
) -> None:
    ds = compressed(mr_image(), syntax)
    setattr(ds, keyword, value)

    with pytest.raises(Undecodable, match="64 x 64 pixels, not"):
        decoded(ds)


def test_more_bits_than_are_allocated_are_refused() -> None:
    ds = compressed(mr_image(), JPEGLosslessSV1)
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7

    with pytest.raises(Undecodable, match="of 12 bits, but 8 are allocated"):
        decoded(ds)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda it: it.name)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_stream_that_was_cut_off_is_no_image(syntax: UID, kept: float) -> None:
    stream = stream_of(WHOLE[syntax])
    cut = stream[: int(kept * len(stream)) & ~1]

    with pytest.raises(Undecodable, match="the JPEG stream has no end"):
        decoded(with_stream(syntax, cut))


def test_a_frame_header_cannot_be_hidden_from_the_check_of_its_size() -> None:
    stream = stream_of(WHOLE[JPEGLosslessSV1])
    hidden = stream[2:].replace(b"\0\x40\0\x40", b"\xff\0\xff\0", 1)
    length = (len(hidden) + 2).to_bytes(2, "big")
    trojan = b"\xff\xd8\xff\0" + length + hidden + stream[2:]

    with pytest.raises(Undecodable, match="has no frame header"):
        decoded(with_stream(JPEGLosslessSV1, trojan + b"\0" * (len(trojan) % 2)))


@given(
    syntax=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=5),
    kept=st.floats(0.001, 1),
)
def test_a_damaged_stream_gives_an_image_or_a_reason(
    syntax: UID, changes: list[tuple[float, int]], kept: float
) -> None:
    stream = bytearray(stream_of(WHOLE[syntax]))
    del stream[max(2, int(kept * len(stream))) & ~1 :]
    for place, change in changes:
        stream[int(place * (len(stream) - 1))] ^= change
    stream += b"\xff\xd9"  # without its end no decoder would be asked

    with contextlib.suppress(Undecodable):
        assert decoded(with_stream(syntax, bytes(stream))).shape == (64, 64)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8"]))
def test_no_bytes_break_the_reading_of_a_frame_header(
    rest: bytes, start: bytes
) -> None:
    with contextlib.suppress(ValueError):
        assert frame_header(start + rest).rows >= 0


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda it: it.name)
def test_a_frame_header_says_what_the_stream_holds(syntax: UID) -> None:
    assert frame_header(stream_of(WHOLE[syntax])) == FrameHeader(12, 64, 64, 1)
