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
from grading.phantom.checks import check_ranges, check_sum

GENERATOR_VERSION = "3d-3"
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

    def __post_init__(self) -> None:
        """Refuse dimensions that nothing can be drawn from."""
        check_ranges(self, signed=("outline_mm",))


LEVELS: Mapping[Level, LevelDimensions] = {
    Level.T12_L1: LevelDimensions(44, 32, 1.5, 22.0, 25.0, 15, 18, 3.0, (0, 1.5), 25),
    Level.L1_L2: LevelDimensions(46, 33, 1.5, 24.5, 27.2, 15, 19, 3.19, (0, 2), 27),
    Level.L2_L3: LevelDimensions(48, 34, 1.5, 24.5, 27.2, 15, 18, 3.19, (0, 2), 30),
    Level.L3_L4: LevelDimensions(50, 35, 1.0, 24.5, 27.2, 14, 18, 3.38, (0, 2), 35),
    Level.L4_L5: LevelDimensions(52, 36, 0.0, 22.9, 27.1, 14, 17, 3.71, (0, 2.5), 42),
    Level.L5_S1: LevelDimensions(52, 35, -1.0, 20.4, 26.5, 13, 15, 3.64, (2, 8), 50),
}
"""The five levels that a slab is planned through."""

DISC_HEIGHT_MM: Mapping[Level, float] = {
    Level.T12_L1: 7.0,
    Level.L1_L2: 8.0,
    Level.L2_L3: 9.5,
    Level.L3_L4: 10.5,
    Level.L4_L5: 11.0,
    Level.L5_S1: 10.0,
}
"""Of healthy discs; a degenerate one keeps `DISC_HEIGHT_LEFT` of it."""
DISC_HEIGHT_LEFT = (0.5, 0.75)
HERNIATION_REACH_MM = (7.0, 14.0)
"""Up and down from the disc's middle; a choice."""
MIGRATION_MM = (8.0, 18.0)
"""Of extruded material, up or down; a choice."""
CONUS_ABOVE_L1_L2_MM = (7.0, 40.0)
DISC_SPACING_MM = (34.0, 38.0)
TILT_DEG: Mapping[Level, float] = {
    Level.T12_L1: -13.0,
    Level.L1_L2: -10.0,
    Level.L2_L3: -5.0,
    Level.L3_L4: 0.0,
    Level.L4_L5: 10.0,
    Level.L5_S1: 30.0,
}
"""How far a disc leans from the scanner's axial plane."""
TILT_VARIATION_DEG = (-5.0, 5.0)
LEAN_DEG = (-2.0, 2.0)
TURN_DEG = (-4.0, 4.0)
"""Of the whole spine on the table; a scoliosis adds to it."""
SCOLIOSIS_SHARE = 0.12
SCOLIOSIS_DEG = (6.0, 14.0)
"""Lean of one side of a curve: half of its Cobb angle."""
LUMBAR_VERTEBRAE = (4, 5, 6)
LUMBAR_VERTEBRAE_SHARES = (0.03, 0.94, 0.03)
"""Four or six in a few per cent of people; a choice within what is reported."""

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
ROOTLETS: Mapping[Level, Range] = {
    Level.T12_L1: (20, 24),
    Level.L1_L2: (19, 24),
    Level.L2_L3: (18, 23),
    Level.L3_L4: (17, 22),
    Level.L4_L5: (15, 20),
    Level.L5_S1: (14, 17),
}
"""Fewer towards the sacrum; all within `ROOTLET_COUNT`."""
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
    0: (100.0, 260.0),
    1: (78.0, 155.0),
    2: (56.0, 120.0),
    3: (30.0, 90.0),
}
"""Drawn by LCCS grade; the ranges overlap so that area alone does not tell."""

