from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from grading.errors import NotGradable
from grading.grades import Plane, SeriesVerdict, Weighting
from grading.headers import Acquisition, ImageHeader
from grading.series import (
    LEVELS_ONLY,
    LoadedSeries,
    SeriesHeaders,
    decode,
    gradable_images,
    group_series,
    judge,
    load,
)
from tests.dicom_factories import as_received, compressed, enhanced_mr, mr_series
from tests.grading.builders import T2, hitachi, image, series_of, stack
from tests.shared_data import shared_data

DIXON_OUT_OF_PHASE = Acquisition(
    2.3, 8.5, gradient_echo=True, image_type=("DERIVED", "PRIMARY", "WATER")
)

UNKNOWN_WEIGHTING = (
    "weighting unknown: the header gives no TE, and the description 'axial' does not "
    "say T2"
)


def judged(datasets: Sequence[Dataset]) -> SeriesVerdict:
    (series,) = group_series(datasets)
    return judge(series)


def loaded(datasets: Sequence[Dataset]) -> LoadedSeries:
    (series,) = group_series(datasets)
    by_uid = {str(ds.SOPInstanceUID): ds for ds in datasets}
    return load(
        series, {one.key: by_uid[one.key.sop_instance_uid] for one in series.images}
    )


def received(count: int = 4) -> list[Dataset]:
    return [as_received(ds) for ds in mr_series(count)]


@pytest.mark.parametrize(
    ("folder", "plane", "weighting", "graded", "reason"),
    [
        (
            "t2_ax",
            Plane.AXIAL,
            Weighting.T2,
            True,
            "axial T2-weighted: TE 95 ms, TR 4455 ms",
        ),
        (
            "t1_ax",
            Plane.AXIAL,
            Weighting.T1,
            False,
            "not T2-weighted (T1): TE 21 ms, TR 567 ms",
        ),
        (
            "t2_sag",
            Plane.SAGITTAL,
            Weighting.T2,
            False,
            "sagittal T2-weighted, for the levels only: TE 110 ms, TR 3203 ms",
        ),
        (
            "t1_sag",
            Plane.SAGITTAL,
            Weighting.T1,
            False,
            "not axial: normal 89 degrees from the body axis",
        ),
        (
            "stir_sag",
            Plane.SAGITTAL,
            Weighting.T2_FAT_SUPPRESSED,
            False,
            "not axial: normal 89 degrees from the body axis",
        ),
    ],
)
def test_every_series_of_a_real_study_gets_its_verdict(
    folder: str, plane: Plane, weighting: Weighting, graded: bool, reason: str
) -> None:
    verdict = judged(hitachi(folder))

    assert (verdict.plane, verdict.weighting) == (plane, weighting)
    assert (verdict.graded, verdict.reason) == (graded, reason)


def test_a_study_marked_derived_throughout_is_graded() -> None:
    datasets = hitachi("t2_ax")

    assert {tuple(ds.ImageType[:2]) for ds in datasets} == {("DERIVED", "SECONDARY")}
    assert judged(datasets).graded


def test_headers_without_modality_and_times_are_believed_to_be_what_they_say() -> None:
    folder = shared_data("lumbar-rsna2024-study-1002894806")
    datasets = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]

    verdicts = [judge(series) for series in group_series(datasets)]

    assert [verdict.reason for verdict in verdicts] == [
        "axial T2-weighted: by its description, the header gives no TE",
        f"{LEVELS_ONLY}: by its description, the header gives no TE",
        "not axial: normal 87 degrees from the body axis",
    ]


def test_a_verdict_says_which_scanner_made_the_series() -> None:
    verdict = judged(hitachi("t2_ax"))

    assert verdict.description == "T2 AX"
    assert verdict.slices == 17
    assert verdict.model_name == "AIRIS_Vento"
    assert verdict.field_strength_tesla == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (stack(modality="CT"), "not MR: modality is CT"),
        (stack(modality=""), "not MR: modality is not stated"),
        (stack(description="localizer"), "localizer"),
        (
            stack(tilt_deg=78),
            "not axial: normal 78 degrees from the body axis",
        ),
        (
            stack(acquisition=replace(T2, echo_time_ms=21, repetition_time_ms=567)),
            "not T2-weighted (T1): TE 21 ms, TR 567 ms",
        ),
        (
            stack(acquisition=replace(T2, inversion_time_ms=140)),
            "fat-suppressed: TE 95 ms, TR 4455 ms, TI 140 ms",
        ),
        (
            stack(acquisition=DIXON_OUT_OF_PHASE, description="T2 dixon water"),
            "not T2-weighted (Dixon): TE 2 ms, TR 8 ms, gradient echo",
        ),
        (stack(acquisition=Acquisition(), description="axial"), UNKNOWN_WEIGHTING),
        (
            stack(body_part="KNEE"),
            "not the lumbar spine: body part examined is KNEE",
        ),
        (stack(2), "too few slices: 2, at least 3 are needed"),
    ],
)
def test_a_refusal_is_a_reason_that_a_radiographer_understands(
    series: SeriesHeaders, reason: str
) -> None:
    verdict = judge(series)

    assert not verdict.graded
    assert verdict.reason == reason


