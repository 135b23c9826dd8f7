"""What imaging departments do: protocols, scanners and file formats, as ranges.

Fixed before a training, like `grading.phantom.ranges`; a change is a new
`GENERATOR_VERSION`. Values without a source are choices within what the public
studies and the usual protocols of lumbar MRI show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from grading.phantom.ranges import Domain, Range


class Role(StrEnum):
    """What a series of the study is for; also the name of its folder."""

    LOCALIZER = "localizer"
    SAGITTAL_T2 = "sagittal_t2"
    SAGITTAL_T1 = "sagittal_t1"
    AXIAL_T2 = "axial_t2"
    AXIAL_T1 = "axial_t1"


class Syntax(StrEnum):
    """How pixels and dataset are encoded; every one is lossless."""

    EXPLICIT = "explicit VR little endian"
    IMPLICIT = "implicit VR little endian"
    RLE = "RLE"
    JPEG_LS = "JPEG-LS"


@dataclass(frozen=True, slots=True)
class Times:
    """What a pulse sequence's times are drawn from."""

    repetition_ms: Range
    echo_ms: Range
    echo_train: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Habits:
    """How a population of departments scans."""

    t2: Times
    t1: Times
    manners: Mapping[str, float]
    """Share of each manner of writing headers, by its letter."""
    slab_share: float
    """Of the studies whose axial T2-weighted series is angled to the discs."""
    five_levels_share: float
    """Of the slabbed studies; the others image the lowest three discs."""
    slices_per_slab: Mapping[int, float]
    slab_thickness_mm: tuple[float, ...]
    slab_gap_mm: Range
    block_slices: tuple[int, int]
    block_thickness_mm: Range
    sagittal_slices: tuple[int, int]
    sagittal_thickness_mm: tuple[float, ...]
    sagittal_gap_mm: Range
    sagittal_field_of_view_mm: Range
    sagittal_matrices: tuple[int, ...]
    enhanced_share: float
    """Of the studies whose scanner can write Enhanced MR."""
    syntaxes: Mapping[Syntax, float]


LOCALIZER_TIMES = Times((8.0, 20.0), (3.0, 5.0), (1, 1))
LOW_FIELD_T1 = Times((420.0, 600.0), (15.0, 25.0), (1, 3))
"""Below `LOW_FIELD_TESLA`, where T1 is short and the bandwidth narrow."""
LOW_FIELD_TESLA = 0.5

LOCALIZER_SLICES = (3, 5)
LOCALIZER_FIELD_OF_VIEW_MM = (380.0, 450.0)
LOCALIZER_MATRIX = 256
LOCALIZER_THICKNESS_MM = 8.0
LOCALIZER_SPACING_MM = (12.0, 20.0)

PLANNING_ERROR_DEG = (-3.0, 3.0)
"""Between a slab and the disc that it is angled to."""
BLOCK_TILT_DEG = (-5.0, 10.0)
UNTILTED_SHARE = 0.6
"""Of the blocks."""
TURNED_SHARE = 0.3
"""Of the axial series turned within their plane, up to `POSE_ROTATION_DEG`."""
SAME_T1_SHARE = 0.5
"""Of the slabbed studies whose T1-weighted series copies the slabs."""
FORWARD_FROM_MM = 170.0
"""Larger axial fields of view are moved forwards, off the air behind the back."""

INTERNAL_HABITS = Habits(
    t2=Times((3000.0, 4500.0), (94.0, 120.0), (12, 21)),
    t1=Times((480.0, 720.0), (8.0, 14.0), (2, 4)),
    manners={"A": 0.3, "B": 0.25, "C": 0.2, "E": 0.15, "F": 0.1},
    slab_share=0.7,
    five_levels_share=0.6,
    slices_per_slab={3: 0.6, 4: 0.2, 5: 0.2},
    slab_thickness_mm=(3.0, 3.5, 4.0, 4.0, 4.0, 4.5, 5.0),
    slab_gap_mm=(0.3, 0.5),
    block_slices=(18, 26),
    block_thickness_mm=(4.0, 5.0),
    sagittal_slices=(9, 15),
    sagittal_thickness_mm=(4.0, 4.0, 4.5),
    sagittal_gap_mm=(0.4, 0.8),
    sagittal_field_of_view_mm=(260.0, 320.0),
    sagittal_matrices=(320, 384, 448, 512),
    enhanced_share=0.3,
    syntaxes={
        Syntax.EXPLICIT: 0.7,
        Syntax.IMPLICIT: 0.1,
        Syntax.RLE: 0.1,
        Syntax.JPEG_LS: 0.1,
    },
)
EXTERNAL_HABITS = Habits(
    t2=Times((2400.0, 3400.0), (76.0, 93.0), (9, 16)),
    t1=Times((500.0, 800.0), (10.0, 18.0), (2, 4)),
    manners={"B": 0.15, "C": 0.15, "D": 0.4, "E": 0.2, "F": 0.1},
    slab_share=0.5,
    five_levels_share=0.4,
    slices_per_slab={3: 0.4, 4: 0.3, 5: 0.3},
    slab_thickness_mm=(4.0, 4.5, 5.0, 5.0),
    slab_gap_mm=(0.3, 1.0),
    block_slices=(18, 26),
    block_thickness_mm=(4.0, 5.0),
    sagittal_slices=(9, 13),
    sagittal_thickness_mm=(4.0, 4.5, 5.0),
    sagittal_gap_mm=(0.4, 1.0),
    sagittal_field_of_view_mm=(280.0, 320.0),
    sagittal_matrices=(320, 512),
    enhanced_share=0.3,
    syntaxes={
        Syntax.EXPLICIT: 0.6,
        Syntax.IMPLICIT: 0.2,
        Syntax.RLE: 0.1,
        Syntax.JPEG_LS: 0.1,
    },
)
HABITS: Mapping[Domain, Habits] = {
    Domain.INTERNAL: INTERNAL_HABITS,
    Domain.EXTERNAL: EXTERNAL_HABITS,
}
