"""The coded concepts of our objects, each with its source.

A code value is SH, at most 16 characters, a meaning LO, at most 64 (PS3.5 6.2).
Meanings are understandable alone, because some viewers print a value without its
name. Code values are frozen once released: a new meaning is a new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.sr.coding import Code

from grading.grades import Finding, Grade, Level, Side

MAX_SH_CHARACTERS = 16
MAX_LO_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Concept:
    """A coded concept, and where it is defined.

    Raises
    ------
    ValueError
        Value or meaning do not fit their value representation.
    """

    value: str
    scheme: str
    meaning: str
    source: str

    def __post_init__(self) -> None:
        if not 0 < len(self.value) <= MAX_SH_CHARACTERS:
            raise ValueError(
                f"code value '{self.value}' must have 1 to {MAX_SH_CHARACTERS} "
                "characters"
            )
        if not 0 < len(self.meaning) <= MAX_LO_CHARACTERS:
            raise ValueError(
                f"code meaning '{self.meaning}' must have 1 to "
                f"{MAX_LO_CHARACTERS} characters"
            )

    @property
    def code(self) -> Code:
        """The concept as pydicom and highdicom know it."""
        return Code(self.value, self.scheme, self.meaning)

    def item(self) -> Dataset:
        """Return an item of a code sequence (PS3.3 8.8)."""
        ds = Dataset()
        ds.CodeValue = self.value
        ds.CodingSchemeDesignator = self.scheme
        ds.CodeMeaning = self.meaning
        return ds


def _dcm(value: str, meaning: str, source: str) -> Concept:
    return Concept(value, "DCM", meaning, f"PS3.16 {source}")


def _sct(value: str, meaning: str, source: str) -> Concept:
    return Concept(value, "SCT", meaning, f"PS3.16 {source}")


# The frame of the document: TID 1500, 1204, 1001, 1004.
IMAGING_MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report", "CID 7021")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants", "TID 1204")
ENGLISH = Concept("en-US", "RFC5646", "English (United States)", "PS3.16 CID 5000")
OBSERVER_TYPE = _dcm("121005", "Observer Type", "TID 1002")
DEVICE = _dcm("121007", "Device", "CID 270")
DEVICE_OBSERVER_UID = _dcm("121012", "Device Observer UID", "TID 1004")
DEVICE_OBSERVER_NAME = _dcm("121013", "Device Observer Name", "TID 1004")
DEVICE_OBSERVER_MANUFACTURER = _dcm(
    "121014", "Device Observer Manufacturer", "TID 1004"
)
DEVICE_OBSERVER_MODEL_NAME = _dcm("121015", "Device Observer Model Name", "TID 1004")
DEVICE_OBSERVER_SERIAL_NUMBER = _dcm(
    "121016", "Device Observer Serial Number", "TID 1004"
)
PROCEDURE_REPORTED = _dcm("121058", "Procedure reported", "TID 1500")
# Not in CID 100, which is only the baseline for Procedure reported.
MR_LUMBAR_SPINE = Concept(
    "24968-0", "LN", "MR Lumbar spine", "HL7 value set of imaging document codes"
)

# What a person reads first.
QUALITATIVE_EVALUATIONS = Concept(
    "C0034375", "UMLS", "Qualitative Evaluations", "PS3.16 TID 1500"
)
COMMENT = _dcm("121106", "Comment", "TID 1500")
SUMMARY = _dcm("121111", "Summary", "annex D")
NARRATIVE_SUMMARY = _dcm("111412", "Narrative Summary", "annex D")

# The text report: TID 2000.
DIAGNOSTIC_IMAGING_REPORT = Concept(
    "18748-4", "LN", "Diagnostic Imaging Report", "PS3.16 CID 7000"
)
FINDINGS = _dcm("121070", "Findings", "CID 7001")
CONCLUSIONS = _dcm("121076", "Conclusions", "CID 7001")
CONCLUSION = _dcm("121077", "Conclusion", "CID 7002")

# One measurement group: TID 1410, 4108, 4019, 300.
IMAGING_MEASUREMENTS = _dcm("126010", "Imaging Measurements", "TID 1500")
MEASUREMENT_GROUP = _dcm("125007", "Measurement Group", "TID 1410")
TRACKING_IDENTIFIER = _dcm("112039", "Tracking Identifier", "TID 4108")
TRACKING_UNIQUE_IDENTIFIER = _dcm("112040", "Tracking Unique Identifier", "TID 4108")
FINDING_CATEGORY = _sct("276214006", "Finding category", "TID 1410")
ANATOMICAL_STRUCTURE = _sct("91723000", "Anatomical Structure", "CID 7150")
FINDING = _dcm("121071", "Finding", "TID 1410")
FINDING_SITE = _sct("363698007", "Finding Site", "TID 1410")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name", "TID 4019")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version", "TID 4019")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters", "TID 4019")
ALGORITHM_MANUFACTURER = _dcm("122405", "Algorithm Manufacturer", "TID 4019")
ALGORITHM_FAMILY = _dcm("111000", "Algorithm Family", "TID 4019")
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence", "CID 7162")
IMAGE_REGION = _dcm("111030", "Image Region", "TID 1410")
SOURCE = Concept("260753009", "SCT", "Source", "DICOM's subset of SNOMED CT")
SOURCE_OF_MEASUREMENT = _dcm("121112", "Source of Measurement", "TID 1501")
# Not the unit 1: viewers print a value beside its unit, "0.93 1" is no probability.
PERCENT = Concept("%", "UCUM", "Percent", "PS3.16 CID 7181")

# The image library: TID 1600, 1602.
IMAGE_LIBRARY = _dcm("111028", "Image Library", "TID 1600")
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group", "TID 1600")
MODALITY = _dcm("121139", "Modality", "TID 1602")
MAGNETIC_RESONANCE = Concept("MR", "DCM", "Magnetic Resonance", "PS3.16 CID 29")
TARGET_REGION = _dcm("123014", "Target Region", "TID 1602")
FRAME_OF_REFERENCE_UID = _dcm("112227", "Frame of Reference UID", "TID 1602")

# What made an object out of what: CID 7005, CID 7202.
ACQUISITION_EQUIPMENT = _dcm("109101", "Acquisition Equipment", "CID 7005")
PROCESSING_EQUIPMENT = _dcm("109102", "Processing Equipment", "CID 7005")
SOURCE_IMAGE = _dcm("121322", "Source image for image processing operation", "CID 7202")

LUMBAR_SPINE = _sct("122496007", "Lumbar spine", "CID 4")
# DICOM's subset of SNOMED CT has no lumbar nerve root.
NERVE = Concept("91728009", "SCT", "Nerve", "DICOM's subset of SNOMED CT")
LATERALITY = _sct("272741003", "Laterality", "CID 244")
SIDES: Mapping[Side, Concept] = {
    Side.RIGHT: _sct("24028007", "Right", "CID 244"),
    Side.LEFT: _sct("7771000", "Left", "CID 244"),
}
DISCS: Mapping[Level, Concept] = {
    Level.T12_L1: _sct("76206002", "T12/L1 disc", "CID 7604"),
    Level.L1_L2: _sct("80064006", "L1/L2 disc", "CID 7604"),
    Level.L2_L3: _sct("67459009", "L2/L3 disc", "CID 7604"),
    Level.L3_L4: _sct("62551000", "L3/L4 disc", "CID 7604"),
    Level.L4_L5: _sct("84020006", "L4/L5 disc", "CID 7604"),
    # Not 75782005, "disc of fifth lumbar vertebra", which is in no context group.
    Level.L5_S1: _sct("715056000", "L5/S1 disc", "CID 7604"),
}


def site(level: Level | None) -> Concept:
    """Return the disc of a level, the lumbar spine where it is not determined."""
    return LUMBAR_SPINE if level is None else DISCS[level]


PRIVATE_SCHEME = "99LUMBAR"
PRIVATE_SCHEME_NAME = "lumbar-node grades of disc, canal and nerve root"
PRIVATE_SCHEME_VERSION = "1"
PRIVATE_SCHEME_ORGANIZATION = "lumbar-node project"


@dataclass(frozen=True, slots=True)
class Scale:
    """The codes of one finding's scale. DICOM has none for MSU, Lee and Pfirrmann."""

    finding: Finding
    author: str
    """How the scale is named in one word."""
    name: Concept
    grades: tuple[Concept, ...]
    """By grade, 0 to 3."""
    probabilities: tuple[Concept, ...]
    """Probability of each grade, 0 to 3."""
    reported: Concept
    """Probability of the reported grade."""
    worst: Concept
    """The highest grade of any slice, where it is not the reported one."""
    wordings: tuple[str, ...]
    """What each grade says, without the scale's name."""