def test_three_images_are_enough() -> None:
    assert judge(stack(3)).graded


def test_a_screen_copy_is_no_grey_scale_image() -> None:
    images = [replace(one, samples_per_pixel=3) for one in stack().images]

    verdict = judge(series_of(images))

    assert verdict.reason == "not a grey-scale image: a picture or a screen copy"


@pytest.mark.parametrize(
    "damaged",
    [
        replace(image(), position_lps_mm=None),
        replace(image(), row_direction=None),
        replace(image(), column_direction=None),
        replace(image(), spacing_mm=None),
    ],
    ids=["position", "rows", "columns", "spacing"],
)
def test_one_image_without_geometry_refuses_the_series_and_is_counted(
    damaged: ImageHeader,
) -> None:
    verdict = judge(series_of([*stack(3).images, damaged]))

    assert verdict.reason == (
        "no usable image position, orientation or pixel spacing in 1 of 4 images"
    )


def test_the_finest_and_the_coarsest_pixels_that_are_believed_are_graded() -> None:
    images = stack(3).images

    ends = [replace(one, spacing_mm=(0.05, 10.0)) for one in images]

    assert judge(series_of(ends)).graded


def test_geometry_that_is_not_a_number_is_no_geometry() -> None:
    datasets = mr_series()
    datasets[0].ImageOrientationPatient = [float("nan")] * 6

    assert "1 of 4 images" in judged(datasets).reason


@pytest.mark.parametrize(("tilt_deg", "graded"), [(44, True), (-44, True), (46, False)])
def test_a_slab_along_a_disc_is_still_axial(tilt_deg: float, graded: bool) -> None:
    verdict = judge(stack(tilt_deg=tilt_deg))

    assert verdict.graded is graded


def test_slabs_of_different_tilt_are_one_axial_series() -> None:
    tilts_deg = (-12, -12, -12, 5, 5, 5, 30, 30, 30)
    images = [image(n, tilt_deg=tilt) for n, tilt in enumerate(tilts_deg)]

    assert judge(series_of(images)).graded


def test_a_series_of_several_planes_is_not_axial_and_names_the_worst() -> None:
    images = [image(n, tilt_deg=tilt) for n, tilt in enumerate((0, 0, 0, 80))]

    verdict = judge(series_of(images))

    assert verdict.plane is Plane.UNKNOWN
    assert verdict.reason == "not axial: normal 80 degrees from the body axis"


def test_enhanced_frames_are_judged_like_images() -> None:
    verdict = judged([as_received(enhanced_mr(frames=4))])

    assert verdict.graded
    assert verdict.slices == 4


def test_of_a_double_echo_only_the_t2_images_are_gradable() -> None:
    echoes_ms = (21, 95, 21, 95, 21, 95)
    images = [
        image(n, acquisition=replace(T2, echo_time_ms=echo))
        for n, echo in enumerate(echoes_ms)
    ]
    series = series_of(images)

    assert judge(series).reason == "axial T2-weighted: TE 95 ms, TR 4455 ms"
    assert gradable_images(series) == [images[1], images[3], images[5]]


def test_all_images_of_a_silent_series_are_gradable() -> None:
    series = stack(acquisition=Acquisition(), description="T2")

    assert len(gradable_images(series)) == 5


def test_images_of_two_series_with_one_instance_uid_are_kept_apart() -> None:
    first, second = mr_series(3), mr_series(3, series_uid="2.25.2002")
    for one, other in zip(first, second, strict=True):
        other.SOPInstanceUID = one.SOPInstanceUID

    found = group_series([*first, *second])

    assert [len(series.images) for series in found] == [3, 3]


