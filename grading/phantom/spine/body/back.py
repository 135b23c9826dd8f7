"""The muscles behind the spine, packed between arches, fascia and fat.

All courses are typical ones, of the left side. They were read off axial slices of
the public-domain study in the tests' folder and fitted by eye to other scanners'
slices; sides, thickness and size are then drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from grading.phantom.spine.body.stations import Anchor, Course
from grading.phantom.spine.body.torso import Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Inside, Shrunk, Tube, Whole
from grading.phantom.spine.tissues import Tissue

MULTIFIDUS: Course = (
    (-7, 7, 26, 5, 9),
    (-1, 9.5, 34, 8, 12),
    (0, 11.5, 38, 9.5, 15),
    (1, 12.5, 38.5, 10, 17.5),
    (2, 13.5, 36.5, 11, 20),
    (3, 15, 35.5, 12.5, 21),
    (4, 17.5, 38, 15, 21),
    (5, 20, 45, 17.5, 19.5),
    (6, 19.5, 46, 17, 16),
    (7, 17, 42, 13, 11),
    (8.5, 13, 37, 5, 4),
)
"""Grows towards the sacrum, fills the groove beside its spinous processes."""
LONGISSIMUS: Course = (
    (-7, 20, 30, 15, 12),
    (-2, 25, 36, 18, 15),
    (0, 30, 41, 18, 17),
    (1, 31, 39, 18, 19.5),
    (2, 31, 36.5, 16.5, 21.5),
    (3, 32, 34.5, 15, 23),
    (4, 33, 35.5, 14, 23),
    (5, 33, 42, 12, 19),
    (6, 29, 48, 8, 11),
    (7, 24, 46, 3, 4),
)
HULL: Course = (
    (-7, 40, 30, 34, 12),
    (-2, 43, 36, 38, 14),
    (0, 44, 41, 39, 16.5),
    (1, 42.5, 39, 37.5, 18.5),
    (2, 39.5, 35.5, 35, 20.5),
    (3, 36, 33.5, 32, 22),
    (4, 33.5, 35.5, 29.5, 22.5),
    (5, 29.5, 42, 25.5, 20),
    (6, 25, 46, 20.5, 15),
    (7, 20, 43, 15, 10),
    (8.5, 14, 38, 7, 4),
)
HULL_DEG = 6.0
MASS_EXPONENT = 2.5
"""Muscles are packed, and fuller than ellipses."""
LOBE_EXPONENT = 2.4
SEPTUM_MM = (0.4, 1.2)
"""Of fat between them, from the young to the old; a choice."""
FASCIA_MM = 0.9
"""Of the thoracolumbar fascia and the muscles' aponeurosis."""

DEEP_FAT: Course = (
    (-1, 10, 20, 5, 3),
    (1, 12, 22, 8, 4),
    (3, 15, 21, 11, 4.5),
    (4, 17, 22, 12, 5),
    (5, 19, 25, 13, 6),
    (6, 18, 32, 13, 5),
    (8, 12, 32, 5, 3),
)
"""Between multifidus and the arches, which lie on top of it."""
DEEP_FAT_DEG = 25.0
DEEP_FAT_SIZE = (0.65, 1.1)
MIDLINE_FAT: Course = (
    (-4, 0, 36, 2.5, 16),
    (0, 0, 38, 2.6, 17),
    (3, 0, 40, 3.0, 17),
    (5, 0, 44, 3.4, 17),
    (6, 0, 46, 3.4, 12),
    (8, 0, 40, 3.0, 6),
)
"""Around and between the spinous processes."""


@dataclass(frozen=True, slots=True)
class Mass:
    """The muscles behind the spine on one side, in the upright frame."""

    hull: Tube
    """Of the erector spinae; what the other two leave of it is iliocostalis."""
    longissimus: Tube
    multifidus: Tube

    @property
    def all(self) -> tuple[Tube, Tube, Tube]:
        """From the outside to the midline."""
        return self.hull, self.longissimus, self.multifidus


def draw_mass(torso: Torso) -> Mass:
    """Draw one side's multifidus and erector spinae."""
    thick = torso.muscle
    return Mass(
        torso.draw_tube(HULL, Anchor.BACK, MASS_EXPONENT, HULL_DEG, thick),
        torso.draw_tube(LONGISSIMUS, Anchor.BACK, LOBE_EXPONENT, 0.0, thick),
        torso.draw_tube(MULTIFIDUS, Anchor.BACK, LOBE_EXPONENT, 0.0, thick),
    )


def mass_parts(torso: Torso, mass: Mass, side: int, word: str) -> tuple[Part, ...]:
    """Return one contiguous mass under its fascia, with fat between its muscles."""
    septum_mm = SEPTUM_MM[0] + torso.older * (SEPTUM_MM[1] - SEPTUM_MM[0])
    whole = Whole((mass.hull, mass.multifidus))
    longissimus = Inside((mass.hull, mass.longissimus))
    layers = (
        ("thoracolumbar fascia", Tissue.FASCIA, Shrunk(whole, -FASCIA_MM)),
        ("iliocostalis", Tissue.MUSCLE, mass.hull),
        ("septum of longissimus", Tissue.FAT, Shrunk(longissimus, -septum_mm)),
        ("longissimus", Tissue.MUSCLE, longissimus),
        ("septum of multifidus", Tissue.FAT, Shrunk(mass.multifidus, -septum_mm)),
        ("multifidus", Tissue.MUSCLE, mass.multifidus),
    )
    return tuple(
        Part(f"{name} {word}", tissue, torso.place(solid, side))
        for name, tissue, solid in layers
    )


def deep_fat(torso: Torso) -> tuple[Part, ...]:
    """Return the fat between muscles and bone, which an aged back has more of."""
    size = DEEP_FAT_SIZE[0] + torso.older * (DEEP_FAT_SIZE[1] - DEEP_FAT_SIZE[0])
    deep = torso.draw_pair(DEEP_FAT, Anchor.BACK, 2.0, DEEP_FAT_DEG, size)
    midline = torso.draw_tube(MIDLINE_FAT, Anchor.BACK, 3.0, 0.0, size + 0.1)
    return (
        Part("deep fat", Tissue.FAT, torso.pair(deep)),
        Part("fat of the midline", Tissue.FAT, torso.place(midline)),
    )