@dataclass(frozen=True, slots=True)
class RootScale:
    """The codes of one side's root; its grades are those of LNRC."""

    name: Concept
    probabilities: tuple[Concept, ...]
    """Probability of each grade, 0 to 3."""


def _scale(
    finding: Finding, author: str, title: str, wordings: tuple[str, ...], source: str
) -> Scale:
    def private(suffix: str, meaning: str) -> Concept:
        return Concept(f"{finding}-{suffix}", PRIVATE_SCHEME, meaning, source)

    return Scale(
        finding,
        author,
        name=private("GRADE", title),
        grades=tuple(
            private(f"G{grade}", f"{author} grade {grade}: {wording}")
            for grade, wording in zip(Grade, wordings, strict=True)
        ),
        probabilities=tuple(
            private(f"P{grade}", f"{finding} probability of grade {grade}")
            for grade in Grade
        ),
        reported=private("PREP", f"{finding} probability of reported grade"),
        worst=private("WORST", f"{finding} grade of the worst slice"),
        wordings=wordings,
    )


SCALES: Mapping[Finding, Scale] = {
    Finding.LDH: _scale(
        Finding.LDH,
        "MSU",
        "Lumbar disc herniation grade (MSU size)",
        (
            "no herniation",
            "up to 50% of distance to facet line",
            "more than 50% of distance to facet line",
            "beyond facet line",
        ),
        "Mysliwiec et al. 2010, size only",
    ),
    Finding.LCCS: _scale(
        Finding.LCCS,
        "Lee",
        "Lumbar central canal stenosis grade (Lee)",
        (
            "no stenosis",
            "mild, cauda equina separated",
            "moderate, cauda equina partly aggregated",
            "severe, cauda equina one bundle",
        ),
        "Lee et al. 2011",
    ),
    Finding.LNRC: _scale(
        Finding.LNRC,
        "Pfirrmann",
        "Lumbar nerve root compression grade (Pfirrmann)",
        (
            "no nerve root compromise",
            "contact with nerve root",
            "deviation of nerve root",
            "compression of nerve root",
        ),
        "Pfirrmann et al. 2004",
    ),
}


