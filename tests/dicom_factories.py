"""Synthetic MR datasets and made-up grades. Nothing here was ever a patient."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
from imagecodecs import jpeg8_encode
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset, dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    MRImageStorage,
)

from dicom_node.report.context import Installation, Predecessor, ReportContext
from grading.grades import (
    Basis,
    Finding,
    Grading,
    Level,
    LevelGrade,
    ModelIdentity,
    Plane,
    Region,
    RegionOrigin,
    SeriesVerdict,
    SliceGrade,
    SliceKey,
    StudyGrades,
    Weighting,
)

STUDY_UID = "2.25.1001"
SERIES_UID = "2.25.2001"
FRAME_OF_REFERENCE_UID = "2.25.3001"
CREATED_AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MODEL = ModelIdentity("phantom-2d", "0.1.0", "0123456789abcdef" * 4, Basis.PHANTOM)
SIDE = 64
SPACING_MM = 1.5


def mr_image(number: int = 1, series_uid: str = SERIES_UID) -> Dataset:
    """Return one axial T2-weighted slice of 64 x 64 pixels, header complete."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = f"{series_uid}.{number}"
    _put_identity(ds, series_uid)
    ds.ScanningSequence = "SE"
    ds.SequenceVariant = "SK"
    ds.ScanOptions = None
    ds.MRAcquisitionType = "2D"
    ds.SliceThickness = 4
    ds.RepetitionTime = 4455
    ds.EchoTime = 95
    ds.EchoTrainLength = 15
    ds.InstanceNumber = number
    ds.ImagePositionPatient = [-48, -48, -4.5 * number]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [SPACING_MM, SPACING_MM]
    _put_pixels(ds, _pixels(1)[0])
    return ds


def mr_series(count: int = 4, series_uid: str = SERIES_UID) -> list[Dataset]:
    """Return the slices of one series, cranial to caudal."""
    return [mr_image(number, series_uid) for number in range(1, count + 1)]


def enhanced_mr(frames: int = 4) -> Dataset:
    """Return an Enhanced MR object whose geometry lies in functional groups."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = EnhancedMRImageStorage
    ds.SOPInstanceUID = f"{SERIES_UID}.1"
    _put_identity(ds, SERIES_UID)
    ds.InstanceNumber = 1
    ds.NumberOfFrames = frames
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[SPACING_MM, SPACING_MM])]
    orientation = _item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PlaneOrientationSequence = [orientation]
    shared.MREchoSequence = [_item(EffectiveEchoTime=95.0)]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=[-48, -48, -4.5 * n])])
        for n in range(frames)
    ]
    _put_pixels(ds, _pixels(frames))
    return ds


def as_received(
    ds: Dataset, transfer_syntax_uid: UID = ExplicitVRLittleEndian
) -> FileDataset:
    """Return a dataset as it comes from the wire: encoded, and not yet decoded."""
    sent = copy.deepcopy(ds)
    sent.file_meta.TransferSyntaxUID = transfer_syntax_uid
    buffer = BytesIO()
    dcmwrite(buffer, sent, enforce_file_format=True)
    return dcmread(BytesIO(buffer.getvalue()))


def compressed(ds: Dataset, syntax: UID) -> FileDataset:
    """Return a dataset as it comes from the wire, its pixels encoded without loss."""
    sent = as_received(ds)
    if syntax != JPEGLosslessSV1:
        sent.compress(syntax, generate_instance_uid=False)
    else:  # pydicom writes no JPEG
        samples = np.frombuffer(sent.PixelData, "<u2")
        encoded = [
            bytes(jpeg8_encode(it, lossless=True, bitspersample=sent.BitsStored))
            for it in samples.reshape(-1, sent.Rows, sent.Columns)
        ]
        sent.PixelData = encapsulate(encoded)
        sent["PixelData"].VR = "OB"
    return as_received(sent, syntax)


def put_raw(ds: Dataset, keyword: str, value: bytes, vr: str | None = None) -> None:
    """Give ``ds`` an element as the wire brings it, be it right or wrong."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    vr = vr or dictionary_VR(tag)
    ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


