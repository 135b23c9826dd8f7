"""What is true of one study, as JSON beside its images.

The document is a `StudyTruth`; names in JSON are those of the dataclasses. Lengths
are in mm, points in the patient's coordinates (LPS), pixels counted from 0 at the
centre of the first one. A grade is null where a plane shows no disc, a gap where
there is nothing to measure it to. Levels are counted up from the sacrum, whatever
the number of lumbar vertebrae.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from grading.grades import Finding, Grade, Level
from grading.phantom.measure import RootTruth
from grading.phantom.section.anatomy import Zone
from grading.phantom.spine.cut import Vector
from grading.phantom.studies.habits import Role

FORMAT = "lumbar-phantom-study/1"
"""Changes whenever a reader of the last one would go wrong."""
BOX_MM = 54.0
"""Side of the square around canal and recesses."""
DECIMALS = 4

Grades = Mapping[Finding, Grade]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one plane through a disc; see `measure.SliceTruth`."""

    grades: Grades
    off_centre_mm: float
    facet_line_mm: float
    """D."""
    herniation_mm: float
    """h."""
    herniation_share: float
    """r = h / D."""
    anterior_fluid_mm: float
    aggregation: float
    fluid_share: float
    sac_area_mm2: float
    right: RootTruth
    left: RootTruth


@dataclass(frozen=True, slots=True)
class HerniationTruth:
    """A herniation as it was drawn."""

    side: str
    """``right`` or ``left`` of the midline, of the patient."""
    zone: Zone | None
    """MSU: A central, B lateral, C foraminal."""
    form: str
    """``protrusion`` or ``extrusion``."""
    x_mm: float
    """From the midline, positive to the left."""
    height_mm: float
    """Past the disc's margin."""
    base_mm: float


@dataclass(frozen=True, slots=True)
class LevelTruth:
    """One disc."""

    level: Level
    wanted: Grades | None
    """What the level was drawn for; null where nothing was asked."""
    measured: Measured | None
    """On the plane through the disc's middle."""
    herniation: HerniationTruth | None
    disc_margin_lps_mm: Vector
    """Midpoint of the posterior margin, on the anterior wall of the canal."""
    disc_centre_lps_mm: Vector
    normal: Vector
    """Unit vector towards the head."""


@dataclass(frozen=True, slots=True)
class LandmarkTruth:
    """A point on or near an image."""

    name: str
    level: Level
    row: float
    column: float
    lps_mm: Vector
    off_plane_mm: float
    """Along the image's normal; 0 on the plane itself."""


@dataclass(frozen=True, slots=True)
class BoxTruth:
    """A square of `BOX_MM` midway between sac centre and disc margin, in pixels."""

    first_row: float
    first_column: float
    last_row: float
    last_column: float


@dataclass(frozen=True, slots=True)
class ImageTruth:
    """One image: one frame of one object."""

    file: str
    """Within the study's folder."""
    series_instance_uid: str
    sop_instance_uid: str
    frame: int
    role: Role
    level: Level | None
    """The disc that the image's central plane passes through, if it is axial."""
    through_disc: bool
    measured: Measured | None
    box: BoxTruth | None
    landmarks: tuple[LandmarkTruth, ...]


@dataclass(frozen=True, slots=True)
class StudyTruth:
    """The whole document."""

    notice: str
    format: str
    generator_version: str
    seed: int
    study: int
    """Number within the set, from 1."""
    domain: str
    prevalence: str
    manner: str
    field_tesla: float
    study_instance_uid: str
    lumbar_vertebrae: int
    levels_counted_from: str
    levels: tuple[LevelTruth, ...]
    """Cranial to caudal."""
    images: tuple[ImageTruth, ...]


def as_json(truth: StudyTruth) -> str:
    """Return the document; its first line says what the study is."""
    lines = json.dumps(_rounded(asdict(truth)), indent=1, ensure_ascii=False)
    return lines.replace("{\n", "{", 1) + "\n"


def _rounded(value: Any) -> Any:
    """Return the value with rounded floats, and null for what JSON cannot say."""
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
