"""Whose study it is, copied as received, and the UIDs derived from it.

Patient and study must equal the study's own byte for byte, or an archive makes a
second patient of them. So the elements are copied as they came, without decoding:
values that are wrong by the standard, and text in a character set that nobody here
can read, go back as they arrived. Attributes are those of the modules Patient,
Clinical Trial Subject, General Study, Patient Study and Clinical Trial Study
(PS3.3 C.7.1.1, C.7.1.3, C.7.2.1 to C.7.2.3).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from typing import cast
from uuid import UUID, uuid5

from pydicom import DataElement, Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.valuerep import VR

from dicom_node.report.codes import MAX_LO_CHARACTERS
from grading.grades import ModelIdentity, SliceKey

NAMESPACE = UUID("73d59386-02ee-4018-ad54-ab5a0cfd5ffb")
"""Of every UID that is derived here; another one would make other UIDs."""

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence", "PatientBirthDate", "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar", "PatientSex", "QualityControlSubject",
    "ReferencedPatientSequence", "ReferencedPatientPhotoSequence", "OtherPatientIDs",
    "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup",
    "EthnicGroupCodeSequence", "PatientComments", "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence", "ResponsiblePerson", "ResponsiblePersonRole",
    "ResponsibleOrganization", "SourcePatientGroupIdentificationSequence",
    "GroupOfPatientsIdentificationSequence",
)  # fmt: skip
CLINICAL_TRIAL = (
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "IssuerOfClinicalTrialProtocolID", "ClinicalTrialSiteID", "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID", "IssuerOfClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription", "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType", "ConsentForClinicalTrialUseSequence",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)  # fmt: skip
STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence", "PhysiciansOfRecord",
    "PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy",
    "PhysiciansReadingStudyIdentificationSequence", "RequestingService",
    "RequestingServiceCodeSequence", "ReferencedStudySequence",
    "ProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence",
)  # fmt: skip
PATIENT_STUDY = (
    "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "PatientAge",
    "PatientSize", "PatientSizeCodeSequence", "PatientWeight", "PatientBodyMassIndex",
    "MedicalAlerts", "Allergies", "SmokingStatus", "PregnancyStatus",
    "LastMenstrualDate", "PatientState", "PatientSexNeutered", "Occupation",
    "AdditionalPatientHistory", "AdmissionID", "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID", "ServiceEpisodeDescription",
    "IssuerOfServiceEpisodeIDSequence", "ReasonForVisit", "ReasonForVisitCodeSequence",
)  # fmt: skip
DEIDENTIFICATION = (
    "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)  # fmt: skip
ENCODING = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
"""Of SOP Common (PS3.3 C.12.1): how the text and the times above are to be read."""

COPIED = (
    *ENCODING, *PATIENT, *DEIDENTIFICATION, *CLINICAL_TRIAL, *STUDY, *PATIENT_STUDY,
)  # fmt: skip

EMPTY_WHERE_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
    "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
"""Type 2: must be there, may be empty."""

_ESCAPE_SEQUENCE = re.compile("\x1b[ -/]+[0-~]")
"""Of ISO 2022, which switches character sets inside a value (PS3.5 6.1.2.5)."""
_TEXT = {
    VR.AE, VR.AS, VR.CS, VR.DA, VR.DS, VR.DT, VR.IS, VR.LO, VR.LT, VR.PN, VR.SH,
    VR.ST, VR.TM, VR.UC, VR.UI, VR.UR, VR.UT,
}  # fmt: skip
"""The same bytes in every transfer syntax."""


def copied_elements(source: Dataset, keywords: Iterable[str] = COPIED) -> Dataset:
    """Return the named elements of ``source`` as received, sharing nothing with it."""
    copied = _copied_dataset(source, (_tag(keyword) for keyword in keywords))
    # Absent means the default repertoire; empty means it too, and is not allowed.
    if "SpecificCharacterSet" in copied and not copied.get("SpecificCharacterSet"):
        del copied.SpecificCharacterSet
    if not _deidentification_fits(copied):
        for keyword in DEIDENTIFICATION:
            copied.pop(_tag(keyword), None)
    return copied


def put_identity(target: Dataset, source: Dataset) -> None:
    """Make patient and study of ``target`` those of ``source``.

    What the source lacks, ``target`` lacks as well, or has it empty where the
    standard wants it present. Only the Study Instance UID survives its absence.
    """
    for keyword in set(COPIED) - {"StudyInstanceUID"}:
        target.pop(_tag(keyword), None)
    for keyword in EMPTY_WHERE_ABSENT:
        setattr(target, keyword, None)
    for element in copied_elements(source).elements():
        target[element.tag] = element
    _keep_bytes(target)


def put_character_set(target: Dataset, term: str) -> None:
    """Declare another character set; the bytes of what was copied stay as they are."""
    target.SpecificCharacterSet = term
    _keep_bytes(target)


def raw_text(ds: Dataset, keyword: str) -> str:
    """Return a text value without decoding it, empty unless it is plain ASCII."""
    tag = _tag(keyword)
    value = ds.get_item(tag).value if tag in ds else None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    text = text.strip(" \0")
    return text if text.isascii() and text.isprintable() else ""


def readable(ds: Dataset, keyword: str) -> str:
    """Return an identifying value as text, as well as its character set allows.

    The groups of a name stand one behind the other, and its parts with a blank
    between them, in the order in which they came. A value that cannot be decoded
    shows where, and control characters show as such.
    """
    try:
        value = str(copied_elements(ds, [*ENCODING, keyword]).get(keyword) or "")
    # A malformed value from the wire makes pydicom raise almost anything.
    except Exception:  # noqa: BLE001
        value = raw_bytes(ds, keyword).decode("ascii", "replace")
    # pydicom leaves those of ISO 2022 IR 58 in the text that they announce.
    value = _ESCAPE_SEQUENCE.sub("", value)
    if dictionary_VR(keyword) == VR.PN:
        groups = [" ".join(group.split("^")).strip() for group in value.split("=")]
        value = "   ".join(group for group in groups if group)
    return value.strip(" \0")


def raw_bytes(ds: Dataset, keyword: str) -> bytes:
    """Return a value's bytes as received, empty where it was already decoded."""
    tag = _tag(keyword)
    value = ds.get_item(tag).value if tag in ds else b""
    return value if isinstance(value, bytes) else b""


