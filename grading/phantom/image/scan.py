"""How one series is acquired and stored, drawn before its slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.phantom.image.signal import TABLE_TESLA, Sequence
from grading.phantom.ranges import ACQUISITIONS, Acquisition, Domain, Range

COARSEST_PIXEL_MM = 0.8
"""Interpolation hides no coarser acquisition than this along the frequency axis."""
NOISE_EXPONENT = -0.4
"""Noise over signal falls with the field, less than in proportion: low-field scanners
average for longer. A choice, like the numbers below."""
NOISE_FACTORS = (0.75, 2.0)
GHOST = (0.02, 0.08)
GHOST_SHARE = (0.1, 0.5)
PULSATION = (0.05, 0.2)
MOTION_PIXELS = (0.6, 1.2)
SHIFT_PIXELS = (1.0, 2.0)
HIDDEN_SHIFT_PIXELS = (0.0, 0.4)
EVENED = (0.5, 1.0)
CUBIC_TERMS = 7
SATURATION_MM = (38.0, 75.0)
SATURATION_LEFT = (0.05, 0.3)
SATURATION_EDGE_MM = (3.0, 9.0)
CROSSTALK_MM = (22.0, 50.0)
CROSSTALK_LEFT = (0.15, 0.6)
CROSSTALK_EDGE_MM = (4.0, 9.0)
TRIM_SHARE = (0.0, 0.012)
TRIM_SLOPE = 0.012
TWELVE_BITS = 4095.0


@dataclass(frozen=True, slots=True)
class Coil:
    """Sensitivity in space: a fall-off from the table, and a cubic polynomial."""

    reach_mm: float
    cubic: tuple[float, ...]
    """`CUBIC_TERMS` factors."""
    evened: float
    """0 leaves the sensitivity in the image, 1 takes it out, noise and all."""


@dataclass(frozen=True, slots=True)
class Band:
    """Where magnetisation was destroyed, on purpose or by slabs that cross."""

    distance_mm: float
    """From the canal."""
    left: float
    """Share of the signal in its darkest part."""
    edge_mm: float


@dataclass(frozen=True, slots=True)
class Trim:
    """Black rims, which the correction of distortion leaves."""

    shares: tuple[float, float, float, float]
    """Over the image's side: top, bottom, left, right."""
    slope: float


@dataclass(frozen=True, slots=True)
class Scan:
    """How one series is acquired and stored."""

    phase_along_rows: bool
    """Phase is encoded from one column to the next (PS3.3 C.8.3.1: ROW)."""
    noise: float
    """Standard deviation at the canal over the reference's signal."""
    frequency_share: float
    """Of the stored matrix's k-space, acquired along the frequency axis."""
    phase_share: float
    """The same along the phase axis."""
    apodised: bool
    blur_pixels: float
    fat_shift_pixels: float
    """Along the frequency axis."""
    ghost: float
    """Strength of a copy of the image along the phase axis."""
    ghost_share: float
    """How far it is shifted, over the field of view."""
    pulsation: float
    """Strength of such copies of the cerebrospinal fluid alone."""
    motion_pixels: float
    """Blur along the phase axis."""
    coil: Coil
    saturation: Band | None
    """Everything in front of it is dark too."""
    crosstalk: Band | None
    """A dark stripe behind the canal of axial slices."""
    trim: Trim | None
    gamma: float
    largest_value: float
    """Stored for the brightest tissue expected."""


def draw_scan(
    domain: Domain, sequence: Sequence, spacing_mm: float, rng: np.random.Generator
) -> Scan:
    """Draw how one series is acquired.

    Parameters
    ----------
    spacing_mm
        Between stored pixels: the finer, the more of them are interpolated.
    """
    drawn = ACQUISITIONS[domain]
    coarsest = max(1.0, COARSEST_PIXEL_MM / spacing_mm)
    factor = min(_in(drawn.interpolation, rng), coarsest)
    strength = (sequence.field_tesla / TABLE_TESLA) ** NOISE_EXPONENT
    shifted = rng.random() < drawn.chemical_shift_probability
    shift_pixels = _in(SHIFT_PIXELS if shifted else HIDDEN_SHIFT_PIXELS, rng)
    return Scan(
        phase_along_rows=bool(rng.random() < 0.5),
        noise=_in(drawn.noise, rng) * float(np.clip(strength, *NOISE_FACTORS)),
        frequency_share=1 / factor,
        phase_share=_in(drawn.phase_share, rng) / factor,
        apodised=bool(rng.random() < drawn.apodised_share),
        blur_pixels=_in(drawn.blur_pixels, rng),
        fat_shift_pixels=shift_pixels * float(rng.choice((-1.0, 1.0))),
        ghost=_perhaps(drawn.ghost_probability, GHOST, rng),
        ghost_share=_in(GHOST_SHARE, rng),
        pulsation=_perhaps(drawn.pulsation_probability, PULSATION, rng),
        motion_pixels=_perhaps(drawn.motion_probability, MOTION_PIXELS, rng),
        coil=_draw_coil(drawn, rng),
        saturation=_draw_saturation(drawn, rng),
        crosstalk=_draw_crosstalk(drawn, rng),
        trim=_draw_trim(drawn, rng),
        gamma=_in(drawn.gamma, rng),
        largest_value=_draw_largest(drawn, rng),
    )


def _draw_coil(drawn: Acquisition, rng: np.random.Generator) -> Coil:
    amplitude = _in(drawn.bias, rng)
    return Coil(
        reach_mm=_in(drawn.coil_reach_mm, rng),
        cubic=tuple(float(a) for a in amplitude * rng.uniform(-1, 1, CUBIC_TERMS)),
        evened=_perhaps(drawn.evened_share, EVENED, rng),
    )


def _draw_saturation(drawn: Acquisition, rng: np.random.Generator) -> Band | None:
    band = Band(
        _in(SATURATION_MM, rng), _in(SATURATION_LEFT, rng), _in(SATURATION_EDGE_MM, rng)
    )
    return band if rng.random() < drawn.saturation_probability else None


def _draw_crosstalk(drawn: Acquisition, rng: np.random.Generator) -> Band | None:
    band = Band(
        _in(CROSSTALK_MM, rng), _in(CROSSTALK_LEFT, rng), _in(CROSSTALK_EDGE_MM, rng)
    )
    return band if rng.random() < drawn.crosstalk_probability else None


def _draw_trim(drawn: Acquisition, rng: np.random.Generator) -> Trim | None:
    top, bottom, left, right = (_in(TRIM_SHARE, rng) for _ in range(4))
    trim = Trim((top, bottom, left, right), _in((-TRIM_SLOPE, TRIM_SLOPE), rng))
    return trim if rng.random() < drawn.trimmed_probability else None


def _draw_largest(drawn: Acquisition, rng: np.random.Generator) -> float:
    full = rng.random() < drawn.full_range_share
    return _in(
        (drawn.largest_value[1], TWELVE_BITS) if full else drawn.largest_value, rng
    )


def _perhaps(probability: float, limits: Range, rng: np.random.Generator) -> float:
    """Return a number drawn from the limits, or 0; both take as many draws."""
    value, chance = _in(limits, rng), rng.random()
    return value if chance < probability else 0.0


def _in(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(*limits))
