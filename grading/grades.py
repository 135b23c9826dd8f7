"""The vocabulary of grading: levels, findings, grades, and what a study received.

Everything here is frozen and free of numpy and torch, because storage and the
report speak these words too.

The three scales are those of Su et al. 2022: LDH after the MSU classification
(size against the intra-facet line), LCCS after Lee, LNRC after Pfirrmann.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum


class Finding(StrEnum):
    """What is graded; one network head each."""

    LDH = "LDH"
    """Lumbar disc herniation, MSU size."""
    LCCS = "LCCS"
    """Lumbar central canal stenosis, Lee."""
    LNRC = "LNRC"
    """Lumbar nerve root compression, Pfirrmann."""


class Grade(IntEnum):
    """Ordinal severity of a finding; what each means depends on the scale."""

    GRADE_0 = 0
    GRADE_1 = 1
    GRADE_2 = 2
    GRADE_3 = 3


class Level(StrEnum):
    """An intervertebral disc level, cranial to caudal."""

    T12_L1 = "T12/L1"
    L1_L2 = "L1/L2"
    L2_L3 = "L2/L3"
    L3_L4 = "L3/L4"
    L4_L5 = "L4/L5"
    L5_S1 = "L5/S1"


class Side(StrEnum):
    """The patient's side."""

    RIGHT = "right"
    LEFT = "left"


class Basis(StrEnum):
    """What speaks for a bundle: only a site's own evaluation ever does."""

    PHANTOM = "phantom"
    """It learned from computer-made images only."""
    UNEVALUATED = "unevaluated"
    """It learned from patients' images, and no site has attested how it does."""
    SITE = "site"
    """A site's own evaluation, bound to the weights."""


PROBABILITY_TOLERANCE = 1e-3
"""Four float32 probabilities sum to one within far less than this."""


@dataclass(frozen=True, slots=True)
class Grading:
    """The four probabilities of one finding, grade 0 to grade 3.

    Raises
    ------
    ValueError
        There are not four of them, one lies outside 0 to 1, or they do not sum
        to one.
    """

    probabilities: tuple[float, float, float, float]
    """Calibrated where a temperature was fitted, else as the network gives them."""
    temperature: float = 1.0
    """What the network's logits were divided by; 1 where none was fitted."""
    threshold: float | None = None
    """A grade less probable than this needs a reader; None where none was chosen."""

    def __post_init__(self) -> None:
        if len(self.probabilities) != len(Grade):
            raise ValueError(f"expected 4 probabilities, got {self.probabilities}")
        if not all(0.0 <= p <= 1.0 for p in self.probabilities):
            raise ValueError(f"a probability is outside 0 to 1: {self.probabilities}")
        if abs(sum(self.probabilities) - 1.0) > PROBABILITY_TOLERANCE:
            raise ValueError(f"probabilities do not sum to one: {self.probabilities}")

    @property
    def grade(self) -> Grade:
        """The reported grade: the most probable, the lower one on a tie."""
        return Grade(self.probabilities.index(max(self.probabilities)))

    @property
    def probability(self) -> float:
        """The probability of the reported grade."""
        return max(self.probabilities)

    @property
    def calibrated(self) -> bool:
        """False where no temperature was fitted: the probability is only a score."""
        return self.temperature != 1.0

    @property
    def needs_reader(self) -> bool:
        """True where the bundle is too unsure of the grade to let it stand alone."""
        return self.threshold is not None and self.probability < self.threshold


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which bundle graded: enough to find the very weights again."""

    name: str
    version: str
    sha256: str
    """Of the weights, lower-case hexadecimal."""
    basis: Basis


@dataclass(frozen=True, slots=True)
class SliceKey:
    """One axial image: one frame of one instance of one series.

    Instance UIDs repeat between series in real archives, so the series belongs
    to the key.
    """

    series_instance_uid: str
    sop_instance_uid: str
    frame: int = 1
    """Counted from 1, as DICOM counts; 1 for a single-frame object."""


@dataclass(frozen=True, slots=True)
class PixelPoint:
    """A place on an image, counted from 0 at the centre of the first pixel."""

    row: float
    column: float


@dataclass(frozen=True, slots=True)
class AxialMarks:
    """What was found on an axial slice; None where it was not."""

    disc_margin: PixelPoint | None = None
    """Midpoint of the posterior disc margin."""
    sac_centre: PixelPoint | None = None
    facet_right: PixelPoint | None = None
    """Medial edge of the patient's right facet joint; with the left one's it spans
    the intra-facet line."""
    facet_left: PixelPoint | None = None


class RegionOrigin(StrEnum):
    """How a region came to lie where it lies."""

    DRAWN = "drawn"
    """A person drew it."""
    LANDMARKS = "landmarks"
    """Between the landmarks found on this slice."""
    NEIGHBOURS = "neighbours"
    """Carried over from slices beside it, for want of landmarks on this one."""
    CENTRE = "centre"
    """The image centre, because nothing found the canal: not located."""


@dataclass(frozen=True, slots=True)
class Region:
    """The square that the network saw, in pixels of the slice it lies on."""

    row: float
    """Centre, counted from 0 at the centre of the first row."""
    column: float
    """Centre, counted from 0 at the centre of the first column."""
    size_mm: float
    """Side of the square."""
    origin: RegionOrigin
    spread_mm: float | None = None
    """How far several looks at the slice disagreed; None where nobody looked twice."""

    @property
    def located(self) -> bool:
        """False where the centre is the image centre."""
        return self.origin is not RegionOrigin.CENTRE


@dataclass(frozen=True, slots=True)
class SliceGrade:
    """What one slice received."""

    key: SliceKey
    slab: int
    """Which spatially separate group of slices, counted from 1, cranial to caudal."""
    position_mm: float
    """Along the slab's normal, increasing towards the head."""
    region: Region
    grades: Mapping[Finding, Grading]
    level: Level | None = None
    """Of the disc that the slice passes through or lies beside; None where there is
    none near or the level was not determined. Nothing is guessed."""
    through_disc: bool | None = None
    """True where the slice passes through a disc and its grades count for the level;
    None where that was not determined."""
    roots: Mapping[Side, Grading] = field(default_factory=dict)
    """LNRC of each side's root; empty where the bundle does not tell sides apart."""
    marks: AxialMarks = AxialMarks()
    further: Mapping[str, Grading] = field(default_factory=dict)
    """What heads beyond the three findings said, by the name the bundle gives them."""


