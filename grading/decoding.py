"""Pixels out of a dataset, by third-party decoders fed with bytes from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import generate_frames, get_frame
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes

from grading import jpeg

DECODERS: dict[UID, str] = {
    **dict.fromkeys(jpeg.SYNTAXES, jpeg.NAME),
    **dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg"),
}
"""By transfer syntax, the one that is asked. pydicom asks whichever is installed, GDCM
first where it is, and a damaged stream makes GDCM end the process."""
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
"""Markers of a JPEG or JPEG-LS stream. No scan can hold the second: T.81 and T.87 stuff
what would look like it."""

jpeg.register()


class Undecodable(Exception):
    """No installed decoder makes pixels of it; the message is the decoder's."""


def decoded(
    ds: Dataset, *, raw: bool = False, index: int | None = None
) -> NDArray[Any]:
    """Return the pixels of one frame, or of all; as stored where ``raw``.

    Raises
    ------
    Undecodable
        Whatever the decoder said, or it would take long to say it.
    """
    try:
        _refuse_endless(ds, index)
        decoder = DECODERS.get(ds.file_meta.get("TransferSyntaxUID"), "")
        return np.asarray(
            pixel_array(ds, raw=raw, index=index, decoding_plugin=decoder)
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    # Decoders are third-party code fed with bytes from the wire: whatever they raise,
    # this image cannot be read and the others can. The panic of one that is written
    # in Rust is no Exception, and would end the process that only wanted to look.
    except BaseException as error:
        raise Undecodable(str(error)) from error


def _refuse_endless(ds: Dataset, index: int | None) -> None:
    """Refuse JPEG and JPEG-LS streams that were cut off.

    libjpeg makes up what is missing and says nothing. CharLS reads zeros behind such
    an end, two thousand million of them, before it says that the stream is damaged.

    Raises
    ------
    ValueError
        A frame has no end.
    """
    if ds.file_meta.get("TransferSyntaxUID") not in jpeg.SYNTAXES:
        return
    for number, frame in _encoded_frames(ds, index):
        if frame.rfind(END_OF_IMAGE) <= frame.rfind(START_OF_SCAN):
            raise ValueError(f"the JPEG stream of frame {number} has no end")


def _encoded_frames(ds: Dataset, index: int | None) -> Iterable[tuple[int, bytes]]:
    """Yield one frame, or all, as they came, each with its number counted from 1."""
    count = int(ds.get("NumberOfFrames") or 1)
    offsets = None
    if "ExtendedOffsetTable" in ds:
        offsets = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths)
    if index is None:
        frames = generate_frames(
            ds.PixelData, number_of_frames=count, extended_offsets=offsets
        )
        return enumerate(frames, start=1)
    frame = get_frame(
        ds.PixelData, index, number_of_frames=count, extended_offsets=offsets
    )
    return [(index + 1, frame)]
