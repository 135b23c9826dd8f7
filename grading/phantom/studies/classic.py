"""Classic MR: one object per image (MR Image Storage, PS3.3 A.4 and C.8.3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from grading.phantom.image.signal import FLIP_DEG, Kind
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy
from grading.phantom.studies.header import (
    MEGAHERTZ_PER_TESLA,
    acquisition_matrix,
    put_identity,
    series_time,
)
from grading.phantom.studies.identity import DATE, NOTICE, Instance, instances
from grading.phantom.studies.stored import Scale, Stored, scale_of

REFOCUSING_DEG = 150
BANDWIDTH_HERTZ = 190
AVERAGES = 2


@dataclass(frozen=True, slots=True)
class ClassicImage:
    """One image on its way into a dataset."""

    study: DrawnStudy
    series: DrawnSeries
    instance: Instance
    number: int
    """Instance Number (0020,0013)."""
    scale: Scale
    stored: Stored

    def dataset(self) -> Dataset:
        """Return everything but the Image Pixel Module."""
        ds = Dataset()
        ds.SOPClassUID = MRImageStorage
        ds.SOPInstanceUID = self.instance.sop_instance_uid
        put_identity(ds, self.study, self.series)
        self._put_image(ds)
        self._put_plane(ds)
        self._put_sequence(ds)
        optional = self._optional()
        for keyword in sorted(self.study.writing.manner.writes):
            setattr(ds, keyword, optional[keyword])
        return ds

    def _put_image(self, ds: Dataset) -> None:
        manner = self.study.writing.manner
        localizer = self.series.sequence.kind is Kind.LOCALIZER
        ds.ImageType = list(
            manner.localizer_type if localizer else manner.spin_echo_type
        )
        ds.InstanceNumber = self.number
        ds.AcquisitionDate = ds.ContentDate = DATE
        ds.AcquisitionTime = ds.ContentTime = series_time(self.series, self.number)
        ds.ImageComments = NOTICE
        ds.BurnedInAnnotation = "NO"

    def _put_plane(self, ds: Dataset) -> None:
        cut = self.instance.image.cut
        ds.ImagePositionPatient = list(cut.position_mm)
        ds.ImageOrientationPatient = [*cut.along_row, *cut.along_column]
        ds.PixelSpacing = list(cut.spacing_mm)
        ds.SliceThickness = self.series.thickness_mm

    def _put_sequence(self, ds: Dataset) -> None:
        manner, sequence = self.study.writing.manner, self.series.sequence
        localizer = sequence.kind is Kind.LOCALIZER
        ds.ScanningSequence = "GR" if localizer else "SE"
        ds.SequenceVariant = "SP" if localizer else list(manner.sequence_variant)
        ds.ScanOptions = list(manner.scan_options) or None
        ds.MRAcquisitionType = "2D"
        ds.RepetitionTime = sequence.repetition_ms
        ds.EchoTime = sequence.echo_ms
        ds.EchoTrainLength = sequence.echo_train
        if manner.sequence_name and not localizer:
            ds.SequenceName = manner.sequence_name.format(train=sequence.echo_train)

    def _optional(self) -> Mapping[str, object]:
        """Return every optional element that some manner writes, by keyword."""
        series, cut = self.series, self.instance.image.cut
        sequence = series.sequence
        localizer = sequence.kind is Kind.LOCALIZER
        matrix = acquisition_matrix(series)
        time = series_time(series, self.number)
        centre, width = self.scale.window
        return {
            "InstanceCreationDate": DATE,
            "InstanceCreationTime": time,
            "NumberOfAverages": AVERAGES,
            "ImagingFrequency": round(MEGAHERTZ_PER_TESLA * sequence.field_tesla, 6),
            "ImagedNucleus": "1H",
            "EchoNumbers": 1,
            "MagneticFieldStrength": sequence.field_tesla,
            "SpacingBetweenSlices": series.spacing_mm,
            "NumberOfPhaseEncodingSteps": max(matrix),
            "PercentSampling": 100,
            "PercentPhaseFieldOfView": 100,
            "PixelBandwidth": BANDWIDTH_HERTZ,
            "AcquisitionMatrix": matrix,
            "InPlanePhaseEncodingDirection": (
                "ROW" if series.phase_along_rows else "COL"
            ),
            "FlipAngle": FLIP_DEG if localizer else REFOCUSING_DEG,
            "VariableFlipAngleFlag": "N",
            "ProtocolName": self.study.writing.manner.descriptions[series.role],
            "ReceiveCoilName": "SPINE",
            "ReconstructionDiameter": round(cut.columns * cut.spacing_mm[1], 3),
            "SliceLocation": round(float(np.dot(cut.position_mm, cut.normal)), 4),
            "ImagesInAcquisition": len(series.images),
            "AcquisitionNumber": 1,
            "WindowCenter": centre,
            "WindowWidth": width,
            "RescaleIntercept": 0,
            "RescaleSlope": self.scale.slope,
            "RescaleType": "US",
            "SmallestImagePixelValue": int(self.stored.min()),
            "LargestImagePixelValue": int(self.stored.max()),
        }


def classic_images(study: DrawnStudy, series: DrawnSeries) -> Iterator[ClassicImage]:
    """Yield the images of a series as they are numbered."""
    scale = scale_of(series, study.writing.manner)
    for number, instance in enumerate(instances(study, series), start=1):
        stored = scale.stored(instance.image.pixels)
        yield ClassicImage(study, series, instance, number, scale, stored)
