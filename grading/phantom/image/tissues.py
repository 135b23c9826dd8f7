"""What a patient's tissues look like: in general, and in one series.

Values mix the physics of `signal` with random ones from `ranges.Signal`, as
label-driven synthesis does; a share of the patients follows the ranges alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from grading.phantom.image.grain import Grain, draw_grain
from grading.phantom.image.signal import FATS, Kind, Sequence, signal
from grading.phantom.ranges import (
    FLESH,
    SIGNALS,
    T1_SIGNAL,
    Domain,
    Range,
    Signal,
)
from grading.phantom.spine.parts import Part
from grading.phantom.spine.tissues import Tissue

VARIATION = 0.07
"""Standard deviation of the logarithm of T1, T2 and density between patients; a
choice near the deviations that de Bazelaire 2004 reports."""
LIKENESS = 0.06
"""How far parts of one tissue lie from its value: two vertebrae are not alike."""
NERVES_OVER_FLUID = 0.72
NERVES_OVER_FAT = 0.75
"""At most, on T2-weighted images: a root that cannot be seen cannot be graded."""
LIKE_FLUID = (0.85, 1.05)
"""Epidural fat over the fluid, where it looks the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Constitution:
    """What a patient's tissues have in common in all series."""

    key: bytes
    """Decides how each part differs from the others of its tissue."""
    grain: Grain
    physics_share: float
    """Of each value; the rest is drawn at random."""
    variation: NDArray[np.float64]
    """(tissues, 3): factors of T1, T2 and density."""
    muscle_fat_share: float
    marrow_fat_share: float
    texture: float
    """Deviation of the signal inside a tissue."""

    def chance(self, part: str) -> float:
        """Return a number from 0 to 1 that belongs to a part by its name."""
        digest = blake2b(part.encode(), digest_size=4, key=self.key).digest()
        return int.from_bytes(digest, "big") / 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Tissues:
    """The tissues' values in one series, over the sequence's reference."""

    constitution: Constitution
    values: Mapping[Tissue, tuple[float, ...]]
    """From dark to bright where a part's shade decides."""
    flow_loss: float
    """Of the fluid's signal, where flow takes most."""
    slow_blood: float
    slow_blood_share: float

    def value(self, part: Part) -> float:
        """Return the signal of one part."""
        chance = self.constitution.chance(part.name)
        if part.tissue is Tissue.VESSEL and chance < self.slow_blood_share:
            return self.slow_blood
        shades = self.values[part.tissue]
        shade = chance if part.shade is None else part.shade
        return _between(shades, shade) * (1 + LIKENESS * (2 * chance - 1))

    def fat_share(self, tissue: Tissue) -> float:
        """Return how much of a tissue's signal comes from fat."""
        if tissue in FATS:
            return 1.0
        is_marrow = tissue is Tissue.MARROW
        return self.constitution.marrow_fat_share if is_marrow else 0.0


def _between(shades: tuple[float, ...], shade: float) -> float:
    """Return the value at a shade, 0 the first and 1 the last; linear between them."""
    place = shade * (len(shades) - 1)
    lower = min(int(place), max(0, len(shades) - 2))
    upper = min(lower + 1, len(shades) - 1)
    return shades[lower] + (place - lower) * (shades[upper] - shades[lower])


def draw_constitution(domain: Domain, rng: np.random.Generator) -> Constitution:
    """Draw one patient's tissues, whatever they are imaged with."""
    flesh = FLESH[domain]
    by_range_alone = rng.random() < flesh.random_share
    physics_share = float(rng.uniform(0, 1))
    return Constitution(
        key=rng.bytes(8),
        grain=draw_grain(rng),
        physics_share=0.0 if by_range_alone else physics_share,
        variation=np.exp(VARIATION * rng.standard_normal((len(Tissue), 3))),
        muscle_fat_share=_mostly_low(flesh.muscle_fat_share, rng),
        marrow_fat_share=float(rng.uniform(*flesh.marrow_fat_share)),
        texture=float(rng.uniform(*flesh.texture)),
    )


def _mostly_low(limits: Range, rng: np.random.Generator) -> float:
    """Draw from limits, three quarters of the time from the lower half or so."""
    low, high = limits
    return low + (high - low) * float(rng.random()) ** 2


