"""The decoder of JPEG (ITU-T T.81) and JPEG-LS (T.87) that pydicom is given.

Frames of 8 to 16 bits, lossless too, JPEG Extended of 12 bits among them. pydicom asks
for it by name (`grading.decoding`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

NAME = "imagecodecs"
SYNTAXES = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes)
DECODER_DEPENDENCIES = dict.fromkeys(SYNTAXES, (NAME,))
"""What pydicom wants to know of a plugin."""

FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers of a frame (T.81 table B.1; T.87 annex C)."""
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
"""No scan can hold the second: T.81 and T.87 stuff what would look like it."""
WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
FRAME_HEADER = struct.Struct(">HBHHB")
"""Its length, precision, lines, samples a line, components (T.81 B.2.2)."""


def is_available(transfer_syntax_uid: str) -> bool:
    """Tell pydicom whether frames of a transfer syntax can be decoded."""
    return transfer_syntax_uid in DECODER_DEPENDENCIES


def register() -> None:
    """Make the decoder known to pydicom, once."""
    for transfer_syntax_uid in SYNTAXES:
        decoder = get_decoder(transfer_syntax_uid)
        if NAME not in decoder.available_plugins:
            decoder.add_plugin(NAME, (__name__, decode_frame.__name__))


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What a stream says of itself."""

    bits: int
    rows: int
    columns: int
    samples: int


def frame_header(stream: bytes) -> FrameHeader:
    """Read the first frame header of a stream.

    Raises
    ------
    ValueError
        There is none: the stream is cut off, or is no JPEG.
    """
    place = 2  # behind the start of the image
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if marker in FRAME_HEADERS:
            if place + 2 + FRAME_HEADER.size > len(stream):
                break
            return FrameHeader(*FRAME_HEADER.unpack_from(stream, place + 2)[1:])
        if marker == 0x00:  # none; a decoder would look for the next one behind it
            break
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    raise ValueError("the JPEG stream has no frame header")


def decode_frame(stream: bytes, runner: DecodeRunner) -> bytes:
    """Return one grey frame in as many bits as are allocated; pydicom's interface.

    Damage within a scan may go unnoticed: libjpeg goes on where it can.

    Raises
    ------
    ValueError
        The stream was cut off, is another image than the dataset describes, or holds
        colours. It is refused before any memory is given to it.
    Exception
        The stream is damaged.
    """
    _require_end(stream)
    header = frame_header(stream)
    _require_same(header, runner)
    whole = np.empty((header.rows, header.columns), "u1" if header.bits <= 8 else "u2")
    if runner.transfer_syntax in JPEGLSTransferSyntaxes:
        imagecodecs.jpegls_decode(stream, out=whole)
    else:
        imagecodecs.jpeg8_decode(stream, out=whole)
    return whole.astype(f"<u{runner.bits_allocated // 8}").tobytes()


def _require_end(stream: bytes) -> None:
    """Refuse a stream that was cut off.

    libjpeg makes up what is missing and says nothing. CharLS reads zeros behind such
    an end, two thousand million of them, before it says that the stream is damaged.
    """
    if stream.rfind(END_OF_IMAGE) <= stream.rfind(START_OF_SCAN):
        raise ValueError("the JPEG stream has no end")


def _require_same(header: FrameHeader, runner: DecodeRunner) -> None:
    found = f"{header.rows} x {header.columns}"
    wanted = f"{runner.rows} x {runner.columns}"
    if found != wanted:
        raise ValueError(f"the JPEG stream holds {found} pixels, not {wanted}")
    if header.samples != 1:
        raise ValueError("the JPEG stream holds colours")
    if header.bits > runner.bits_allocated:
        raise ValueError(
            f"the JPEG stream holds samples of {header.bits} bits, but "
            f"{runner.bits_allocated} are allocated"
        )
