"""Patient and study go back byte for byte, whatever the header holds."""

import warnings
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_node.report.identity import (
    EMPTY_WHERE_ABSENT,
    copied_elements,
    derived_uid,
    model_device_uid,
    put_identity,
    raw_text,
    series_instance_uid,
    sop_instance_uid,
    tracking_uid,
)
from dicom_node.report.objects import ReportObject, build_objects, part10
from grading.grades import SliceKey
from tests.dicom_factories import (
    MODEL,
    STUDY_UID,
    as_received,
    mr_image,
    put_raw,
    report_context,
    study_grades,
)

KOREAN = "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9"
CHINESE = "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"
# The examples of PS3.5 annexes H, I, J and K, and what real archives send.
CHARACTER_SETS = {
    "none": (None, b"Doe^Jane"),
    "empty": (b"", b"Doe^Jane"),
    "default, named": (b"ISO_IR 6", b"Doe^Jane"),
    "latin 1": (b"ISO_IR 100", "M\u00fcller^J\u00fcrgen".encode("latin-1")),
    "utf-8": (b"ISO_IR 192", CHINESE.encode()),
    "gb18030": (b"GB18030 ", CHINESE.encode("gb18030")),
    "gbk": (b"GBK ", CHINESE.encode("gbk")),
    "gbk bytes under latin 1": (b"ISO_IR 100", CHINESE.encode("gbk")),
    "latin 1 bytes under utf-8": (b"ISO_IR 192", b"M\xfcller^J\xfcrgen"),
    "korean, empty first value": (
        b"\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=",
    ),
    "chinese, empty first value": (
        b"\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
    ),
    "japanese, empty first value": (
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
    ),
    "japanese, half width": (
        b"ISO 2022 IR 13\\ISO 2022 IR 87 ",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
    ),
    "korean alone": (b"ISO 2022 IR 149", KOREAN.encode("euc_kr", "replace")),
    "chinese alone": (b"ISO 2022 IR 58", CHINESE.encode("gb2312")),
    "single with extension": (b"ISO 2022 IR 100 ", b"M\xfcller"),
    "unknown term": (b"KLINGON ", b"Worf^\xe4\xf6"),
}
ODD_VALUES = {
    "PatientSex": b"U ",
    "PatientBirthDate": b"1965-04-12",
    "StudyTime": b"10:15:00",
    "StudyDate": b"1965",
    "PatientID": b" P 1",
    "StudyID": b"far too long for an SH value",
    "PatientAge": b"old ",
    "PatientName": b"a=b=c=d=e ",
    "AccessionNumber": b"A\\B ",
    "TimezoneOffsetFromUTC": b"CET ",
}


def built(source: Dataset) -> list[ReportObject]:
    return build_objects([source], study_grades([source]), report_context())


def read_back(report_object: ReportObject) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the character set that nobody knows
        return dcmread(BytesIO(part10(report_object.dataset)))


def raw(ds: Dataset, keyword: str) -> bytes:
    value = ds.get_item(keyword).value
    assert isinstance(value, bytes | None)
    return value or b""


def character_set(ds: Dataset) -> str:
    """Return the terms as one value; pydicom decodes this element at once."""
    terms = ds.get("SpecificCharacterSet") or ""
    return terms if isinstance(terms, str) else "\\".join(terms)


@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_names_in_any_character_set_go_back_byte_for_byte(name: str) -> None:
    terms, patient_name = CHARACTER_SETS[name]
    padded = patient_name + b" " * (len(patient_name) % 2)
    source = mr_image()
    del source.SpecificCharacterSet
    if terms is not None:
        put_raw(source, "SpecificCharacterSet", terms)
    put_raw(source, "PatientName", padded)
    put_raw(source, "StudyDescription", padded[:64])
    put_raw(source, "SeriesDescription", padded[:64])

    for report_object in built(source):
        ds = read_back(report_object)

        assert raw(ds, "PatientName") == padded
        assert raw(ds, "StudyDescription") == padded[:64]
        assert character_set(ds) == (terms or b"").decode().rstrip(" ")
        assert ("SpecificCharacterSet" in ds) is bool(terms)


@pytest.mark.parametrize("keyword", ODD_VALUES)
def test_values_that_are_wrong_go_back_as_they_came(keyword: str) -> None:
    source = mr_image()
    put_raw(source, keyword, ODD_VALUES[keyword])

    for report_object in built(source):
        assert raw(read_back(report_object), keyword) == ODD_VALUES[keyword]


@pytest.mark.parametrize("keyword", EMPTY_WHERE_ABSENT)
def test_what_the_study_lacks_is_empty_where_it_must_be_present(keyword: str) -> None:
    source = mr_image()
    delattr(source, keyword)

    for report_object in built(source):
        assert raw(read_back(report_object), keyword) == b""