def draw_tissues(
    constitution: Constitution,
    sequence: Sequence,
    domain: Domain,
    rng: np.random.Generator,
) -> Tissues:
    """Draw what one series shows of a patient's tissues."""
    weighted = SIGNALS[domain] if sequence.kind is Kind.T2 else T1_SIGNAL
    values = {
        tissue: _mixed(tissue, ranges, constitution, sequence, rng)
        for tissue, ranges in _ranges(weighted).items()
    }
    if sequence.kind is Kind.T2:
        values |= _flow(values, weighted, rng)
        values |= _seen(values)
    return Tissues(
        constitution=constitution,
        values=values,
        flow_loss=float(rng.uniform(*weighted.flow_loss)),
        slow_blood=float(rng.uniform(*weighted.slow_blood)),
        slow_blood_share=weighted.slow_blood_share,
    )


def _mixed(
    tissue: Tissue,
    ranges: tuple[Range, ...],
    constitution: Constitution,
    sequence: Sequence,
    rng: np.random.Generator,
) -> tuple[float, ...]:
    """Return a value per shade between physics and chance."""
    place = float(rng.random())
    share = constitution.physics_share
    a, b, c = (float(factor) for factor in constitution.variation[tissue])
    shades = np.linspace(0, 1, len(ranges)) if len(ranges) > 1 else (0.5,)
    return tuple(
        share * signal(tissue, sequence, float(shade), (a, b, c))
        + (1 - share) * (low + place * (high - low))
        for shade, (low, high) in zip(shades, ranges, strict=True)
    )


def _flow(
    values: Mapping[Tissue, tuple[float, ...]], drawn: Signal, rng: np.random.Generator
) -> dict[Tissue, tuple[float, ...]]:
    """Return fluid that lost signal to flow, and epidural fat that looks like it."""
    grey, alike = rng.random(2) < (drawn.grey_fluid_share, drawn.fluid_like_fat_share)
    loss, likeness = (
        float(rng.uniform(*drawn.grey_fluid)),
        float(rng.uniform(*LIKE_FLUID)),
    )
    fluid = loss if grey else values[Tissue.FLUID][0]
    fat = likeness * fluid if alike else values[Tissue.EPIDURAL_FAT][0]
    return {Tissue.FLUID: (fluid,), Tissue.EPIDURAL_FAT: (fat,)}


def _seen(
    values: Mapping[Tissue, tuple[float, ...]],
) -> dict[Tissue, tuple[float, ...]]:
    """Return nerves that stay darker than what surrounds them."""
    (fluid,), (fat,) = values[Tissue.FLUID], values[Tissue.EPIDURAL_FAT]
    return {
        Tissue.ROOTLET: (min(values[Tissue.ROOTLET][0], NERVES_OVER_FLUID * fluid),),
        Tissue.CORD: (min(values[Tissue.CORD][0], NERVES_OVER_FLUID * fluid),),
        Tissue.ROOT: (min(values[Tissue.ROOT][0], NERVES_OVER_FAT * fat),),
    }


def _ranges(drawn: Signal) -> Mapping[Tissue, tuple[Range, ...]]:
    """Return each tissue's ranges, from dark to bright."""
    return {
        Tissue.AIR: ((0.0, 0.0),),
        Tissue.SKIN: (drawn.skin,),
        Tissue.SUBCUTANEOUS_FAT: (drawn.fat,),
        Tissue.FAT: (drawn.fat,),
        Tissue.EPIDURAL_FAT: (drawn.fat,),
        Tissue.MUSCLE: (drawn.muscle,),
        Tissue.FASCIA: (drawn.ligament,),
        Tissue.CORTEX: (drawn.cortex,),
        Tissue.MARROW: (drawn.marrow,),
        Tissue.NUCLEUS: (drawn.dark_disc, drawn.intermediate_disc, drawn.bright_disc),
        Tissue.ANNULUS: (drawn.annulus,),
        Tissue.HERNIATION: (drawn.faint_herniation, drawn.bright_herniation),
        Tissue.FLAVUM: (drawn.ligament,),
        Tissue.LIGAMENT: (drawn.ligament,),
        Tissue.JOINT: (drawn.cartilage, drawn.joint_fluid),
        Tissue.DURA: (drawn.ligament,),
        Tissue.FLUID: (drawn.fluid,),
        Tissue.ROOTLET: (drawn.nerve,),
        Tissue.CORD: (drawn.cord,),
        Tissue.ROOT: (drawn.nerve,),
        Tissue.VESSEL: (drawn.cortex,),
        Tissue.VEIN: (drawn.vein,),
        Tissue.KIDNEY: (drawn.kidney,),
        Tissue.LIVER: (drawn.liver,),
        Tissue.BOWEL: (drawn.bowel,),
    }