def derived_uid(*parts: str) -> str:
    """Return the UID that always belongs to ``parts``: UUIDv5 below 2.25 (PS3.5 B.2).

    JSON keeps apart what plain joining would run together.
    """
    return f"2.25.{uuid5(NAMESPACE, json.dumps(parts)).int}"


def sop_instance_uid(
    study_instance_uid: str,
    keys: Iterable[SliceKey],
    model: ModelIdentity,
    kind: str,
    sop_class_uid: str,
    revision: int,
) -> str:
    """Return the UID of one object: other images, weights or revision make another.

    An archive keeps the first object of a UID and drops later ones without a word,
    so changed content must never reuse one; the same content made again must.
    """
    slices = sorted(
        (key.series_instance_uid, key.sop_instance_uid, key.frame) for key in keys
    )
    return derived_uid(
        "instance",
        study_instance_uid,
        json.dumps(sorted({series for series, _, _ in slices})),
        json.dumps(slices),
        model.name,
        model.version,
        model.sha256,
        kind,
        sop_class_uid,
        str(revision),
    )


def series_instance_uid(study_instance_uid: str, kind: str) -> str:
    """Return the UID of the series that holds every revision of one kind of object."""
    return derived_uid("series", study_instance_uid, kind)


def tracking_uid(study_instance_uid: str, name: str) -> str:
    """Return the UID that a level, or a slab, keeps through all revisions."""
    return derived_uid("tracking", study_instance_uid, name)


def model_device_uid(model: ModelIdentity) -> str:
    """Return the Device UID of a bundle: retrained weights are another device."""
    return derived_uid("model", model.name, model.version, model.sha256)


def _tag(keyword: str) -> BaseTag:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"'{keyword}' is no keyword of PS3.6")
    return BaseTag(tag)


def _copied_dataset(source: Dataset, tags: Iterable[BaseTag]) -> Dataset:
    copied = Dataset()
    for tag in tags:
        element = _copied(source, tag) if tag in source else None
        if element is not None:
            copied[tag] = element
    _keep_bytes(copied)
    return copied


def _copied(source: Dataset, tag: BaseTag) -> DataElement | RawDataElement | None:
    # Its annotation leaves the raw elements out.
    element = cast(DataElement | RawDataElement, source.get_item(tag))
    if not isinstance(element, RawDataElement):
        is_sequence = element.VR == VR.SQ
        return _copied_sequence(source, tag) if is_sequence else copy.deepcopy(element)
    # Implicit VR names none, and a system that did not know an attribute says UN.
    vr = element.VR if element.VR not in (None, VR.UN) else dictionary_VR(tag)
    if vr == VR.SQ:
        return _copied_sequence(source, tag)
    if vr not in _TEXT and not element.is_little_endian:
        return copy.deepcopy(source[tag])
    return element._replace(VR=vr, value=_padded(element.value or b"", vr))


def _copied_sequence(source: Dataset, tag: BaseTag) -> DataElement | None:
    """Copy a sequence item by item, or leave it out where it cannot be parsed."""
    try:
        items = [
            _copied_dataset(item, list(item.keys())) for item in source[tag].value or []
        ]
    # A malformed sequence from the wire makes pydicom raise almost anything; it is
    # optional everywhere, and must not cost the report.
    except Exception:  # noqa: BLE001
        return None
    return DataElement(tag, VR.SQ, items)


def _deidentification_fits(ds: Dataset) -> bool:
    """Tell whether every De-identification Method has at most 64 characters.

    De-identifiers write essays there. It is no identity, and one value too long for
    LO would make every object of ours invalid.
    """
    tag = _tag("DeidentificationMethod")
    value = ds.get_item(tag).value if tag in ds else ""
    if isinstance(value, bytes):
        value = value.decode("latin-1").split("\\")
    methods = [value] if isinstance(value, str) else list(value or [])
    return all(len(method.strip()) <= MAX_LO_CHARACTERS for method in methods)


def _padded(value: bytes, vr: str) -> bytes:
    """Pad a value of odd length, which no transfer syntax allows (PS3.5 6.2)."""
    if len(value) % 2 == 0:
        return value
    return value + (b"\0" if vr == VR.UI else b" ")


def _keep_bytes(ds: Dataset) -> None:
    """Have pydicom write undecoded elements as they are.

    It decodes and encodes again whatever it believes to have been read in another
    transfer syntax or character set.
    """
    terms = ds.get("SpecificCharacterSet")
    ds.set_original_encoding(
        is_implicit_vr=False,
        is_little_endian=True,
        character_encoding=convert_encodings(terms) if terms else default_encoding,
    )
