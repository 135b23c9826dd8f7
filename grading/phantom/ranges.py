"""What the phantom draws from: dimensions by level, tissues, acquisition.

Frame of every length: x towards the patient's left, y towards the back, origin
at the midpoint of the posterior disc margin without its herniation.

Dimensions and signal values are the ones collected in ``docs/phantom.md`` with
their sources. They are fixed before a training; a change is a new
`GENERATOR_VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from grading.grades import Level

GENERATOR_VERSION = "2d-1"
"""Changes whenever the same seed would give another slice."""


class Domain(StrEnum):
    """Which population and scanner: the training's, or one it has never seen."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class Prevalence(StrEnum):
    """How often each grade occurs."""

    BALANCED = "balanced"
    PAPER = "paper"
    """The internal test set of Su et al. 2022, Table 2."""


Range = tuple[float, float]
"""Lowest and highest, both included."""


@dataclass(frozen=True, slots=True)
class LevelDimensions:
    """Mean dimensions of one level, in mm; standard deviations are common."""

    disc_width_mm: float
    disc_depth_mm: float
    outline_mm: float
    """Concave margins are positive, convex ones negative."""
    canal_depth_mm: float
    canal_width_mm: float
    sac_depth_mm: float
    sac_width_mm: float
    flavum_mm: float
    anterior_fat_mm: Range
    joint_angle_deg: float
    """Of the facet joint to the sagittal plane."""


LEVELS: Mapping[Level, LevelDimensions] = {
    Level.L1_L2: LevelDimensions(46, 33, 1.5, 24.5, 27.2, 15, 19, 3.19, (0, 2), 27),
    Level.L2_L3: LevelDimensions(48, 34, 1.5, 24.5, 27.2, 15, 18, 3.19, (0, 2), 30),
    Level.L3_L4: LevelDimensions(50, 35, 1.0, 24.5, 27.2, 14, 18, 3.38, (0, 2), 35),
    Level.L4_L5: LevelDimensions(52, 36, 0.0, 22.9, 27.1, 14, 17, 3.71, (0, 2.5), 42),
    Level.L5_S1: LevelDimensions(52, 35, -1.0, 20.4, 26.5, 13, 15, 3.64, (2, 8), 50),
}
"""The five levels that a slab is planned through."""

DISC_WIDTH_DEVIATION_MM = 4.0
DISC_DEPTH_DEVIATION_MM = 3.0
CANAL_DEVIATION_MM = 2.1
SAC_DEVIATION_MM = 2.0
LEVEL_SCALE = (0.9, 1.1)
ASYMMETRY = (0.97, 1.08)
"""One side over the other."""

FACET_EDGE_X_MM = (7.0, 11.0)
FACET_LINE_MM = (10.0, 16.0)
"""Distance D from the disc margin to the intra-facet line."""
NARROWEST_CANAL_DEPTH_MM = 13.0
JOINT_LENGTH_MM = (15.0, 18.0)
JOINT_GAP_MM = (2.0, 3.0)
FLAVUM_DEVIATION_MM = 0.27
THICKENED_FLAVUM_MM = (4.0, 7.0)
BULGE_MM = (0.0, 1.5)
HERNIATION_BASE_MM = (6.0, 14.0)

ROOT_X_MM = (8.0, 11.0)
ROOT_Y_MM = (3.0, 6.0)
ROOT_DIAMETER_MM = (3.0, 4.0)
ROOTLET_COUNT = (14, 24)
ROOTLET_DIAMETER_MM = (0.8, 1.4)
POSTERIOR_FAT_DEPTH_MM = (4.0, 8.0)
POSTERIOR_FAT_WIDTH_MM = (8.0, 12.0)

HERNIATION_SHARE: Mapping[int, Range] = {
    0: (0.0, 0.03),
    1: (0.12, 0.46),
    2: (0.54, 0.96),
    3: (1.04, 1.5),
}
"""Height over D, drawn by LDH grade; the gaps keep grades apart."""

SAC_AREA_MM2: Mapping[int, Range] = {
    0: (120.0, 260.0),
    1: (90.0, 140.0),
    2: (65.0, 105.0),
    3: (30.0, 75.0),
}
"""Drawn by LCCS grade; the ranges overlap so that area alone does not tell."""

POSE_ROTATION_DEG = (-10.0, 10.0)
OFF_CENTRE_DEVIATION_MM = 2.5
OFF_CENTRE_LIMIT_MM = 8.0
"""How far a technologist's slab centre lies from the canal, per axis."""
WARP_MM = (0.5, 1.0)
CORTEX_MM = (1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Signal:
    """Tissue values over cerebrospinal fluid of the physics; each a draw range."""

    fluid: Range = (0.85, 1.0)
    grey_fluid: Range = (0.6, 0.85)
    """Of the sacs that lost signal to flow."""
    bright_disc: Range = (0.40, 0.65)
    intermediate_disc: Range = (0.18, 0.30)
    dark_disc: Range = (0.08, 0.18)
    marrow: Range = (0.35, 0.60)
    nerve: Range = (0.25, 0.45)
    fat: Range = (0.75, 1.05)
    muscle: Range = (0.12, 0.22)
    ligament: Range = (0.04, 0.14)
    cortex: Range = (0.0, 0.06)
    joint_fluid: Range = (0.5, 1.0)
    herniation: Range = (0.10, 0.40)
    grey_fluid_share: float = 0.3
    muscle_fat_share: Range = (0.05, 0.5)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the scanner adds."""

    field_of_view_mm: Range = (150.0, 300.0)
    matrices: tuple[int, ...] = (256, 320, 384, 512)
    matrix_shares: tuple[float, ...] = (0.35, 0.4, 0.15, 0.1)
    spacing_mm: Range = (0.3, 0.7)
    noise: Range = (0.012, 0.05)
    """Standard deviation over the fluid's signal."""
    bias: Range = (0.0, 0.3)
    """Amplitude of the cubic polynomial over the coil's fall-off."""
    phase_share: Range = (0.6, 1.0)
    interpolation: Range = (1.0, 2.0)
    ghost_probability: float = 0.15
    motion_probability: float = 0.1
    chemical_shift_probability: float = 0.3
    gamma: Range = (0.7, 1.4)
    largest_value: Range = (600.0, 2500.0)


SIGNALS: Mapping[Domain, Signal] = {
    Domain.INTERNAL: Signal(),
    Domain.EXTERNAL: Signal(
        fluid=(0.8, 1.0),
        bright_disc=(0.32, 0.55),
        nerve=(0.28, 0.5),
        fat=(0.85, 1.15),
        muscle=(0.14, 0.28),
        grey_fluid_share=0.4,
        muscle_fat_share=(0.2, 0.6),
    ),
}
ACQUISITIONS: Mapping[Domain, Acquisition] = {
    Domain.INTERNAL: Acquisition(),
    Domain.EXTERNAL: Acquisition(
        field_of_view_mm=(180.0, 300.0),
        matrices=(256, 320, 512),
        matrix_shares=(0.5, 0.4, 0.1),
        spacing_mm=(0.5, 0.78),
        noise=(0.03, 0.07),
        bias=(0.2, 0.5),
        phase_share=(0.55, 0.9),
        gamma=(0.6, 1.5),
    ),
}
