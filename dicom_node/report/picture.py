"""StudyGrades to the summary picture, an RGB Secondary Capture (PS3.3 A.8.1)."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sc import SCImage
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage
from pydicom.valuerep import VR

from dicom_node.report.codes import SOURCE_IMAGE
from dicom_node.report.context import MANUFACTURER, MODEL_NAME, ReportContext
from dicom_node.report.drawing import Caption, draw_summary
from dicom_node.report.evidence import Evidence, Reference
from dicom_node.report.header import (
    date_value,
    finish_header,
    local_time,
    time_value,
)
from dicom_node.report.identity import series_instance_uid, sop_instance_uid
from grading.grades import StudyGrades

SERIES_NUMBER = 9802
SERIES_DESCRIPTION = "AI Lumbar Grading picture (unverified)"
KIND = "picture"
"""Part of the derived UIDs; another word would make other UIDs."""


def summary_picture(
    evidence: Evidence, grades: StudyGrades, context: ReportContext
) -> Dataset:
    """Build the picture that every viewer shows."""
    study = grades.study_instance_uid
    moment = local_time(context.created_at, evidence.first)
    software = f"{MODEL_NAME} {context.installation.software_version}"
    pixels = draw_summary(evidence, grades, Caption(context.revision, moment, software))
    picture: Dataset = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),
        study_instance_uid=study,
        series_instance_uid=series_instance_uid(study, KIND),
        series_number=SERIES_NUMBER,
        sop_instance_uid=sop_instance_uid(
            study,
            (graded.key for graded in grades.slices),
            grades.model,
            KIND,
            SecondaryCaptureImageStorage,
            context.revision,
        ),
        instance_number=context.revision,
        manufacturer=MANUFACTURER,
        series_description=SERIES_DESCRIPTION,
    )
    _put_capture(picture)
    picture.DateOfSecondaryCapture = date_value(moment)
    picture.TimeOfSecondaryCapture = time_value(moment)
    drawn = [level.key_slice for level in grades.levels]
    if grades.sagittal and evidence.holds(grades.sagittal.key):
        drawn.append(grades.sagittal.key)
    picture.SourceImageSequence = _sources(evidence.references(drawn))
    finish_header(picture, evidence.first, grades.model, context)
    return picture


def _put_capture(picture: Dataset) -> None:
    """Say what the pixels are, where highdicom says otherwise or nothing."""
    # A drawing of several images has no orientation, though highdicom wants one.
    picture.PatientOrientation = None
    # An unpaired body part: Laterality would be required without it.
    picture.BodyPartExamined = "LSPINE"
    picture.ConversionType = "WSD"
    picture.BurnedInAnnotation = "NO"
    picture.RecognizableVisualFeatures = "NO"
    picture.LossyImageCompression = "00"
    # pydicom settles this only for objects that it encodes anew.
    picture["PixelData"].VR = VR.OB
    picture.DerivationDescription = "Summary of AI grades, drawn on the key slices"


def _sources(references: Sequence[Reference]) -> list[Dataset]:
    return [_source(reference) for reference in references]


def _source(reference: Reference) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = reference.instance.sop_class_uid
    ds.ReferencedSOPInstanceUID = reference.instance.sop_instance_uid
    if reference.frames:
        ds.ReferencedFrameNumber = list(reference.frames)
    ds.PurposeOfReferenceCodeSequence = [SOURCE_IMAGE.item()]
    return ds
