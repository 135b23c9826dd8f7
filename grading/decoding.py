"""Pixels out of a dataset, by third-party decoders fed with bytes from anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes

from grading import jpeg

DECODERS: dict[UID, str] = {
    **dict.fromkeys(jpeg.SYNTAXES, jpeg.NAME),
    **dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg"),
}
"""By transfer syntax, the one that is asked. pydicom asks whichever is installed, GDCM
first where it is, and a damaged stream makes GDCM end the process."""

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
        Whatever the decoder said.
    """
    try:
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
