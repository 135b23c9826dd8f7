"""What every object says besides its content: whose, by whom, with what, when.

Times are those of the job, never of the clock, so that an object made again is the
same object. Series Date and Time are left out: every revision goes into the same
series, and they would differ between its instances.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
)
from dicom_node.report.codes import (
    ACQUISITION_EQUIPMENT,
    PROCESSING_EQUIPMENT,
    Concept,
    coding_scheme_item,
)
from dicom_node.report.context import MANUFACTURER, MODEL_NAME, ReportContext
from dicom_node.report.identity import (
    copied_elements,
    model_device_uid,
    put_identity,
    raw_text,
)
from dicom_node.report.wording import short_text
from grading.grades import ModelIdentity

_SCANNER = (
    "Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName",
    "DeviceSerialNumber", "SoftwareVersions",
)  # fmt: skip
_OFFSET = re.compile(r"([+-])(\d\d)([0-5]\d)")
_LARGEST_OFFSET = timedelta(hours=14)


def finish_header(
    dataset: Dataset, source: Dataset, model: ModelIdentity, context: ReportContext
) -> None:
    """Complete and freeze the header of an object whose content is there.

    ``source`` is the graded image that patient and study are copied from.
    """
    moment = local_time(context.created_at, source)
    put_identity(dataset, source)
    _put_equipment(dataset, model, context)
    _put_contributors(dataset, source, model, moment)
    _put_creation(dataset, moment)
    dataset.ContentQualification = "RESEARCH"
    dataset.CodingSchemeIdentificationSequence = [coding_scheme_item()]
    dataset.file_meta = _file_meta(dataset)


def local_time(moment: datetime, source: Dataset) -> datetime:
    """Return ``moment`` in the study's zone, if it names one, else in its own.

    Timezone Offset From UTC (0008,0201) is copied with the study and governs every
    time of the object.
    """
    match = _OFFSET.fullmatch(raw_text(source, "TimezoneOffsetFromUTC"))
    if match is None:
        return moment
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if offset > _LARGEST_OFFSET:
        return moment
    return moment.astimezone(timezone(-offset if sign == "-" else offset))


def date_value(moment: datetime) -> str:
    """Return a DA value."""
    return f"{moment.year:04}{moment:%m%d}"


def time_value(moment: datetime) -> str:
    """Return a TM value."""
    return f"{moment:%H%M%S.%f}"


def _put_equipment(
    dataset: Dataset, model: ModelIdentity, context: ReportContext
) -> None:
    installation = context.installation
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.DeviceSerialNumber = short_text(installation.serial_number)
    dataset.SoftwareVersions = [
        short_text(f"{MODEL_NAME} {installation.software_version}"),
        short_text(f"{model.name} {model.version}"),
    ]
    if installation.institution_name:
        dataset.InstitutionName = short_text(installation.institution_name)
    dataset.InstanceNumber = context.revision


def _put_contributors(
    dataset: Dataset, source: Dataset, model: ModelIdentity, moment: datetime
) -> None:
    """Name the scanner and the bundle (PS3.3 C.12.1, Contributing Equipment)."""
    scanner = copied_elements(source, _SCANNER)
    items = [_grader(model, moment)]
    if "Manufacturer" in scanner and scanner.get_item("Manufacturer").value:
        items.insert(0, _contributor(scanner, ACQUISITION_EQUIPMENT))
    dataset.ContributingEquipmentSequence = items


def _grader(model: ModelIdentity, moment: datetime) -> Dataset:
    ds = Dataset()
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = short_text(model.name)
    ds.SoftwareVersions = [short_text(model.version), short_text(model.sha256)]
    ds.DeviceUID = model_device_uid(model)
    ds.ContributionDateTime = f"{date_value(moment)}{time_value(moment)}"
    ds.ContributionDescription = f"Graded by a bundle whose basis is {model.basis}"
    return _contributor(ds, PROCESSING_EQUIPMENT)


def _contributor(ds: Dataset, purpose: Concept) -> Dataset:
    ds.PurposeOfReferenceCodeSequence = [purpose.item()]
    return ds


def _put_creation(dataset: Dataset, moment: datetime) -> None:
    for event in ("InstanceCreation", "Content"):
        setattr(dataset, f"{event}Date", date_value(moment))
        setattr(dataset, f"{event}Time", time_value(moment))


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
