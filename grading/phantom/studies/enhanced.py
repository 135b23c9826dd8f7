"""Enhanced MR: one object per series (Enhanced MR Image Storage, PS3.3 A.36).

What all frames have in common stands in the shared functional groups, what differs
in the per-frame ones; positions and orientations are per frame, since slabs differ.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import EnhancedMRImageStorage

from grading.phantom.image.signal import FLIP_DEG, Kind
from grading.phantom.studies.classic import AVERAGES, BANDWIDTH_HERTZ
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy
from grading.phantom.studies.header import (
    MEGAHERTZ_PER_TESLA,
    acquisition_matrix,
    put_identity,
    series_time,
)
from grading.phantom.studies.identity import (
    DATE,
    NOTICE,
    Instance,
    derived_uid,
    instances,
)
from grading.phantom.studies.stored import Scale

EXCITATION_DEG = 90.0
CONTRASTS = {Kind.T2: "T2", Kind.T1: "T1", Kind.LOCALIZER: "T1"}
LUMBAR_SPINE = ("122496007", "SCT", "Lumbar spine")
"""PS3.16 CID 4031, in SNOMED CT."""
SECONDS_PER_SERIES = 180.0


def enhanced_dataset(study: DrawnStudy, series: DrawnSeries, scale: Scale) -> Dataset:
    """Return everything but the Image Pixel Module of a series in one object."""
    frames = instances(study, series)
    ds = Dataset()
    ds.SOPClassUID = EnhancedMRImageStorage
    ds.SOPInstanceUID = frames[0].sop_instance_uid
    put_identity(ds, study, series)
    _put_image(ds, series)
    _put_pulse_sequence(ds, series)
    _put_dimensions(ds, study)
    ds.NumberOfFrames = len(frames)
    ds.SharedFunctionalGroupsSequence = [_shared(series, scale)]
    ds.PerFrameFunctionalGroupsSequence = [
        _per_frame(series, instance) for instance in frames
    ]
    return ds


def _put_image(ds: Dataset, series: DrawnSeries) -> None:
    """Write the Enhanced MR Image Module (PS3.3 C.8.13.1)."""
    ds.ImageType = _image_type(series)
    ds.InstanceNumber = 1
    ds.ContentDate = DATE
    ds.ContentTime = series_time(series)
    ds.AcquisitionDateTime = DATE + series_time(series)
    ds.AcquisitionDuration = SECONDS_PER_SERIES
    ds.AcquisitionNumber = 1
    ds.ImageComments = NOTICE
    ds.ContentQualification = "RESEARCH"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = []
    ds.MagneticFieldStrength = series.sequence.field_tesla
    ds.ResonantNucleus = "1H"
    ds.KSpaceFiltering = "NONE"
    ds.ApplicableSafetyStandardAgency = "IEC"
    _put_pixel_kind(ds, series)


def _put_pixel_kind(ds: Dataset, series: DrawnSeries) -> None:
    """Write what stands both at the top and in the frame type (PS3.3 C.8.13.3)."""
    ds.PixelPresentation = "MONOCHROME"
    ds.VolumetricProperties = "VOLUME"
    ds.VolumeBasedCalculationTechnique = "NONE"
    ds.ComplexImageComponent = "MAGNITUDE"
    ds.AcquisitionContrast = CONTRASTS[series.sequence.kind]


def _image_type(series: DrawnSeries) -> list[str]:
    localizer = series.sequence.kind is Kind.LOCALIZER
    return ["ORIGINAL", "PRIMARY", "LOCALIZER" if localizer else "VOLUME", "NONE"]


def _put_pulse_sequence(ds: Dataset, series: DrawnSeries) -> None:
    """Write the MR Pulse Sequence Module (PS3.3 C.8.13.4)."""
    localizer = series.sequence.kind is Kind.LOCALIZER
    ds.PulseSequenceName = "FFE" if localizer else "TSE"
    ds.MRAcquisitionType = "2D"
    ds.EchoPulseSequence = "GRADIENT" if localizer else "SPIN"
    if not localizer:
        ds.MultipleSpinEcho = "NO"
    ds.MultiPlanarExcitation = "NO"
    ds.PhaseContrast = "NO"
    ds.TimeOfFlightContrast = "NO"
    ds.SteadyStatePulseSequence = "NONE"
    ds.EchoPlanarPulseSequence = "NO"
    ds.SaturationRecovery = "NO"
    ds.SpectrallySelectedSuppression = "NONE"
    ds.OversamplingPhase = "NONE"
    ds.GeometryOfKSpaceTraversal = "RECTILINEAR"
    ds.SegmentedKSpaceTraversal = "SINGLE" if localizer else "PARTIAL"
    ds.RectilinearPhaseEncodeReordering = "LINEAR"
    ds.NumberOfKSpaceTrajectories = 1


def _put_dimensions(ds: Dataset, study: DrawnStudy) -> None:
    """Order frames by stack and place in it (PS3.3 C.7.6.17)."""
    uid = derived_uid(study.key, "dimensions")
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=uid)]
    content = tag_for_keyword("FrameContentSequence")
    ds.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=uid,
            DimensionIndexPointer=tag_for_keyword(keyword),
            FunctionalGroupPointer=content,
            DimensionDescriptionLabel=label,
        )
        for keyword, label in (
            ("StackID", "Stack"),
            ("InStackPositionNumber", "Position in the stack"),
        )
    ]


def _shared(series: DrawnSeries, scale: Scale) -> Dataset:
    """Return the functional groups that all frames share."""
    cut = series.images[0].cut
    groups = _item(
        PixelMeasuresSequence=_item(
            PixelSpacing=list(cut.spacing_mm),
            SliceThickness=series.thickness_mm,
            SpacingBetweenSlices=series.spacing_mm,
        ),
        FrameAnatomySequence=_item(
            FrameLaterality="U",
            AnatomicRegionSequence=_code(*LUMBAR_SPINE),
        ),
        FrameVOILUTSequence=_item(
            WindowCenter=scale.window[0], WindowWidth=scale.window[1]
        ),
        PixelValueTransformationSequence=_item(
            RescaleIntercept=0, RescaleSlope=scale.slope, RescaleType="US"
        ),
    )
    _put_mr_groups(groups, series)
    return groups


def _put_mr_groups(groups: Dataset, series: DrawnSeries) -> None:
    """Write the groups of PS3.3 C.8.13.5 that describe the sequence."""
    frame_type = _item(FrameType=_image_type(series))
    _put_pixel_kind(frame_type, series)
    groups.MRImageFrameTypeSequence = [frame_type]
    groups.MRTimingAndRelatedParametersSequence = [_timing(series)]
    groups.MRFOVGeometrySequence = [_field_of_view(series)]
    groups.MREchoSequence = [_item(EffectiveEchoTime=series.sequence.echo_ms)]
    groups.MRModifierSequence = [_modifier(series)]
    groups.MRImagingModifierSequence = [
        _item(
            MagnetizationTransfer="NONE",
            BloodSignalNulling="NO",
            Tagging="NONE",
            TransmitterFrequency=MEGAHERTZ_PER_TESLA * series.sequence.field_tesla,
            PixelBandwidth=float(BANDWIDTH_HERTZ),
        )
    ]
    groups.MRReceiveCoilSequence = [
        _item(
            ReceiveCoilName="SPINE",
            ReceiveCoilManufacturerName=None,
            ReceiveCoilType="SURFACE",
            QuadratureReceiveCoil="NO",
        )
    ]
    groups.MRTransmitCoilSequence = [
        _item(
            TransmitCoilName="BODY",
            TransmitCoilManufacturerName=None,
            TransmitCoilType="BODY",
        )
    ]
    groups.MRAveragesSequence = [_item(NumberOfAverages=float(AVERAGES))]


def _timing(series: DrawnSeries) -> Dataset:
    sequence = series.sequence
    localizer = sequence.kind is Kind.LOCALIZER
    return _item(
        RepetitionTime=sequence.repetition_ms,
        FlipAngle=FLIP_DEG if localizer else EXCITATION_DEG,
        EchoTrainLength=sequence.echo_train,
        RFEchoTrainLength=0 if localizer else sequence.echo_train,
        GradientEchoTrainLength=1 if localizer else 0,
        SpecificAbsorptionRateSequence=_item(
            SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY",
            SpecificAbsorptionRateValue=0.0,
        ),
        GradientOutputType="PER_NERVE_STIM",
        GradientOutput=0.0,
        OperatingModeSequence=[
            _item(OperatingModeType=kind, OperatingMode="IEC_NORMAL")
            for kind in ("STATIC FIELD", "RF", "GRADIENT")
        ],
    )


def _field_of_view(series: DrawnSeries) -> Dataset:
    rows, columns = series.images[0].pixels.shape
    return _item(
        InPlanePhaseEncodingDirection=("ROW" if series.phase_along_rows else "COLUMN"),
        MRAcquisitionFrequencyEncodingSteps=max(acquisition_matrix(series)[:2]),
        MRAcquisitionPhaseEncodingStepsInPlane=max(rows, columns),
        PercentSampling=100,
        PercentPhaseFieldOfView=100,
    )


def _modifier(series: DrawnSeries) -> Dataset:
    return _item(
        InversionRecovery="NO",
        FlowCompensation="NONE",
        Spoiling="RF" if series.sequence.kind is Kind.LOCALIZER else "NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )


def _per_frame(series: DrawnSeries, instance: Instance) -> Dataset:
    """Return what differs from one frame to the next."""
    image = instance.image
    time = DATE + series_time(series, instance.frame)
    return _item(
        FrameContentSequence=_item(
            FrameAcquisitionNumber=1,
            FrameReferenceDateTime=time,
            FrameAcquisitionDateTime=time,
            FrameAcquisitionDuration=SECONDS_PER_SERIES * 1000,
            StackID=str(image.stack + 1),
            InStackPositionNumber=image.place + 1,
            DimensionIndexValues=[image.stack + 1, image.place + 1],
        ),
        PlanePositionSequence=_item(ImagePositionPatient=list(image.cut.position_mm)),
        PlaneOrientationSequence=_item(
            ImageOrientationPatient=[*image.cut.along_row, *image.cut.along_column]
        ),
    )


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**elements: object) -> Dataset:
    """Return a dataset of these elements; a single item stands for its sequence."""
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, [value] if isinstance(value, Dataset) else value)
    return ds
