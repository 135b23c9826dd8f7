"""Two objects that say the same have one digest, however they are encoded."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from dicom_node.digests import content_digest, patient_digest
from tests.dicom_factories import (
    as_received,
    compressed,
    enhanced_mr,
    mr_image,
    put_raw,
)

LOSSLESS = (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
PLAIN = as_received(mr_image())
PLAIN_DIGEST = content_digest(PLAIN)


def big_endian(ds: Dataset) -> Dataset:
    sent = copy.deepcopy(ds)
    sent.PixelData = np.frombuffer(sent.PixelData, "<u2").astype(">u2").tobytes()
    return as_received(sent, ExplicitVRBigEndian)


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
)
def test_an_uncompressed_transfer_syntax_changes_no_digest(syntax: UID) -> None:
    assert content_digest(as_received(mr_image(), syntax)) == PLAIN_DIGEST


def test_the_order_of_bytes_changes_no_digest() -> None:
    assert content_digest(big_endian(mr_image())) == PLAIN_DIGEST


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_lossless_compression_changes_no_digest(syntax: UID) -> None:
    assert content_digest(compressed(mr_image(), syntax)) == PLAIN_DIGEST


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_frames_and_functional_groups_change_no_digest(syntax: UID) -> None:
    ds = enhanced_mr(frames=2)

    digest = content_digest(compressed(ds, syntax))

    assert digest == content_digest(as_received(ds))
    assert digest == content_digest(big_endian(ds))


@given(pixel=st.integers(0, 64 * 64 - 1), change=st.integers(1, 100))
def test_one_other_pixel_is_another_digest(pixel: int, change: int) -> None:
    ds = copy.deepcopy(PLAIN)
    pixels = np.frombuffer(ds.PixelData, np.uint16).copy()
    pixels[pixel] += change
    ds.PixelData = pixels.tobytes()

    assert content_digest(ds) != PLAIN_DIGEST


@given(
    keyword=st.sampled_from(
        ["SeriesDescription", "PatientName", "EchoTime", "ImagePositionPatient"]
    ),
    number=st.integers(100, 999),
)
def test_one_other_element_is_another_digest(keyword: str, number: int) -> None:
    ds = copy.deepcopy(PLAIN)
    values: dict[str, object] = {"ImagePositionPatient": [number, 0, 0]}
    setattr(ds, keyword, values.get(keyword, str(number)))

    assert content_digest(ds) != PLAIN_DIGEST


def test_an_element_that_is_gone_is_another_digest() -> None:
    ds = copy.deepcopy(PLAIN)
    del ds.EchoTime

    assert content_digest(ds) != PLAIN_DIGEST


def test_an_element_inside_a_sequence_counts() -> None:
    ds = enhanced_mr(frames=2)
    moved = copy.deepcopy(ds)
    frames = moved.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 0]

    assert content_digest(as_received(moved)) != content_digest(as_received(ds))


def test_an_element_does_not_count_for_its_neighbour() -> None:
    """Moved from one sequence item into the next, and nothing else."""
    first, second = mr_image(), mr_image()
    described, empty = Dataset(), Dataset()
    described.CodeMeaning = "x"
    first.ProcedureCodeSequence = [described, empty]
    second.ProcedureCodeSequence = [empty, described]

    assert content_digest(first) != content_digest(second)


def test_private_elements_and_padding_say_nothing() -> None:
    ds = copy.deepcopy(PLAIN)
    ds.private_block(0x0011, "ARCHIVE", create=True).add_new(1, "LO", "stored")
    ds.DataSetTrailingPadding = b"\0\0"
    ds.SeriesDescription = f"{ds.SeriesDescription}  "

    assert content_digest(ds) == PLAIN_DIGEST


@pytest.mark.parametrize("value", [b"1,5\\2", b"\xff\xfe", b"four point five"])
def test_a_value_that_breaks_its_rules_still_counts(value: bytes) -> None:
    one, same, other = (copy.deepcopy(PLAIN) for _ in range(3))
    put_raw(one, "SliceThickness", value)
    put_raw(same, "SliceThickness", value)
    put_raw(other, "SliceThickness", b"7,7")

    assert content_digest(one) == content_digest(same)
    assert content_digest(one) != content_digest(other)


def test_pixels_that_cannot_be_decoded_are_compared_as_they_came() -> None:
    one, other = copy.deepcopy(PLAIN), copy.deepcopy(PLAIN)
    one.PixelData, other.PixelData = b"\1\2", b"\3\4"

    assert content_digest(one) == content_digest(copy.deepcopy(one))
    assert content_digest(one) != content_digest(other)


def test_an_object_without_pixels_has_a_digest() -> None:
    ds = copy.deepcopy(PLAIN)
    del ds.PixelData

    assert content_digest(ds) != PLAIN_DIGEST


def test_spelling_makes_no_other_patient() -> None:
    ds = mr_image()
    ds.PatientName, ds.PatientID = "Phantom^Anna^^", " P0001 "

    assert patient_digest(ds) == patient_digest(mr_image())


def test_an_empty_value_says_as_little_as_none() -> None:
    absent, empty = mr_image(), mr_image()
    del absent.PatientBirthDate
    empty.PatientBirthDate = ""

    assert patient_digest(absent) == patient_digest(empty)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "P0002"),
        ("IssuerOfPatientID", "OTHER"),
        ("PatientName", "Phantom^Berta"),
        ("PatientBirthDate", "19650413"),
        ("PatientSex", "M"),
        ("StudyInstanceUID", "2.25.1002"),
    ],
)
def test_another_patient_or_study_is_another_digest(keyword: str, value: str) -> None:
    ds = mr_image()
    setattr(ds, keyword, value)

    assert patient_digest(ds) != patient_digest(mr_image())


def test_a_digest_does_not_depend_on_where_one_value_ends() -> None:
    first, second = mr_image(), mr_image()
    first.PatientID, first.IssuerOfPatientID = "AB", "C"
    second.PatientID, second.IssuerOfPatientID = "A", "BC"

    assert patient_digest(first) != patient_digest(second)


def test_words_beside_the_pixels_may_change_their_order_of_bytes_too() -> None:
    little, big = mr_image(), mr_image()
    little.RedPaletteColorLookupTableData = b"\1\2\3\4"
    big.RedPaletteColorLookupTableData = b"\2\1\4\3"

    digest = content_digest(big_endian(big))

    assert digest == content_digest(as_received(little))
