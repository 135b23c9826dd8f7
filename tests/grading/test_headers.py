from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, MRImageStorage

from grading.grades import SliceKey
from grading.headers import ImageHeader, image_headers, modality
from tests.dicom_factories import (
    SERIES_UID,
    as_received,
    enhanced_mr,
    mr_image,
    put_raw,
)
from tests.grading.builders import hitachi, image


def header_of(ds: Dataset) -> ImageHeader:
    (header,) = image_headers(ds)
    return header


def test_a_classic_image_says_where_it_lies_and_how_it_was_made() -> None:
    header = header_of(as_received(mr_image(2)))

    assert header.key == SliceKey(SERIES_UID, f"{SERIES_UID}.2", 1)
    assert header.position_lps_mm == (-48.0, -48.0, -9.0)
    assert header.row_direction == (1.0, 0.0, 0.0)
    assert header.column_direction == (0.0, 1.0, 0.0)
    assert header.normal == (0.0, 0.0, 1.0)
    assert header.spacing_mm == (1.5, 1.5)
    assert (header.rows, header.columns) == (64, 64)
    assert header.acquisition.echo_time_ms == 95
    assert header.acquisition.repetition_time_ms == 4455
    assert header.acquisition.inversion_time_ms is None
    assert (header.modality, header.description) == ("MR", "T2 AX")
    assert (header.manufacturer, header.model_name) == ("Phantom Works", "Phantom 1")


def test_a_real_image_says_what_its_scanner_is() -> None:
    header = header_of(hitachi("t2_ax")[0])

    assert header.manufacturer == "Hitachi Medical Corporation"
    assert header.model_name == "AIRIS_Vento"
    assert header.field_strength_tesla == pytest.approx(0.3)
    assert header.acquisition.image_type[:2] == ("DERIVED", "SECONDARY")


def test_rows_are_spaced_by_the_first_number_columns_by_the_second() -> None:
    ds = mr_image()
    ds.PixelSpacing = [0.8, 0.4]

    assert header_of(ds).spacing_mm == (0.8, 0.4)


def test_every_frame_of_an_enhanced_image_has_a_header() -> None:
    headers = image_headers(as_received(enhanced_mr(frames=4)))

    assert [header.key.frame for header in headers] == [1, 2, 3, 4]
    assert [header.position_lps_mm for header in headers] == [
        (-48, -48, -4.5 * n) for n in range(4)
    ]
    assert {header.spacing_mm for header in headers} == {(1.5, 1.5)}
    assert {header.acquisition.echo_time_ms for header in headers} == {95}


def test_a_frame_knows_better_than_what_all_frames_share() -> None:
    ds = enhanced_mr(frames=2)
    ds.PerFrameFunctionalGroupsSequence[1].MREchoSequence = [Dataset()]
    ds.PerFrameFunctionalGroupsSequence[1].MREchoSequence[0].EffectiveEchoTime = 21.0

    first, second = image_headers(ds)

    assert first.acquisition.echo_time_ms == 95
    assert second.acquisition.echo_time_ms == 21


def test_an_enhanced_image_tells_its_physics_in_functional_groups() -> None:
    ds = enhanced_mr(frames=1)
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.MRTimingAndRelatedParametersSequence = [Dataset()]
    shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime = 4000
    shared.MRModifierSequence = [Dataset()]
    shared.MRModifierSequence[0].InversionRecovery = "YES"
    shared.MRModifierSequence[0].InversionTimes = [150.0]
    shared.MRModifierSequence[0].SpectrallySelectedSuppression = "FAT"
    shared.MRImageFrameTypeSequence = [Dataset()]
    shared.MRImageFrameTypeSequence[0].AcquisitionContrast = "T2"
    shared.MRImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "WATER"]
    ds.EchoPulseSequence = "GRADIENT"

    found = header_of(as_received(ds)).acquisition

    assert found.repetition_time_ms == 4000
    assert found.inversion_recovery
    assert found.inversion_time_ms == 150
    assert found.fat_suppressed
    assert found.gradient_echo
    assert found.contrast == "T2"
    assert "WATER" in found.image_type


def test_shared_groups_of_a_single_frame_object_do_not_make_it_multi_frame() -> None:
    ds = mr_image()
    ds.NumberOfFrames = 1
    ds.SharedFunctionalGroupsSequence = [Dataset()]

    assert header_of(ds).key.frame == 1
    assert header_of(ds).acquisition.echo_time_ms == 95


@pytest.mark.parametrize("sop_class", [MRImageStorage, EnhancedMRImageStorage])
def test_the_sop_class_stands_in_for_a_missing_modality(sop_class: str) -> None:
    ds = mr_image()
    del ds.Modality
    ds.SOPClassUID = sop_class

    assert modality(ds) == "MR"


def test_the_file_meta_stands_in_where_even_the_sop_class_is_missing() -> None:
    ds = mr_image()
    del ds.Modality, ds.SOPClassUID
    ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage

    assert modality(ds) == "MR"


