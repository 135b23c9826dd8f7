"""Headers in the manner of several makers of scanners.

Nothing here claims to come from any of them: Manufacturer says "lumbar-node phantom"
and a letter. What differs is what readers stumble over: which optional elements are
there, how images are numbered and stored, which words and letters are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from grading.phantom.studies.habits import Role


class Order(StrEnum):
    """How the images of a stack are numbered."""

    FORWARDS = "forwards"
    """Cranial to caudal, right to left, front to back."""
    BACKWARDS = "backwards"
    INTERLEAVED = "interleaved"
    """Every other one first, as they are excited; stack by stack."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How stored values are laid into bits."""

    bits_stored: int
    signed: bool
    shift: int = 0
    """Added to every value: negative where a maker stores air below zero."""

    @property
    def largest(self) -> int:
        """The largest value that fits."""
        return int(2 ** (self.bits_stored - self.signed)) - 1


@dataclass(frozen=True, slots=True)
class Manner:
    """One way of writing headers."""

    letter: str
    fields_tesla: Mapping[float, float]
    """Share of each field strength."""
    character_sets: tuple[str, ...]
    """Specific Character Set (0008,0005); empty where it is left out."""
    name_suffix: str
    """Further component groups of Patient's Name (PS3.5 6.2.1.1)."""
    referring_physician: str
    spin_echo_type: tuple[str, ...]
    """Image Type (0008,0008)."""
    localizer_type: tuple[str, ...]
    descriptions: Mapping[Role, str]
    """Series Description (0008,103E); left out where empty."""
    body_part: str
    sequence_variant: tuple[str, ...]
    scan_options: tuple[str, ...]
    sequence_name: str
    """With the echo train's length in it; empty where it is left out."""
    series_numbers: tuple[int, ...]
    """In the order in which the series are scanned."""
    order: Order
    storage: Storage
    writes: frozenset[str]
    """Optional elements that the manner writes, by keyword; see `elements`."""
    enhanced: bool = False
    """Newer scanners of this manner write Enhanced MR."""


def _named(
    localizer: str,
    sagittal_t2: str = "",
    sagittal_t1: str = "",
    axial_t2: str = "",
    axial_t1: str = "",
) -> Mapping[Role, str]:
    words = (localizer, sagittal_t2, sagittal_t1, axial_t2, axial_t1)
    return dict(zip(Role, words, strict=True))


ONE_TO_FIVE = (1, 2, 3, 4, 5)
TIMING = frozenset(
    {"NumberOfAverages", "ImagingFrequency", "ImagedNucleus", "EchoNumbers"}
)
ENCODING = frozenset(
    {
        "NumberOfPhaseEncodingSteps",
        "PercentSampling",
        "PercentPhaseFieldOfView",
        "PixelBandwidth",
        "AcquisitionMatrix",
        "InPlanePhaseEncodingDirection",
        "FlipAngle",
    }
)
WINDOW = frozenset({"WindowCenter", "WindowWidth"})
EXTREMES = frozenset({"SmallestImagePixelValue", "LargestImagePixelValue"})

A = Manner(
    letter="A",
    fields_tesla={1.5: 0.5, 3.0: 0.5},
    character_sets=("ISO_IR 100",),
    name_suffix="",
    referring_physician="Fantôme^Modèle",
    spin_echo_type=("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"),
    localizer_type=("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"),
    descriptions=_named(
        "localizer", "t2_tse_sag", "t1_tse_sag", "t2_tse_tra", "t1_tse_tra"
    ),
    body_part="LSPINE",
    sequence_variant=("SK", "SP", "OSP"),
    scan_options=(),
    sequence_name="*tse2d1_{train}",
    series_numbers=ONE_TO_FIVE,
    order=Order.FORWARDS,
    storage=Storage(12, signed=False),
    writes=TIMING
    | ENCODING
    | WINDOW
    | EXTREMES
    | {
        "InstanceCreationDate",
        "InstanceCreationTime",
        "MagneticFieldStrength",
        "SpacingBetweenSlices",
        "ProtocolName",
        "VariableFlipAngleFlag",
        "SliceLocation",
        "AcquisitionNumber",
    },
    enhanced=True,
)
"""In the manner of Siemens."""

B = Manner(
    letter="B",
    fields_tesla={1.5: 0.6, 3.0: 0.4},
    character_sets=("ISO_IR 100",),
    name_suffix="",
    referring_physician="Modèle^É",
    spin_echo_type=("ORIGINAL", "PRIMARY", "OTHER"),
    localizer_type=("ORIGINAL", "PRIMARY", "OTHER"),
    descriptions=_named(
        "3-Pl Loc", "Sag T2 FRFSE", "Sag T1 FSE", "Ax T2 FRFSE", "Ax T1 FSE"
    ),
    body_part="SPINE",
    sequence_variant=("SK", "OSP"),
    scan_options=("FAST_GEMS", "NPW", "TRF_GEMS"),
    sequence_name="",
    series_numbers=ONE_TO_FIVE,
    order=Order.BACKWARDS,
    storage=Storage(16, signed=True),
    writes=TIMING
    | ENCODING
    | WINDOW
    | EXTREMES
    | {
        "MagneticFieldStrength",
        "SpacingBetweenSlices",
        "ProtocolName",
        "ReceiveCoilName",
        "ReconstructionDiameter",
        "SliceLocation",
        "ImagesInAcquisition",
        "AcquisitionNumber",
    },
)
"""In the manner of GE."""

