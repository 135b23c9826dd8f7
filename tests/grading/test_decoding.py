"""Whatever a decoder does, the image cannot be decoded and nothing else happens."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import JPEGLSLossless

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


@pytest.mark.parametrize("index", [None, 1])
def test_a_jpeg_ls_stream_that_was_cut_off_is_not_given_to_a_decoder(
    index: int | None,
) -> None:
    cut = frames_in_jpeg_ls(cut=100)

    with pytest.raises(Undecodable, match="JPEG stream has no end"):
        decoded(cut, index=index)

    assert decoded(cut, index=0).shape == (64, 64)


@pytest.mark.parametrize("index", [None, 0, 1])
@pytest.mark.parametrize("extended", [False, True])
def test_a_whole_jpeg_ls_stream_is_decoded(index: int | None, extended: bool) -> None:
    whole = frames_in_jpeg_ls()
    if extended:
        frames = list(generate_frames(whole.PixelData, number_of_frames=2))
        content, offsets, lengths = encapsulate_extended(frames)
        whole.PixelData = content
        whole.ExtendedOffsetTable = offsets
        whole.ExtendedOffsetTableLengths = lengths

    assert decoded(whole, index=index).shape[-2:] == (64, 64)


def frames_in_jpeg_ls(cut: int = 0) -> Dataset:
    """Return an image of two frames, the second of which lacks its last bytes."""
    ds = as_received(mr_image())
    ds.NumberOfFrames = 2
    ds.PixelData *= 2
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    first, second = generate_frames(ds.PixelData, number_of_frames=2)
    ds.PixelData = encapsulate([first, second[: len(second) - cut]])
    return ds


def raising(error: type[BaseException]) -> object:
    def pixel_array(_: Dataset, **__: object) -> None:
        raise error("index out of bounds")

    return pixel_array