def test_a_stated_modality_outweighs_the_sop_class() -> None:
    ds = mr_image()
    ds.Modality = "CT"

    assert modality(ds) == "CT"


@pytest.mark.parametrize("sop_class", ["", CTImageStorage])
def test_nothing_implies_mr_where_nothing_says_so(sop_class: str) -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID = sop_class

    assert modality(ds) == ""


def test_an_empty_dataset_has_one_empty_header() -> None:
    header = header_of(Dataset())

    assert header.normal is None
    assert header.position_lps_mm is None
    assert header.spacing_mm is None
    assert header.acquisition.echo_time_ms is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda ds: put_raw(ds, "ImagePositionPatient", b"NaN\\NaN\\NaN "),
        lambda ds: put_raw(ds, "ImagePositionPatient", b"0\\0\\inf "),
        lambda ds: put_raw(ds, "ImagePositionPatient", b"0\\0 "),
        lambda ds: put_raw(ds, "ImagePositionPatient", b"0,5\\0\\0 "),
        lambda ds: put_raw(ds, "ImagePositionPatient", b""),
    ],
)
def test_a_position_that_is_no_place_counts_as_missing(
    damage: Callable[[Dataset], None],
) -> None:
    ds = mr_image()
    damage(ds)

    assert header_of(ds).position_lps_mm is None


@pytest.mark.parametrize(
    "cosines",
    [b"0\\0\\0\\0\\0\\0 ", b"1\\0\\0\\1\\0\\0 ", b"2\\0\\0\\0\\2\\0 ", b"1\\0\\0 "],
)
def test_cosines_that_span_no_plane_give_no_normal(cosines: bytes) -> None:
    ds = mr_image()
    put_raw(ds, "ImageOrientationPatient", cosines)

    assert header_of(ds).normal is None


@pytest.mark.parametrize("spacing", [b"0\\0 ", b"-1\\1 ", b"0.5 ", b"NaN\\1 "])
def test_a_spacing_that_is_no_length_counts_as_missing(spacing: bytes) -> None:
    ds = mr_image()
    put_raw(ds, "PixelSpacing", spacing)

    assert header_of(ds).spacing_mm is None


@pytest.mark.parametrize("echo_time", [b"0 ", b"-5", b"NaN ", b"short ", b"9,5 "])
def test_an_echo_time_that_is_no_time_counts_as_missing(echo_time: bytes) -> None:
    ds = mr_image()
    put_raw(ds, "EchoTime", echo_time)

    assert header_of(ds).acquisition.echo_time_ms is None


def test_a_field_strength_in_gauss_is_not_taken_for_tesla() -> None:
    ds = mr_image()
    ds.MagneticFieldStrength = 15000

    assert header_of(ds).field_strength_tesla is None


@pytest.mark.parametrize(
    ("keyword", "value", "vr"),
    [
        ("Rows", b"many", "LO"),
        ("Rows", b"\x40", "US"),
        ("SamplesPerPixel", b"\x01\x00\x01\x00", "US"),
        ("PerFrameFunctionalGroupsSequence", b"none", "LO"),
        ("SharedFunctionalGroupsSequence", b"none", "LO"),
        ("MagneticFieldStrength", b"strong", "DS"),
        ("RepetitionTime", b"4.455.0 ", "DS"),
        ("ScanningSequence", b"SE\\", "CS"),
        ("SOPClassUID", b"1.2.3.none", "UI"),
    ],
)
def test_one_damaged_value_costs_only_itself(
    keyword: str, value: bytes, vr: str
) -> None:
    ds = mr_image()
    put_raw(ds, keyword, value, vr)

    header = header_of(ds)

    assert header.normal == (0.0, 0.0, 1.0)
    assert header.acquisition.echo_time_ms == 95


@pytest.mark.filterwarnings("ignore")
@given(
    keyword=st.sampled_from(
        [
            "EchoTime",
            "ImageOrientationPatient",
            "ImagePositionPatient",
            "ImageType",
            "InversionTime",
            "MagneticFieldStrength",
            "Modality",
            "PixelSpacing",
            "RepetitionTime",
            "Rows",
            "ScanOptions",
            "SeriesDescription",
        ]
    ),
    value=st.binary(max_size=24),
)
def test_no_bytes_of_a_value_stop_the_reading_of_a_header(
    keyword: str, value: bytes
) -> None:
    ds = mr_image()
    put_raw(ds, keyword, value)

    assert header_of(ds).key == SliceKey(SERIES_UID, f"{SERIES_UID}.1")


@given(tilt_deg=st.floats(-89, 89))
def test_the_normal_points_towards_the_head(tilt_deg: float) -> None:
    normal = image(tilt_deg=tilt_deg).normal

    assert normal is not None
    assert normal[2] > 0
    assert sum(x * x for x in normal) == pytest.approx(1)