C = Manner(
    letter="C",
    fields_tesla={1.5: 0.5, 3.0: 0.5},
    character_sets=("ISO_IR 192",),
    name_suffix="=模型^{number}",
    referring_physician="Модель^Ф",
    spin_echo_type=("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
    localizer_type=("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"),
    descriptions=_named(
        "Survey", "T2W_TSE_SAG", "T1W_TSE_SAG", "T2W_TSE_AX", "T1W_TSE_AX"
    ),
    body_part="LSPINE",
    sequence_variant=("SK",),
    scan_options=("OTHER",),
    sequence_name="",
    series_numbers=(101, 201, 301, 401, 501),
    order=Order.BACKWARDS,
    storage=Storage(12, signed=False),
    writes=TIMING
    | ENCODING
    | WINDOW
    | {
        "InstanceCreationDate",
        "InstanceCreationTime",
        "MagneticFieldStrength",
        "SpacingBetweenSlices",
        "ProtocolName",
        "ReceiveCoilName",
        "ReconstructionDiameter",
        "AcquisitionNumber",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
    },
    enhanced=True,
)
"""In the manner of Philips."""

D = Manner(
    letter="D",
    fields_tesla={1.5: 0.8, 3.0: 0.2},
    character_sets=("", "ISO 2022 IR 87"),
    name_suffix="=模型^{number}=もけい^{number}",
    referring_physician="",
    spin_echo_type=("ORIGINAL", "PRIMARY", "OTHER"),
    localizer_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    descriptions=_named(
        "Locator", "Sag T2 FSE2D", "Sag T1 SE", "Ax T2 FSE2D", "Ax T1 SE"
    ),
    body_part="",
    sequence_variant=("SK",),
    scan_options=(),
    sequence_name="FSE_2D_{train}",
    series_numbers=(1000, 2000, 3000, 4000, 5000),
    order=Order.INTERLEAVED,
    storage=Storage(16, signed=True),
    writes=TIMING
    | WINDOW
    | {
        "MagneticFieldStrength",
        "AcquisitionMatrix",
        "InPlanePhaseEncodingDirection",
        "FlipAngle",
        "PixelBandwidth",
        "SliceLocation",
    },
)
"""In the manner of Canon, formerly Toshiba."""

E = Manner(
    letter="E",
    fields_tesla={0.3: 0.5, 0.4: 0.5},
    character_sets=("ISO 2022 IR 13", "ISO 2022 IR 87"),
    name_suffix="=模型^{number}=もけい^{number}",
    referring_physician="",
    spin_echo_type=("DERIVED", "SECONDARY", "OTHER", "AI"),
    localizer_type=("DERIVED", "SECONDARY", "OTHER", "AI"),
    descriptions=_named("SCOUT", "T2 SAG", "T1 SAG", "T2 AX", "T1 AX"),
    body_part="LSPINE",
    sequence_variant=("OSP", "SK"),
    scan_options=("FC",),
    sequence_name="FSE",
    series_numbers=(1, 2, 4, 6, 7),
    order=Order.INTERLEAVED,
    storage=Storage(12, signed=True, shift=-40),
    writes=TIMING
    | WINDOW
    | EXTREMES
    | {
        "InstanceCreationDate",
        "InstanceCreationTime",
        "MagneticFieldStrength",
        "SpacingBetweenSlices",
        "NumberOfPhaseEncodingSteps",
        "AcquisitionMatrix",
        "InPlanePhaseEncodingDirection",
        "FlipAngle",
        "ProtocolName",
        "ReconstructionDiameter",
        "SliceLocation",
        "ImagesInAcquisition",
    },
)
"""In the manner of Hitachi's open low-field scanners."""

F = Manner(
    letter="F",
    fields_tesla={1.0: 0.3, 1.5: 0.7},
    character_sets=(),
    name_suffix="",
    referring_physician="",
    spin_echo_type=("ORIGINAL", "PRIMARY", "OTHER"),
    localizer_type=("ORIGINAL", "PRIMARY", "LOCALIZER"),
    descriptions=_named(""),
    body_part="",
    sequence_variant=("SK",),
    scan_options=(),
    sequence_name="",
    series_numbers=ONE_TO_FIVE,
    order=Order.BACKWARDS,
    storage=Storage(12, signed=False),
    writes=frozenset(),
)
"""In the manner of an archive that kept what PS3.3 demands and nothing else."""

MANNERS: Mapping[str, Manner] = {one.letter: one for one in (A, B, C, D, E, F)}
