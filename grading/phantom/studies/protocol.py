"""Plan the series of one study on a spine, as a technologist does at the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from grading.grades import Level
from grading.phantom.ranges import (
    ACQUISITIONS,
    OFF_CENTRE_DEVIATION_MM,
    OFF_CENTRE_LIMIT_MM,
    POSE_ROTATION_DEG,
    Acquisition,
    Domain,
    Range,
)
from grading.phantom.spine.cut import Points
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.studies import habits
from grading.phantom.studies.habits import HABITS, Habits, Role
from grading.phantom.studies.stacks import (
    LEFT,
    UP,
    Pixels,
    Stack,
    axial_frame,
    coronal_frame,
    sagittal_frame,
    stack,
)

LUMBAR: tuple[Level, ...] = tuple(level for level in Level if level is not Level.T12_L1)
CANAL_Y_MM = 4.0
"""Behind the discs' margin: where a technologist sees the canal's middle."""
BODY_Y_MM = -15.0
"""Within the vertebral bodies: the middle of sagittal and coronal images."""
BLOCK_ABOVE_MM = 20.0
"""From the disc L2/L3 up into the vertebra L2."""
BLOCK_BELOW_MM = 15.0
"""From the disc L5/S1 down into S1."""
T11_ABOVE_MM = 45.0
"""From the disc T12/L1 to the middle of T11."""
S2_BELOW_MM = 50.0
"""From the disc L5/S1 to the middle of S2."""

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """One series: where its images lie and how thick they are."""

    role: Role
    stacks: tuple[Stack, ...]
    """Slabs are cranial to caudal."""
    thickness_mm: float
    spacing_mm: float
    """From the centre of one slice to that of the next in its stack."""


def plan_series(
    spine: Spine, domain: Domain, rng: np.random.Generator
) -> tuple[SeriesPlan, ...]:
    """Plan the five series of a study, in the order in which they are scanned."""
    planning = _Planning(spine, HABITS[domain], ACQUISITIONS[domain], rng)
    sagittal = planning.sagittal()
    slabbed = planning.happens(planning.habits.slab_share)
    axial = planning.slabs() if slabbed else planning.block()
    copied = not slabbed or planning.happens(habits.SAME_T1_SHARE)
    axial_t1 = axial if copied else planning.block()
    return (
        planning.localizer(),
        sagittal,
        replace(sagittal, role=Role.SAGITTAL_T1),
        axial,
        replace(axial_t1, role=Role.AXIAL_T1),
    )


def draw_pixels(acquisition: Acquisition, rng: np.random.Generator) -> Pixels:
    """Draw a matrix and a pixel whose field of view is one that scanners use."""
    side = int(rng.choice(acquisition.matrices, p=acquisition.matrix_shares))
    smallest = acquisition.field_of_view_mm[0] / side
    largest = acquisition.field_of_view_mm[1] / side
    spacing_mm = rng.uniform(
        max(smallest, acquisition.spacing_mm[0]),
        min(largest, acquisition.spacing_mm[1]),
    )
    return Pixels(side, _rounded(spacing_mm))


def draw_one(shares: Mapping[Choice, float], rng: np.random.Generator) -> Choice:
    """Draw one of several choices by their shares."""
    return list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]


@dataclass(frozen=True, slots=True)
class _Planning:
    """One spine on the table, and the habits of who scans it."""

    spine: Spine
    habits: Habits
    acquisition: Acquisition
    rng: np.random.Generator

    def slabs(self) -> SeriesPlan:
        """Lay slices along each disc, at one thickness throughout."""
        five = self.happens(self.habits.five_levels_share)
        levels = LUMBAR if five else LUMBAR[-3:]
        thickness_mm = float(self.rng.choice(self.habits.slab_thickness_mm))
        step_mm = round(thickness_mm + self.uniform(self.habits.slab_gap_mm), 2)
        count = draw_one(self.habits.slices_per_slab, self.rng)
        pixels = draw_pixels(self.acquisition, self.rng)
        turn_deg, forward_mm = self._turn_deg(), self._forward_mm(pixels)
        stacks = []
        for space in self.spine.discs:
            if space.level in levels:
                frame = axial_frame(self._slab_normal(space), turn_deg)
                centre = self._centre(CANAL_Y_MM - forward_mm, space.s_mm)
                stacks.append(stack(frame, centre, pixels, count, step_mm))
        return SeriesPlan(Role.AXIAL_T2, tuple(stacks), thickness_mm, step_mm)

    def block(self) -> SeriesPlan:
        """Lay one stack from L2 to S1, across the table or slightly tilted."""
        untilted = self.happens(habits.UNTILTED_SHARE)
        tilt_deg = 0.0 if untilted else self.uniform(habits.BLOCK_TILT_DEG)
        normal = _tilted(UP, tilt_deg)
        top = self._at(0.0, self.place(Level.L2_L3) + BLOCK_ABOVE_MM)
        bottom = self._at(0.0, self.place(Level.L5_S1) - BLOCK_BELOW_MM)
        thickness_mm, step_mm, count = self._block_slices(
            float((top - bottom) @ normal)
        )
        pixels = draw_pixels(self.acquisition, self.rng)
        frame = axial_frame(normal, self._turn_deg())
        middle_s_mm = (self.place(Level.L2_L3) + self.place(Level.L5_S1)) / 2
        centre = self._centre(CANAL_Y_MM - self._forward_mm(pixels), middle_s_mm)
        centre = _slid(centre, normal, (top + bottom) / 2)
        one = stack(frame, centre, pixels, count, step_mm)
        return SeriesPlan(Role.AXIAL_T2, (one,), thickness_mm, step_mm)

    def sagittal(self) -> SeriesPlan:
        """Lay a stack along the spine, from T11 to S2 on its image."""
        top = self._at(BODY_Y_MM, self.place(Level.T12_L1) + T11_ABOVE_MM)
        bottom = self._at(BODY_Y_MM, self.place(Level.L5_S1) - S2_BELOW_MM)
        pixels = self._sagittal_pixels(float((top - bottom) @ UP))
        thickness_mm = float(self.rng.choice(self.habits.sagittal_thickness_mm))
        step_mm = round(thickness_mm + self.uniform(self.habits.sagittal_gap_mm), 2)
        count = int(self.rng.integers(*self.habits.sagittal_slices, endpoint=True))
        # Across the spine the stack follows L1 to S1; along it, all that it shows.
        upper = self._at(BODY_Y_MM, self.place(Level.L1_L2))
        lower = self._at(BODY_Y_MM, self.place(Level.L5_S1))
        frame = sagittal_frame(upper - lower)
        along = -np.array(frame.along_column)
        centre = _slid((upper + lower) / 2, along, (top + bottom) / 2)
        one = stack(frame, centre, pixels, count, step_mm)
        return SeriesPlan(Role.SAGITTAL_T2, (one,), thickness_mm, step_mm)

    def localizer(self) -> SeriesPlan:
        """Lay a few coarse slices in each of the three planes."""
        pixels = self._square(
            self.uniform(habits.LOCALIZER_FIELD_OF_VIEW_MM), habits.LOCALIZER_MATRIX
        )
        count = int(self.rng.integers(*habits.LOCALIZER_SLICES, endpoint=True))
        step_mm = round(self.uniform(habits.LOCALIZER_SPACING_MM), 1)
        centre = self._centre(BODY_Y_MM, self.place(Level.L3_L4))
        frames = (sagittal_frame(UP), coronal_frame(), axial_frame(UP))
        return SeriesPlan(
            Role.LOCALIZER,
            tuple(stack(frame, centre, pixels, count, step_mm) for frame in frames),
            habits.LOCALIZER_THICKNESS_MM,
            step_mm,
        )

    def place(self, level: Level) -> float:
        """Return where a disc lies along the spine, in mm."""
        return next(disc.s_mm for disc in self.spine.discs if disc.level is level)

    def happens(self, share: float) -> bool:
        """Return True in this share of the studies."""
        return bool(self.rng.random() < share)

    def uniform(self, limits: Range) -> float:
        """Draw from a range."""
        return float(self.rng.uniform(*limits))

    def _slab_normal(self, space: DiscSpace) -> Points:
        """Return the disc's direction as well as a technologist meets it.

        On a sagittal image the tilt is seen; of the lean to a side a part is met.
        """
        along = self.spine.axis.direction(space.s_mm)
        followed = self.rng.random()
        normal = along - (1 - followed) * (along @ LEFT) * LEFT
        return _tilted(normal, self.uniform(habits.PLANNING_ERROR_DEG))

    def _block_slices(self, length_mm: float) -> tuple[float, float, int]:
        """Return thickness, spacing and number of the slices of so long a block."""
        thickness_mm = round(self.uniform(self.habits.block_thickness_mm), 1)
        spacing_mm = thickness_mm + self.uniform(self.habits.slab_gap_mm)
        fewest, most = self.habits.block_slices
        count = int(np.clip(length_mm / spacing_mm, fewest, most))
        return thickness_mm, round(max(spacing_mm, length_mm / most), 2), count

    def _sagittal_pixels(self, height_mm: float) -> Pixels:
        """Draw a field of view that is high enough where the scanner has one."""
        lowest_mm, highest_mm = self.habits.sagittal_field_of_view_mm
        enough_mm = min(highest_mm, max(lowest_mm, height_mm))
        side = int(self.rng.choice(self.habits.sagittal_matrices))
        return self._square(self.uniform((enough_mm, highest_mm)), side)

    def _turn_deg(self) -> float:
        turned = self.happens(habits.TURNED_SHARE)
        return self.uniform(POSE_ROTATION_DEG) if turned else 0.0

    def _forward_mm(self, pixels: Pixels) -> float:
        surplus = pixels.side * pixels.spacing_mm - habits.FORWARD_FROM_MM
        return self.uniform((0.0, max(0.0, surplus / 2)))

    def _at(self, y_mm: float, s_mm: float) -> Points:
        """Return a point of the midline, LPS in mm."""
        return self.spine.axis.locate(0.0, y_mm, s_mm)

    def _centre(self, y_mm: float, s_mm: float) -> Points:
        """Return a point of the midline, missed by as much as people miss it."""
        limit = OFF_CENTRE_LIMIT_MM
        missed = self.rng.normal(0.0, OFF_CENTRE_DEVIATION_MM, 2).clip(-limit, limit)
        centre: Points = self._at(y_mm, s_mm) + np.array([*missed, 0.0])
        return centre

    def _square(self, field_of_view_mm: float, side: int) -> Pixels:
        return Pixels(side, _rounded(field_of_view_mm / side))


def _tilted(direction: Points, angle_deg: float) -> Points:
    """Return the direction leant forwards, as a disc at L5/S1 is."""
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    left, back, up = direction
    return np.array([left, cosine * back - sine * up, sine * back + cosine * up])


def _slid(point: Points, along: Points, to: Points) -> Points:
    """Return the point moved along a direction until it is beside another."""
    moved: Points = point + ((to - point) @ along) * along
    return moved


def _rounded(length_mm: float) -> float:
    """Return a length as consoles show it, to the tenth of a micrometre."""
    return round(float(length_mm), 4)
