"""How one patient lies: where the discs are along the spine, and how it bends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from grading.grades import Level
from grading.phantom.ranges import (
    DISC_HEIGHT_MM,
    DISC_SPACING_MM,
    LEAN_DEG,
    LUMBAR_VERTEBRAE,
    LUMBAR_VERTEBRAE_SHARES,
    SCOLIOSIS_DEG,
    SCOLIOSIS_SHARE,
    TILT_DEG,
    TILT_VARIATION_DEG,
    TURN_DEG,
    WARP_LENGTH_MM,
    WARP_MM,
)
from grading.phantom.spine.axis import STEP_MM, Axis, Table, Wave, bent_axis

GRADED = tuple(Level)
"""Cranial to caudal."""
HEAD_MM = 150.0
"""How far the spine goes on above the highest disc that has a name."""
FEET_MM = 110.0
"""How far below L5/S1."""
SACRAL_TILT_DEG = (12.0, 22.0)
"""How much more the sacrum's second segment leans than the last disc."""
THORACIC_TILT_DEG = -16.0
SMOOTHING_MM = 24.0
SCOLIOSIS_LENGTH_MM = (180.0, 320.0)
TURN_PER_LEAN = 0.5
"""Vertebrae turn with a scoliosis, by about half of its lean; a choice."""
WAVES = 3


@dataclass(frozen=True, slots=True)
class Posture:
    """Where the discs lie, and the axis through them."""

    axis: Axis
    disc_s_mm: Mapping[Level, float]
    """Levels are counted up from the sacrum."""
    disc_height_mm: Mapping[Level, float]
    """Of a healthy disc at the middle of its posterior margin."""
    lumbar_vertebrae: int
    spacing_mm: float
    """Between the upper discs; the thoracic ones follow it."""


def draw_posture(rng: np.random.Generator) -> Posture:
    """Draw the discs' places and the bends between them; s is 0 at L3/L4."""
    spacing_mm = float(rng.uniform(*DISC_SPACING_MM))
    steps = spacing_mm * rng.uniform(0.96, 1.04, len(GRADED) - 1)
    places = np.concatenate([[0.0], -np.cumsum(steps)])
    places -= places[GRADED.index(Level.L3_L4)]
    disc_s_mm = {
        level: float(place) for level, place in zip(GRADED, places, strict=True)
    }
    taller = float(rng.uniform(0.9, 1.15))
    return Posture(
        axis=_draw_axis(disc_s_mm, rng),
        disc_s_mm=MappingProxyType(disc_s_mm),
        disc_height_mm=MappingProxyType(
            {level: taller * DISC_HEIGHT_MM[level] for level in GRADED}
        ),
        lumbar_vertebrae=int(
            rng.choice(LUMBAR_VERTEBRAE, p=np.array(LUMBAR_VERTEBRAE_SHARES))
        ),
        spacing_mm=spacing_mm,
    )


def _draw_axis(disc_s_mm: Mapping[Level, float], rng: np.random.Generator) -> Axis:
    lowest, highest = min(disc_s_mm.values()), max(disc_s_mm.values())
    s = np.arange(
        np.floor(lowest - FEET_MM), np.ceil(highest + HEAD_MM) + STEP_MM, STEP_MM
    )
    sway = _draw_scoliosis(s, rng)
    return bent_axis(
        s,
        tilt_deg=_draw_tilt(s, disc_s_mm, rng),
        lean_deg=float(rng.uniform(*LEAN_DEG)) + sway,
        turn_deg=float(rng.uniform(*TURN_DEG)) - TURN_PER_LEAN * sway,
        warp=tuple(_draw_wave(rng) for _ in range(WAVES)),
    )


def _draw_tilt(
    s: Table, disc_s_mm: Mapping[Level, float], rng: np.random.Generator
) -> Table:
    common = float(rng.uniform(-3, 3))
    at = [disc_s_mm[level] for level in GRADED]
    tilt = [
        TILT_DEG[level] + common + float(rng.uniform(*TILT_VARIATION_DEG))
        for level in GRADED
    ]
    sacral = tilt[-1] + float(rng.uniform(*SACRAL_TILT_DEG))
    knots = [at[-1] - 90, at[-1] - 40, *reversed(at), at[0] + 45]
    values = [sacral + 4, sacral, *reversed(tilt), THORACIC_TILT_DEG]
    return _smoothed(np.interp(s, knots, values))


def _draw_scoliosis(s: Table, rng: np.random.Generator) -> Table:
    pronounced = rng.random() < SCOLIOSIS_SHARE
    largest = float(rng.uniform(*SCOLIOSIS_DEG)) if pronounced else 3.0
    length_mm = float(rng.uniform(*SCOLIOSIS_LENGTH_MM))
    phase = float(rng.uniform(0, 2 * np.pi))
    sway: Table = (
        float(rng.uniform(-1, 1)) * largest * np.sin(2 * np.pi * s / length_mm + phase)
    )
    return sway


def _smoothed(values: Table) -> Table:
    """Round the corners off a table with a raised cosine."""
    half = int(SMOOTHING_MM / STEP_MM)
    window = np.hanning(2 * half + 1)
    padded = np.pad(values, half, mode="edge")
    smooth: Table = np.convolve(padded, window / window.sum(), mode="valid")
    return smooth


def _draw_wave(rng: np.random.Generator) -> Wave:
    heading = rng.standard_normal(3)
    heading /= np.linalg.norm(heading)
    rate = 2 * np.pi / float(rng.uniform(*WARP_LENGTH_MM)) * heading
    amplitude = float(rng.uniform(*WARP_MM)) / np.sqrt(WAVES)
    turn = float(rng.uniform(0, 2 * np.pi))
    return Wave(
        rate=(float(rate[0]), float(rate[1]), float(rate[2])),
        phase=float(rng.uniform(0, 2 * np.pi)),
        amplitude_mm=(
            float(amplitude * np.cos(turn)),
            float(amplitude * np.sin(turn)),
        ),
    )