def test_a_header_with_hardly_anything_still_gets_its_report() -> None:
    source = mr_image()
    kept = {
        "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Rows", "Columns",
        "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
        "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
        "HighBit", "PixelRepresentation", "PixelData",
    }  # fmt: skip
    for keyword in set(source.dir()) - kept:
        delattr(source, keyword)

    objects = built(source)

    assert len(objects) == 4
    for report_object in objects:
        ds = read_back(report_object)
        assert ds.StudyInstanceUID == STUDY_UID
        assert "StudyDescription" not in ds


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_identity_survives_every_transfer_syntax(syntax: UID) -> None:
    sent = mr_image()
    sent.PregnancyStatus = 4
    sent.ReferencedStudySequence = [Dataset()]
    sent.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "2.25.77"
    source = as_received(sent, syntax)

    for report_object in built(source):
        ds = read_back(report_object)
        assert ds.PatientName == "Phantom^Anna"
        assert ds.IssuerOfPatientID == "SITE"
        assert ds.PregnancyStatus == 4
        assert ds.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "2.25.77"


def test_numbers_of_a_big_endian_image_are_turned_round() -> None:
    sent = Dataset()
    sent.PatientName = "Doe^Jane"
    sent.PregnancyStatus = 4
    sent.file_meta = mr_image().file_meta
    sent.SOPClassUID, sent.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "2.25.1"
    source = as_received(sent, ExplicitVRBigEndian)

    copied = copied_elements(source)

    assert copied.PregnancyStatus == 4
    assert copied.PatientName == "Doe^Jane"


def test_an_attribute_that_came_as_unknown_gets_its_own_representation() -> None:
    source = mr_image()
    put_raw(source, "IssuerOfPatientID", b"SITE", vr="UN")

    assert copied_elements(source).get_item("IssuerOfPatientID").VR == "LO"


def test_a_value_of_odd_length_is_padded() -> None:
    source = Dataset()
    put_raw(source, "PatientID", b"ABC")
    put_raw(source, "StudyInstanceUID", b"1.2")

    copied = copied_elements(source)

    assert raw(copied, "PatientID") == b"ABC "
    assert raw(copied, "StudyInstanceUID") == b"1.2\0"


def test_a_sequence_that_cannot_be_parsed_is_left_out() -> None:
    source = mr_image()
    put_raw(source, "ProcedureCodeSequence", b"\xfe\xff\x00")

    assert "ProcedureCodeSequence" not in copied_elements(source)


def test_the_report_shares_nothing_with_the_image_in_memory() -> None:
    source = mr_image()
    source.ReferencedStudySequence = [Dataset()]
    source.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "2.25.77"
    target = Dataset()
    put_identity(target, source)

    target.PatientName = "Somebody^Else"
    target.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "2.25.78"

    assert source.PatientName == "Phantom^Anna"
    assert source.ReferencedStudySequence[0].ReferencedSOPInstanceUID == "2.25.77"


@pytest.mark.parametrize(("method", "kept"), [(b"basic ", True), (b"x" * 66, False)])
def test_an_essay_on_deidentification_does_not_make_the_report_invalid(
    method: bytes, kept: bool
) -> None:
    source = mr_image()
    source.PatientIdentityRemoved = "YES"
    put_raw(source, "DeidentificationMethod", method)

    copied = copied_elements(source)

    assert ("DeidentificationMethod" in copied) is kept
    assert ("PatientIdentityRemoved" in copied) is kept


def test_text_is_read_without_decoding_and_only_if_it_is_ascii() -> None:
    source = Dataset()
    put_raw(source, "StudyID", b"7 ")
    put_raw(source, "StudyDescription", b"\xd2\xfc\xd7\xb5")
    source.AccessionNumber = None

    keywords = ["StudyID", "StudyDescription", "AccessionNumber", "PatientID"]

    assert [raw_text(source, keyword) for keyword in keywords] == ["7", "", "", ""]


def test_a_derived_uid_never_changes() -> None:
    # Another value here would send every old report to the archive a second time.
    assert derived_uid("a", "b") == "2.25.288998236403336168947156244093134973921"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_other_parts_make_another_uid(one: list[str], other: list[str]) -> None:
    assert (derived_uid(*one) == derived_uid(*other)) == (one == other)
    assert UID(derived_uid(*one)).is_valid


def test_the_instance_uid_depends_on_all_that_changes_the_content() -> None:
    keys = [SliceKey("2.25.1", "2.25.2"), SliceKey("2.25.1", "2.25.3")]
    usual = sop_instance_uid(STUDY_UID, keys, MODEL, "picture", "1.2", 1)

    others = {
        sop_instance_uid("2.25.9", keys, MODEL, "picture", "1.2", 1),
        sop_instance_uid(STUDY_UID, keys[:1], MODEL, "picture", "1.2", 1),
        sop_instance_uid(STUDY_UID, keys, MODEL, "report", "1.2", 1),
        sop_instance_uid(STUDY_UID, keys, MODEL, "picture", "1.3", 1),
        sop_instance_uid(STUDY_UID, keys, MODEL, "picture", "1.2", 2),
    }

    assert len(others - {usual}) == 5
    assert usual == sop_instance_uid(STUDY_UID, keys[::-1], MODEL, "picture", "1.2", 1)


def test_series_tracking_and_model_have_uids_of_their_own() -> None:
    uids = {
        series_instance_uid(STUDY_UID, "picture"),
        series_instance_uid(STUDY_UID, "structured report"),
        tracking_uid(STUDY_UID, "L4/L5"),
        tracking_uid(STUDY_UID, "L5/S1"),
        model_device_uid(MODEL),
    }

    assert len(uids) == 5