def study_grades(
    datasets: Sequence[Dataset],
    slabs: Sequence[int] = (),
    *,
    levels: Sequence[Level] = (),
    located: bool = False,
    notes: Sequence[str] = (),
    basis: Basis = Basis.PHANTOM,
) -> StudyGrades:
    """Grade every frame of ``datasets``; ``slabs`` gives the slices per slab."""
    keys = slice_keys(datasets)
    counts = list(slabs) or [len(keys)]
    slices: list[SliceGrade] = []
    graded: list[LevelGrade] = []
    for slab, count in enumerate(counts, start=1):
        members = keys[len(slices) : len(slices) + count]
        level = levels[slab - 1] if levels else None
        slices += [_slice_grade(key, slab, level, located=located) for key in members]
        graded.append(
            LevelGrade(
                level=level,
                slab=slab,
                slabs=len(counts),
                key_slice=members[len(members) // 2],
                slices=tuple(members),
                grades=gradings(slab),
            )
        )
    return StudyGrades(
        study_instance_uid=STUDY_UID,
        model=ModelIdentity(MODEL.name, MODEL.version, MODEL.sha256, basis),
        series=(verdict(graded=True), REFUSED),
        slices=tuple(slices),
        levels=tuple(graded),
        notes=tuple(notes),
    )


def slice_keys(datasets: Sequence[Dataset]) -> list[SliceKey]:
    """Return the key of every frame."""
    return [
        SliceKey(str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID), frame)
        for ds in datasets
        for frame in range(1, int(ds.get("NumberOfFrames") or 1) + 1)
    ]


def gradings(seed: int = 1) -> Mapping[Finding, Grading]:
    """Return three gradings that differ from each other and with the seed."""
    return {
        Finding.LDH: _turned((0.63, 0.2, 0.1, 0.07), seed),
        Finding.LCCS: _turned((0.8, 0.15, 0.04, 0.01), seed + 1),
        Finding.LNRC: _turned((0.43, 0.31, 0.21, 0.05), seed + 3),
    }


def verdict(*, graded: bool, description: str = "T2 AX") -> SeriesVerdict:
    reason = "axial T2-weighted: TE 95 ms" if graded else "not T2-weighted: TE 21 ms"
    return SeriesVerdict(
        SERIES_UID, description, Plane.AXIAL, Weighting.T2, graded, reason, slices=4
    )


REFUSED = verdict(graded=False, description="T1 AX")


def report_context(
    revision: int = 1,
    created_at: datetime = CREATED_AT,
    predecessors: Sequence[Predecessor] = (),
) -> ReportContext:
    installation = Installation("2.25.4001", "NODE-0001", "0.1.0")
    return ReportContext(installation, revision, created_at, tuple(predecessors))


def _turned(shares: tuple[float, float, float, float], places: int) -> Grading:
    p0, p1, p2, p3 = (shares[(grade - places) % 4] for grade in range(4))
    return Grading((p0, p1, p2, p3))


def _slice_grade(
    key: SliceKey, slab: int, level: Level | None, *, located: bool
) -> SliceGrade:
    centre = (SIDE - 1) / 2
    region = Region(
        centre,
        centre,
        size_mm=48.0,
        origin=RegionOrigin.LANDMARKS if located else RegionOrigin.CENTRE,
    )
    return SliceGrade(key, slab, 0.0, region, gradings(slab), level)


def _put_identity(ds: Dataset, series_uid: str) -> None:
    ds.StudyDate = "20260301"
    ds.StudyTime = "101500"
    ds.AccessionNumber = "A0001"
    ds.Modality = "MR"
    ds.Manufacturer = "Phantom Works"
    ds.ReferringPhysicianName = "Doe^Jane"
    ds.StudyDescription = "MR LUMBAR SPINE"
    ds.SeriesDescription = "T2 AX"
    ds.ManufacturerModelName = "Phantom 1"
    ds.PatientName = "Phantom^Anna"
    ds.PatientID = "P0001"
    ds.IssuerOfPatientID = "SITE"
    ds.PatientBirthDate = "19650412"
    ds.PatientSex = "F"
    ds.PatientAge = "060Y"
    ds.BodyPartExamined = "LSPINE"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = STUDY_UID
    ds.SeriesInstanceUID = series_uid
    ds.StudyID = "1"
    ds.SeriesNumber = 3
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    ds.PositionReferenceIndicator = None


def _put_pixels(ds: Dataset, pixels: NDArray[np.uint16]) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = SIDE
    ds.BitsAllocated = 16
    ds.BitsStored = 12
    ds.HighBit = 11
    ds.PixelRepresentation = 0
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _pixels(frames: int) -> NDArray[np.uint16]:
    """Return a bright canal in grey noise: ``(frames, rows, columns)``."""
    pixels = np.random.default_rng(0).integers(300, 500, (frames, SIDE, SIDE))
    pixels[:, 28:36, 28:36] = 2000
    return pixels.astype(np.uint16)


def _item(**elements: object) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds
