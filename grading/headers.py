"""What one image says of itself: geometry, sequence, identity.

Classic MR keeps these facts at the top of the dataset (PS3.3 C.7.6.2, C.8.3.1),
Enhanced MR in functional groups, shared or per frame (PS3.3 C.7.6.16, C.8.13.5).
Real headers lack almost anything, so every fact may be None or empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as ItemSequence

from grading.grades import SliceKey

Vector = tuple[float, float, float]
"""In patient coordinates: LPS (left, posterior, superior), mm."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The sequence, as far as the header tells; times in ms."""

    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    inversion_recovery: bool = False
    gradient_echo: bool = False
    echo_planar: bool = False
    diffusion: bool = False
    fat_suppressed: bool = False
    image_type: tuple[str, ...] = ()
    contrast: str = ""
    """Acquisition Contrast (0008,9209) of Enhanced MR, else empty."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """One axial, sagittal or other image: one frame of one instance."""

    key: SliceKey
    modality: str
    """Empty where neither Modality nor the SOP class tells."""
    rows: int
    columns: int
    samples_per_pixel: int
    position_lps_mm: Vector | None
    row_direction: Vector | None
    column_direction: Vector | None
    spacing_mm: tuple[float, float] | None
    """Between rows, between columns (PS3.3 10.7.1.3)."""
    acquisition: Acquisition
    description: str
    body_part: str
    manufacturer: str = ""
    model_name: str = ""
    field_strength_tesla: float | None = None
    thickness_mm: float | None = None

    @property
    def normal(self) -> Vector | None:
        """Unit normal of the slice, pointing towards the head."""
        if self.row_direction is None or self.column_direction is None:
            return None
        (a, b, c), (d, e, f) = self.row_direction, self.column_direction
        cross = (b * f - c * e, c * d - a * f, a * e - b * d)
        length = math.sqrt(sum(x * x for x in cross))
        if not math.isfinite(length) or abs(length - 1) > MAX_NORMAL_LENGTH_ERROR:
            return None
        sign = -1.0 if cross[2] < 0 else 1.0
        return (
            sign * cross[0] / length,
            sign * cross[1] / length,
            sign * cross[2] / length,
        )


# Direction cosines are unit vectors at right angles, so their cross product has
# length 1; anything far from it is a damaged header.
MAX_NORMAL_LENGTH_ERROR = 0.1

MAX_FIELD_TESLA = 20.0
"""No scanner for people is stronger: a larger number is in gauss or millitesla."""


def image_headers(ds: Dataset) -> list[ImageHeader]:
    """Return one header per frame of ``ds``; pixels are not touched."""
    return [_image_header(ds, number, group) for number, group in _frames(ds)]


def modality(ds: Dataset) -> str:
    """Return Modality, or what the SOP class implies where it is absent.

    Public archives hold MR without Modality whose file meta alone names a class.
    """
    stated = _text(ds, "Modality")
    if stated:
        return stated
    meta = getattr(ds, "file_meta", None)
    uid = _value(ds, "SOPClassUID") or _value(meta or Dataset(), META_SOP_CLASS)
    return "MR" if str(getattr(uid, "name", "")).find("MR Image Storage") >= 0 else ""


META_SOP_CLASS = "MediaStorageSOPClassUID"


class _Groups:
    """Look an attribute up where it may be: frame, shared groups, top of dataset."""

    def __init__(self, ds: Dataset, per_frame: Dataset | None) -> None:
        shared = _items(ds, "SharedFunctionalGroupsSequence")
        self._places = [] if per_frame is None else [per_frame, *shared[:1]]
        self._top = ds

    def get(self, sequence: str, keyword: str) -> Any:
        for place in self._places:
            for item in _items(place, sequence)[:1]:
                if (value := _value(item, keyword)) is not None:
                    return value
        return _value(self._top, keyword)


def _frames(ds: Dataset) -> Iterator[tuple[int, Dataset | None]]:
    per_frame = _items(ds, "PerFrameFunctionalGroupsSequence")
    if not per_frame:
        # Some single-frame objects carry a NumberOfFrames of 1, and an odd one
        # a Shared Functional Groups Sequence: neither makes them multi-frame.
        yield 1, None
        return
    yield from enumerate(per_frame, start=1)


def _image_header(ds: Dataset, number: int, per_frame: Dataset | None) -> ImageHeader:
    groups = _Groups(ds, per_frame)
    orientation = _numbers(
        groups.get("PlaneOrientationSequence", "ImageOrientationPatient"), 6
    )
    position = _numbers(groups.get("PlanePositionSequence", "ImagePositionPatient"), 3)
    spacing = _numbers(groups.get("PixelMeasuresSequence", "PixelSpacing"), 2)
    return ImageHeader(
        key=SliceKey(
            str(ds.get("SeriesInstanceUID", "")),
            str(ds.get("SOPInstanceUID", "")),
            number,
        ),
        modality=modality(ds),
        rows=int(_number(_value(ds, "Rows")) or 0),
        columns=int(_number(_value(ds, "Columns")) or 0),
        samples_per_pixel=int(_number(_value(ds, "SamplesPerPixel")) or 1),
        position_lps_mm=_vector(position),
        row_direction=_vector(orientation[:3]) if orientation else None,
        column_direction=_vector(orientation[3:]) if orientation else None,
        spacing_mm=_spacing(spacing),
        acquisition=_acquisition(ds, groups),
        description=_text(ds, "SeriesDescription"),
        body_part=_text(ds, "BodyPartExamined"),
        manufacturer=_text(ds, "Manufacturer"),
        model_name=_text(ds, "ManufacturerModelName"),
        field_strength_tesla=_tesla(_value(ds, "MagneticFieldStrength")),
        thickness_mm=_positive(
            _number(groups.get("PixelMeasuresSequence", "SliceThickness"))
        ),
    )


def _acquisition(ds: Dataset, groups: _Groups) -> Acquisition:
    scanning = _texts(_value(ds, "ScanningSequence"))
    options = _texts(_value(ds, "ScanOptions"))
    pulse = _first_text(_value(ds, "EchoPulseSequence"))
    suppression = _first_text(
        groups.get("MRModifierSequence", "SpectrallySelectedSuppression")
    )
    b_value = _number(groups.get("MRDiffusionSequence", "DiffusionBValue"))
    echo_time = _number(groups.get("MREchoSequence", "EffectiveEchoTime"))
    repetition = groups.get("MRTimingAndRelatedParametersSequence", "RepetitionTime")
    inversion = groups.get("MRModifierSequence", "InversionTimes")
    inversion_time = _number(inversion) or _number(_value(ds, "InversionTime"))
    inverted = _first_text(groups.get("MRModifierSequence", "InversionRecovery"))
    frame_type = groups.get("MRImageFrameTypeSequence", "FrameType")
    return Acquisition(
        echo_time_ms=_positive(echo_time) or _positive(_number(_value(ds, "EchoTime"))),
        repetition_time_ms=_positive(_number(repetition)),
        inversion_time_ms=_positive(inversion_time),
        inversion_recovery="IR" in scanning or inverted == "YES",
        gradient_echo=("GR" in scanning and "SE" not in scanning)
        or pulse == "GRADIENT",
        echo_planar="EP" in scanning
        or _first_text(_value(ds, "EchoPlanarPulseSequence")) == "YES",
        diffusion=bool(b_value),
        fat_suppressed=bool(FAT_SATURATION & set(options))
        or suppression in {"FAT", "FAT_AND_WATER"},
        image_type=_texts(frame_type or _value(ds, "ImageType")),
        contrast=_first_text(
            groups.get("MRImageFrameTypeSequence", "AcquisitionContrast")
        ),
    )


FAT_SATURATION = {"FS", "FATSAT", "FAT_SAT", "FSS_GEMS", "SPIR", "SPAIR"}
"""Scan Options (0018,0022): FS is the defined term, the others are vendors' own."""


