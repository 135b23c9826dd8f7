"""Whatever a decoder does, the image cannot be decoded and nothing else happens."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from grading import decoding
from grading.decoding import Undecodable, decoded
from tests.dicom_factories import as_received, mr_image


class Panic(BaseException):
    """As what a decoder that is written in Rust raises."""


@pytest.mark.parametrize("raised", [Panic, OSError, RecursionError, ValueError])
def test_what_a_decoder_raises_is_an_image_that_cannot_be_decoded(
    raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "pixel_array", raising(raised))

    with pytest.raises(Undecodable, match="index out of bounds"):
        decoded(as_received(mr_image()))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_a_decoder_cannot_keep_a_process_from_ending(
    raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "pixel_array", raising(raised))

    with pytest.raises(raised):
        decoded(as_received(mr_image()))


def raising(error: type[BaseException]) -> object:
    def pixel_array(_: Dataset, **__: object) -> None:
        raise error("index out of bounds")

    return pixel_array
