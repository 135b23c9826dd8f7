"""Which signal a tissue gives in a pulse sequence, by the physics of relaxation.

Spin echo: density x (1 - exp(-TR/T1)) x exp(-TE/T2). A train of echoes lengthens
the T2 of fat. A localizer is a spoiled gradient echo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from grading.phantom.spine.tissues import Tissue


class Kind(StrEnum):
    """What a series is weighted for."""

    T2 = "t2"
    T1 = "t1"
    LOCALIZER = "localizer"


@dataclass(frozen=True, slots=True)
class Sequence:
    """One pulse sequence, without fat suppression."""

    kind: Kind
    repetition_ms: float
    echo_ms: float
    field_tesla: float
    echo_train: int
    """Echoes after one excitation."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """What a tissue is to a scanner, at `TABLE_TESLA`."""

    t1_ms: float
    t2_ms: float
    density: float
    """Protons, water being 100."""
    t1_exponent: float = 0.28
    """T1 grows with the field to this power, T2 does not (Bottomley 1984, Med Phys
    11:425). 0.28 is 21 % from 1.5 to 3 T (de Bazelaire 2004, Radiology 230:652)."""


TABLE_TESLA = 1.5
THREE_TESLA = 2.0**-0.28
"""Turns a T1 measured at 3 T into one of the table."""

# PMC7410772: the spine by synthetic MRI. Bazelaire: the trunk at 3 T, Radiology
# 230:652. Rows without either are choices: collagen decays at once, fluids slowly.
FLUID = Relaxation(4273, 1578, 107.5, 0.0)  # PMC7410772
FAT = Relaxation(382 * THREE_TESLA, 68, 95, 0.17)  # Bazelaire; density, power: choices
CORTICAL = Relaxation(400, 1.5, 15)
COLLAGEN = Relaxation(700, 26, 35)
NERVE = Relaxation(900, 82, 66)
CARTILAGE = Relaxation(1050, 40, 70)
SLOW_BLOOD = Relaxation(1440, 170, 85)

RELAXATIONS: Mapping[Tissue, tuple[Relaxation, ...]] = {
    Tissue.AIR: (Relaxation(1000, 1, 0),),
    Tissue.SKIN: (Relaxation(900, 30, 65),),
    Tissue.SUBCUTANEOUS_FAT: (FAT,),
    Tissue.FAT: (FAT,),
    Tissue.EPIDURAL_FAT: (FAT,),
    Tissue.MUSCLE: (Relaxation(898 * THREE_TESLA, 35, 80),),  # Bazelaire; T2 29 to 40
    Tissue.FASCIA: (COLLAGEN,),
    Tissue.CORTEX: (CORTICAL,),
    Tissue.MARROW: (Relaxation(515, 101, 91.1),),  # PMC7410772
    Tissue.NUCLEUS: (  # PMC7410772: desiccated, intermediate, normal
        Relaxation(554, 56, 47.6),
        Relaxation(723, 67, 60.8),
        Relaxation(1165, 102, 78.9),
    ),
    Tissue.ANNULUS: (Relaxation(650, 32, 60),),
    Tissue.HERNIATION: (Relaxation(600, 48, 55), Relaxation(900, 92, 72)),
    Tissue.FLAVUM: (COLLAGEN,),
    Tissue.LIGAMENT: (COLLAGEN,),
    Tissue.JOINT: (CARTILAGE, Relaxation(3600, 600, 95)),
    Tissue.DURA: (COLLAGEN,),
    Tissue.FLUID: (FLUID,),
    Tissue.ROOTLET: (NERVE,),
    Tissue.CORD: (Relaxation(780, 101.6, 58.7),),  # PMC7410772
    Tissue.ROOT: (NERVE,),
    Tissue.VESSEL: (CORTICAL,),
    Tissue.VEIN: (SLOW_BLOOD,),
    Tissue.KIDNEY: (Relaxation(1142 * THREE_TESLA, 76, 85),),  # Bazelaire, cortex
    Tissue.LIVER: (Relaxation(809 * THREE_TESLA, 34, 80),),  # Bazelaire
    Tissue.BOWEL: (Relaxation(900, 60, 80),),
}
"""By tissue, from dark to bright where a part's shade decides."""

FATS = frozenset({Tissue.SUBCUTANEOUS_FAT, Tissue.FAT, Tissue.EPIDURAL_FAT})
TRAIN_T2_MS = 75.0
"""What a long train adds to the T2 of fat, whose coupled spins it refocuses: up to
143 ms are reported (Pai 2008, PMC2849643)."""
TRAIN_ECHOES = 5.0
"""Over which most of that happens; a choice."""
FLIP_DEG = 25.0
"""Of a localizer's gradient echo; a choice."""
FLOWING = 0.7
"""Blood that flows into a localizer's slice is unsaturated, and bright; a choice."""

REFERENCE: Mapping[Kind, Tissue] = {
    Kind.T2: Tissue.FLUID,
    Kind.T1: Tissue.SUBCUTANEOUS_FAT,
    Kind.LOCALIZER: Tissue.SUBCUTANEOUS_FAT,
}
"""The tissue whose signal is 1."""


def signal(
    tissue: Tissue,
    sequence: Sequence,
    shade: float = 0.5,
    variation: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> float:
    """Return a tissue's signal over that of the sequence's `REFERENCE`.

    Parameters
    ----------
    shade
        Where it lies between the darkest and the brightest of its tissue, 0 to 1.
    variation
        What its T1, T2 and density are multiplied by.
    """
    unit = _strength(REFERENCE[sequence.kind], sequence, 0.5, (1.0, 1.0, 1.0))
    return _strength(tissue, sequence, shade, variation) / unit


def _strength(
    tissue: Tissue,
    sequence: Sequence,
    shade: float,
    variation: tuple[float, float, float],
) -> float:
    if tissue is Tissue.VESSEL and sequence.kind is Kind.LOCALIZER:
        return FLOWING * _strength(Tissue.SUBCUTANEOUS_FAT, sequence, 0.5, variation)
    t1_ms, t2_ms, density = (
        value * factor
        for value, factor in zip(
            _shaded(tissue, sequence, shade), variation, strict=True
        )
    )
    if tissue in FATS:
        t2_ms += TRAIN_T2_MS * (1 - np.exp((1 - sequence.echo_train) / TRAIN_ECHOES))
    decay = float(np.exp(-sequence.echo_ms / t2_ms))
    recovery = float(np.exp(-sequence.repetition_ms / t1_ms))
    if sequence.kind is Kind.LOCALIZER:
        flip = np.deg2rad(FLIP_DEG)
        steady = np.sin(flip) * (1 - recovery) / (1 - np.cos(flip) * recovery)
        return density * float(steady) * decay
    return density * (1 - recovery) * decay


def _shaded(
    tissue: Tissue, sequence: Sequence, shade: float
) -> tuple[float, float, float]:
    """Return T1 and T2 in ms at the sequence's field, and the density."""
    rows = RELAXATIONS[tissue]
    at = np.linspace(0, 1, len(rows)) if len(rows) > 1 else np.array([0.5])
    t1_ms, t2_ms, density, exponent = (
        float(np.interp(shade, at, column))
        for column in zip(
            *((one.t1_ms, one.t2_ms, one.density, one.t1_exponent) for one in rows),
            strict=True,
        )
    )
    return (
        t1_ms * (sequence.field_tesla / TABLE_TESLA) ** exponent,
        t2_ms,
        density,
    )