def _value(ds: Dataset, keyword: str) -> Any:
    """Return an attribute's value, None where it is absent or breaks its VR."""
    try:
        return ds.get(keyword)
    # Values come from the wire and are converted here for the first time: what
    # cannot be converted says nothing, and the rest of the header still counts.
    except Exception:  # noqa: BLE001
        return None


def _items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    value = _value(ds, keyword)
    return list(value) if isinstance(value, ItemSequence) else []


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return tuple(str(item).strip().upper() for item in values)


def _first_text(value: Any) -> str:
    texts = _texts(value)
    return texts[0] if texts else ""


def _text(ds: Dataset, keyword: str) -> str:
    value = _value(ds, keyword)
    return "" if value is None else str(value).strip()


def _number(value: Any) -> float | None:
    """Return the first value as a finite number, else None."""
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if value else None
    try:
        number = float(value) if value is not None and value != "" else None
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _positive(number: float | None) -> float | None:
    """Return None for 0 as well: scanners write 0 for "not used"."""
    return number if number and number > 0 else None


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, MultiValue | list | tuple) or len(value) != count:
        return None
    numbers = [_number(item) for item in value]
    if any(number is None for number in numbers):
        return None
    return tuple(number for number in numbers if number is not None)


def _vector(numbers: Sequence[float] | None) -> Vector | None:
    return (numbers[0], numbers[1], numbers[2]) if numbers else None


def _spacing(numbers: Sequence[float] | None) -> tuple[float, float] | None:
    if not numbers or min(numbers) <= 0:
        return None
    return (numbers[0], numbers[1])


def _tesla(value: Any) -> float | None:
    number = _positive(_number(value))
    return number if number is None or number <= MAX_FIELD_TESLA else None