WARP_LENGTH_MM = (45.0, 90.0)
"""Far longer than the canal's structures, so that their relations survive."""
POSE_ROTATION_DEG = (-10.0, 10.0)
OFF_CENTRE_DEVIATION_MM = 2.5
OFF_CENTRE_LIMIT_MM = 8.0
"""How far a technologist's slab centre lies from the canal, per axis."""
WARP_MM = (0.5, 1.0)
CORTEX_MM = (1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Signal:
    """Tissue values over the reference's; each a draw range.

    The reference is the cerebrospinal fluid of T2-weighted images, and fat elsewhere.
    """

    fluid: Range = (0.85, 1.0)
    grey_fluid: Range = (0.5, 0.85)
    """Of the sacs that lost signal to flow."""
    bright_disc: Range = (0.40, 0.65)
    intermediate_disc: Range = (0.18, 0.30)
    dark_disc: Range = (0.08, 0.18)
    annulus: Range = (0.04, 0.14)
    marrow: Range = (0.35, 0.60)
    nerve: Range = (0.25, 0.45)
    cord: Range = (0.30, 0.42)
    fat: Range = (0.75, 1.05)
    muscle: Range = (0.12, 0.22)
    ligament: Range = (0.04, 0.14)
    cortex: Range = (0.0, 0.06)
    vein: Range = (0.45, 0.95)
    cartilage: Range = (0.10, 0.30)
    joint_fluid: Range = (0.5, 1.0)
    faint_herniation: Range = (0.10, 0.20)
    bright_herniation: Range = (0.28, 0.40)
    skin: Range = (0.05, 0.20)
    kidney: Range = (0.35, 0.65)
    liver: Range = (0.10, 0.25)
    bowel: Range = (0.20, 0.60)
    grey_fluid_share: float = 0.35
    fluid_like_fat_share: float = 0.25
    """Of the studies whose epidural fat is as bright or as grey as the sac."""
    flow_loss: Range = (0.0, 0.4)
    """Of the fluid's signal, in patches."""
    slow_blood: Range = (0.2, 0.6)
    slow_blood_share: float = 0.12
    """Of the large vessels that are no flow void."""

    def __post_init__(self) -> None:
        """Refuse values that nothing can be drawn from."""
        check_ranges(self)


@dataclass(frozen=True, slots=True)
class Flesh:
    """What patients differ by, whatever the sequence."""

    random_share: float = 0.2
    """Of the patients whose tissues follow no physics, only the ranges."""
    muscle_fat_share: Range = (0.05, 0.5)
    marrow_fat_share: Range = (0.3, 0.6)
    """Of the marrow's signal: it shifts with the fat."""
    texture: Range = (0.05, 0.10)
    """Deviation of the signal inside a tissue."""

    def __post_init__(self) -> None:
        """Refuse values that nothing can be drawn from."""
        check_ranges(self)


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the scanner adds."""

    field_of_view_mm: Range = (150.0, 300.0)
    matrices: tuple[int, ...] = (256, 320, 384, 512)
    matrix_shares: tuple[float, ...] = (0.35, 0.4, 0.15, 0.1)
    spacing_mm: Range = (0.3, 0.7)
    noise: Range = (0.012, 0.05)
    """Standard deviation at the canal over the reference's signal, at 1.5 T."""
    coil_reach_mm: Range = (55.0, 120.0)
    """Over which the coil behind the patient loses all but 1/e of its sensitivity."""
    bias: Range = (0.0, 0.3)
    """Amplitude of the cubic polynomial over the coil's fall-off."""
    evened_share: float = 0.35
    """Of the series whose scanner evens the coil's fall-off out, noise and all."""
    phase_share: Range = (0.6, 1.0)
    interpolation: Range = (1.0, 2.0)
    apodised_share: float = 0.6
    blur_pixels: Range = (0.0, 0.5)
    ghost_probability: float = 0.15
    pulsation_probability: float = 0.15
    motion_probability: float = 0.1
    chemical_shift_probability: float = 0.3
    saturation_probability: float = 0.5
    """Of a dark band in front of the spine, laid there against ghosts of the belly."""
    crosstalk_probability: float = 0.06
    """Of a dark band behind it, where slabs cross."""
    trimmed_probability: float = 0.25
    """Of black rims, which the correction of distortion leaves."""
    gamma: Range = (0.7, 1.4)
    largest_value: Range = (600.0, 2500.0)
    full_range_share: float = 0.1
    """Of the series that use all twelve bits."""

    def __post_init__(self) -> None:
        """Refuse what no scanner can do, such as a pixel that no matrix has."""
        check_ranges(self)
        check_sum(self, "matrix_shares")
        for matrix in self.matrices:
            smallest, largest = (side / matrix for side in self.field_of_view_mm)
            if max(smallest, self.spacing_mm[0]) > min(largest, self.spacing_mm[1]):
                raise ValueError(
                    f"Acquisition.spacing_mm is {self.spacing_mm}: with a matrix of "
                    f"{matrix} a field of view of {self.field_of_view_mm} mm has "
                    f"pixels of {smallest:.2f} to {largest:.2f} mm"
                )


SIGNALS: Mapping[Domain, Signal] = {
    Domain.INTERNAL: Signal(),
    Domain.EXTERNAL: Signal(
        fluid=(0.8, 1.0),
        bright_disc=(0.32, 0.55),
        nerve=(0.28, 0.5),
        fat=(0.85, 1.15),
        muscle=(0.14, 0.28),
        grey_fluid_share=0.4,
    ),
}
"""Of T2-weighted images."""
T1_SIGNAL = Signal(
    fluid=(0.10, 0.28),
    grey_fluid=(0.10, 0.28),
    bright_disc=(0.30, 0.48),
    intermediate_disc=(0.30, 0.48),
    dark_disc=(0.26, 0.42),
    annulus=(0.20, 0.36),
    marrow=(0.45, 0.85),
    nerve=(0.26, 0.45),
    cord=(0.28, 0.45),
    fat=(0.9, 1.1),
    muscle=(0.28, 0.48),
    ligament=(0.08, 0.24),
    vein=(0.2, 0.5),
    cartilage=(0.2, 0.4),
    joint_fluid=(0.12, 0.3),
    faint_herniation=(0.26, 0.38),
    bright_herniation=(0.34, 0.48),
    skin=(0.2, 0.4),
    kidney=(0.35, 0.55),
    liver=(0.38, 0.6),
    bowel=(0.25, 0.55),
)
"""Of T1-weighted images and localizers, in both domains; choices."""
FLESH: Mapping[Domain, Flesh] = {
    Domain.INTERNAL: Flesh(),
    Domain.EXTERNAL: Flesh(muscle_fat_share=(0.2, 0.6), marrow_fat_share=(0.45, 0.7)),
}
ACQUISITIONS: Mapping[Domain, Acquisition] = {
    Domain.INTERNAL: Acquisition(),
    Domain.EXTERNAL: Acquisition(
        field_of_view_mm=(180.0, 300.0),
        matrices=(256, 320, 512),
        matrix_shares=(0.5, 0.4, 0.1),
        spacing_mm=(0.5, 0.78),
        noise=(0.03, 0.07),
        coil_reach_mm=(45.0, 90.0),
        bias=(0.2, 0.5),
        evened_share=0.15,
        phase_share=(0.55, 0.9),
        blur_pixels=(0.2, 0.8),
        gamma=(0.6, 1.5),
    ),
}