@dataclass(frozen=True, slots=True)
class LevelGrade:
    """What one disc level received, or one slab where the level is not determined."""

    level: Level | None
    slab: int
    slabs: int
    """How many slabs the study has: "slab 2 of 4"."""
    key_slice: SliceKey
    """The slice that shows the reported grades best."""
    slices: tuple[SliceKey, ...]
    """The slices whose grades count here, cranial to caudal."""
    grades: Mapping[Finding, Grading]
    """The mean of the slices' probabilities."""
    worst: Mapping[Finding, SliceKey] = field(default_factory=dict)
    """The slice with the highest grade of each finding, the most certain of several;
    empty in results of versions that did not keep it."""
    roots: Mapping[Side, Grading] = field(default_factory=dict)
    """The mean for each side's root; empty where the bundle does not tell sides."""

    @property
    def worse_root(self) -> Grade | None:
        """The higher grade of the roots; None where sides are not told apart."""
        return max((grading.grade for grading in self.roots.values()), default=None)

    @property
    def roots_differ(self) -> bool:
        """True where LNRC is not the worse root's grade, each by a head of its own."""
        whole = self.grades.get(Finding.LNRC)
        worse = self.worse_root
        return whole is not None and worse is not None and whole.grade != worse

    @property
    def name(self) -> str:
        """``L4/L5``, or ``slab 2 of 4`` where the level is not determined."""
        return self.level.value if self.level else f"slab {self.slab} of {self.slabs}"


@dataclass(frozen=True, slots=True)
class DiscMark:
    """The centre of a disc on a sagittal image."""

    level: Level
    point: PixelPoint


@dataclass(frozen=True, slots=True)
class SagittalView:
    """The sagittal image that shows the levels, and where they lie on it."""

    key: SliceKey
    discs: tuple[DiscMark, ...]
    """Cranial to caudal."""


class Plane(StrEnum):
    """The anatomical plane that a series' slices lie closest to."""

    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    UNKNOWN = "unknown"


class Weighting(StrEnum):
    """What a series' contrast shows, as far as its header tells."""

    T1 = "T1"
    T2 = "T2"
    T2_FAT_SUPPRESSED = "T2 fat-suppressed"
    PROTON_DENSITY = "proton density"
    DIXON = "Dixon"
    DIFFUSION = "diffusion"
    LOCALIZER = "localizer"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SeriesVerdict:
    """What became of one series, and why, in words a radiographer understands."""

    series_instance_uid: str
    description: str
    """SeriesDescription as received, or empty."""
    plane: Plane
    weighting: Weighting
    graded: bool
    reason: str
    """``axial T2-weighted: TE 95 ms, TR 4455 ms``, or why it is not graded."""
    slices: int = 0
    manufacturer: str = ""
    model_name: str = ""
    field_strength_tesla: float | None = None
    for_levels: bool = False
    """Sagittal T2-weighted: not graded, but where it is, it may tell the levels."""


@dataclass(frozen=True, slots=True)
class StudyGrades:
    """Everything that grading says about one study."""

    study_instance_uid: str
    model: ModelIdentity
    series: tuple[SeriesVerdict, ...]
    slices: tuple[SliceGrade, ...]
    """Cranial to caudal, slab by slab."""
    levels: tuple[LevelGrade, ...]
    """Cranial to caudal."""
    notes: tuple[str, ...] = ()
    """Sentences for a person: what was not graded, and what to beware of."""
    sagittal: SagittalView | None = None
    """None where no sagittal series told the levels."""

    def slice_grade(self, key: SliceKey) -> SliceGrade:
        """Return the grade of one slice.

        Raises
        ------
        KeyError
            The slice was not graded.
        """
        for slice_grade in self.slices:
            if slice_grade.key == key:
                return slice_grade
        raise KeyError(key)


FIRST_LINES: Mapping[Basis, str] = {
    Basis.PHANTOM: (
        "Graded by a model trained on a computer-made phantom only: "
        "a software check, not a clinical result."
    ),
    Basis.UNEVALUATED: (
        "Graded by a model that no site has evaluated: "
        "an experiment, not a clinical result."
    ),
    Basis.SITE: (
        "Graded by a model whose basis is this site's own evaluation: "
        "not a medical device, not verified by a physician."
    ),
}
"""The first line of every output, whoever prints it."""


def quoted(description: str) -> str:
    """Return a header's free text as notes quote it, so that quoting notes are told."""
    return f"'{description}'"


def mean_grading(gradings: Sequence[Grading]) -> Grading:
    """Average the probabilities of at least one slice into those of a level.

    Temperature and threshold are those of the first: one bundle has one of each.

    Raises
    ------
    ValueError
        There is nothing to average.
    """
    if not gradings:
        raise ValueError("a level needs at least one graded slice")
    columns = zip(*(grading.probabilities for grading in gradings), strict=True)
    p0, p1, p2, p3 = (sum(column) / len(gradings) for column in columns)
    return replace(gradings[0], probabilities=(p0, p1, p2, p3))