def _root_scale(side: Side) -> RootScale:
    def private(suffix: str, meaning: str) -> Concept:
        value = f"{Finding.LNRC}-{side[0].upper()}-{suffix}"
        return Concept(value, PRIVATE_SCHEME, meaning, "Pfirrmann et al. 2004")

    return RootScale(
        private("GRADE", f"{side.capitalize()} nerve root compression grade"),
        tuple(
            private(f"P{grade}", f"LNRC {side} root: probability of grade {grade}")
            for grade in Grade
        ),
    )


ROOT_SCALES: Mapping[Side, RootScale] = {side: _root_scale(side) for side in Side}


def private_concepts() -> tuple[Concept, ...]:
    """Return every code of the private scheme, in the order of the published table."""
    findings = (
        (
            scale.name,
            *scale.grades,
            *scale.probabilities,
            scale.reported,
            scale.worst,
        )
        for scale in SCALES.values()
    )
    roots = ((scale.name, *scale.probabilities) for scale in ROOT_SCALES.values())
    return tuple(concept for group in (*findings, *roots) for concept in group)


def coding_scheme_item() -> Dataset:
    """Return the item of Coding Scheme Identification Sequence (PS3.3 C.12.1.1.17).

    Without a UID: a self-made one draws a warning from validators.
    """
    ds = Dataset()
    ds.CodingSchemeDesignator = PRIVATE_SCHEME
    ds.CodingSchemeName = PRIVATE_SCHEME_NAME
    ds.CodingSchemeVersion = PRIVATE_SCHEME_VERSION
    ds.CodingSchemeResponsibleOrganization = PRIVATE_SCHEME_ORGANIZATION
    return ds