@settings(max_examples=20)
@given(order=st.permutations(range(9)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    datasets = [*mr_series(4), *mr_series(5, series_uid="2.25.2002")]

    found = group_series([datasets[index] for index in order])

    assert found == group_series(datasets)


def test_loaded_slices_carry_their_pixels_in_stored_units() -> None:
    datasets = received(4)

    series = loaded(datasets)

    assert series.notes == ()
    for slice_, ds in zip(series.slices, datasets, strict=True):
        assert slice_.header.key.sop_instance_uid == ds.SOPInstanceUID
        assert slice_.pixels.dtype == np.float32
        np.testing.assert_array_equal(slice_.pixels, ds.pixel_array)


def test_every_frame_of_an_enhanced_image_is_decoded_by_itself() -> None:
    ds = as_received(enhanced_mr(frames=4))

    series = loaded([ds])

    np.testing.assert_array_equal([one.pixels for one in series.slices], ds.pixel_array)


def test_one_slice_that_cannot_be_decoded_is_left_out_with_a_note() -> None:
    datasets = received(4)
    datasets[1].PixelData = datasets[1].PixelData[:100]

    series = loaded(datasets)

    assert len(series.slices) == 3
    assert series.notes == ("1 slice(s) of 'T2 AX' could not be read.",)


def test_too_few_slices_that_can_be_decoded_make_a_series_unreadable() -> None:
    datasets = received(4)
    for ds in datasets[:2]:
        del ds.PixelData

    with pytest.raises(NotGradable, match="unreadable: only 2 of 4 images"):
        loaded(datasets)


def test_signed_pixels_stay_signed() -> None:
    ds = received(1)[0]
    ds.PixelRepresentation = 1
    ds.BitsStored, ds.HighBit = 16, 15
    ds.PixelData = np.full((64, 64), -7, dtype="<i2").tobytes()

    assert (decode(ds) == -7).all()


def test_the_signed_pixels_of_a_real_study_are_decoded() -> None:
    ds = hitachi("t2_ax")[0]

    pixels = decode(ds)

    assert ds.PixelRepresentation == 1
    np.testing.assert_array_equal(pixels, ds.pixel_array)


def test_monochrome1_is_turned_so_that_bright_means_much_signal() -> None:
    ds = received(1)[0]
    brightest = np.unravel_index(np.argmin(decode(ds)), (64, 64))
    ds.PhotometricInterpretation = "MONOCHROME1"

    pixels = decode(ds)

    assert pixels[brightest] == pixels.max()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_an_uncompressed_transfer_syntax_changes_no_pixel(syntax: str) -> None:
    ds = mr_series(1)[0]

    np.testing.assert_array_equal(
        decode(as_received(ds, pydicom.uid.UID(syntax))), decode(as_received(ds))
    )


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless]
)
def test_a_lossless_transfer_syntax_changes_no_pixel(syntax: pydicom.uid.UID) -> None:
    ds = mr_series(1)[0]
    expected = decode(as_received(ds))

    np.testing.assert_array_equal(decode(compressed(ds, syntax)), expected)


def test_big_endian_pixels_mean_the_same() -> None:
    ds = mr_series(1)[0]
    expected = decode(as_received(ds))
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()

    np.testing.assert_array_equal(
        decode(as_received(ds, ExplicitVRBigEndian)), expected
    )


def test_an_unknown_transfer_syntax_names_the_image_that_cannot_be_decoded() -> None:
    ds = received(1)[0]
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID("1.2.3.4.5")

    with pytest.raises(NotGradable, match=f"{ds.SOPInstanceUID} cannot be decoded"):
        decode(ds)


@pytest.mark.parametrize("odd", ["1,5", "ISO 2022 IR 149", "inf", ""])
def test_an_odd_number_of_frames_keeps_nobody_from_naming_the_image(odd: str) -> None:
    ds = as_received(mr_series(1)[0])
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    ds.PixelData = encapsulate([b"no stream at all"])
    place, raw = Tag("NumberOfFrames"), odd.encode()
    ds[place] = RawDataElement(place, "IS", len(raw), raw, 0, False, True)

    with pytest.raises(NotGradable, match=f"image {ds.SOPInstanceUID} cannot be"):
        decode(ds)


def test_of_several_frames_the_one_that_cannot_be_decoded_is_named() -> None:
    ds = as_received(mr_series(1)[0])
    ds.NumberOfFrames = 2
    ds.PixelData *= 2
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    first, second = generate_frames(ds.PixelData, number_of_frames=2)
    ds.PixelData = encapsulate([first, second[:-100]])

    decode(ds, 1)
    with pytest.raises(NotGradable, match=f"frame 2 of image {ds.SOPInstanceUID}"):
        decode(ds, 2)


def test_a_coloured_image_is_no_slice() -> None:
    ds = received(1)[0]
    ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
    ds.PhotometricInterpretation = "RGB"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelData = bytes(64 * 64 * 3)

    with pytest.raises(NotGradable, match="not a grey-scale image"):
        decode(ds)


@pytest.mark.parametrize("name", ["RLE", "JLSL", "J2KR", "JPLL"])
def test_every_lossless_encoding_of_a_published_image_decodes_alike(name: str) -> None:
    folder = shared_data("mr-encodings", "nema-wg04")
    plain = decode(pydicom.dcmread(folder / "MR1_UNC.dcm"))

    encoded = decode(pydicom.dcmread(folder / f"MR1_{name}.dcm"))

    np.testing.assert_array_equal(encoded, plain)


@pytest.mark.parametrize("name", ["JLSN", "J2KI", "JPLY"])
def test_a_lossy_encoding_of_a_published_image_stays_close_to_it(name: str) -> None:
    folder = shared_data("mr-encodings", "nema-wg04")
    plain = decode(pydicom.dcmread(folder / "MR1_UNC.dcm"))

    encoded = decode(pydicom.dcmread(folder / f"MR1_{name}.dcm"))

    assert np.corrcoef(plain.ravel(), encoded.ravel())[0, 1] > 0.99
