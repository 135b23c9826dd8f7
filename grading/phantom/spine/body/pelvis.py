"""Iliac wings, the joints that carry the sacrum, and the muscles on both faces.

Courses are typical ones of the left side, found as those of the back.
"""

from __future__ import annotations

from dataclasses import dataclass

from grading.phantom.spine.body.stations import Anchor, Course
from grading.phantom.spine.body.torso import Pair, Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Shrunk, Solid
from grading.phantom.spine.tissues import Tissue

ILIUM: Course = (
    (3.9, 98, 5, 6, 2.5),
    (4.2, 94, 5, 22, 4.5),
    (4.6, 82, 3, 36, 6),
    (5, 69, 0, 46, 6.5),
    (6, 58, -6, 54, 7),
    (7, 54, -20, 55, 8),
    (9, 60, -44, 48, 9),
    (12, 72, -80, 30, 12),
)
"""The crest stands at L4/L5, the joints at S1 and S2."""
EXPONENT = 2.4
"""Fuller than ellipses."""
ILIUM_DEG = -60.0
CORTEX_MM = 1.6
ILIACUS: Course = (
    (4.3, 82, -10, 6, 2),
    (5, 67, -20, 26, 7),
    (6, 60, -38, 36, 10),
    (7, 58, -54, 38, 12),
    (9, 62, -80, 34, 14),
    (12, 76, -115, 20, 14),
)
GLUTEUS_MEDIUS: Course = (
    (4.4, 96, 12, 8, 3),
    (5, 81, 7, 36, 10),
    (6, 74, 3, 48, 15),
    (7, 74, -8, 52, 20),
    (9, 84, -26, 52, 22),
    (12, 96, -60, 45, 24),
)
"""With the smallest gluteus beneath it."""
GLUTEUS_MAXIMUS: Course = (
    (5.3, 56, 44, 3, 2),
    (6, 60, 44, 12, 5),
    (7, 64, 40, 24, 10),
    (8.5, 68, 30, 34, 15),
    (10, 70, 18, 38, 18),
    (12, 72, -10, 40, 20),
)
GLUTEUS_MAXIMUS_DEG = -22.0
INTEROSSEOUS_DEG = -62.0
INTEROSSEOUS: Course = (
    (5.7, 44, 22, 6, 2),
    (6.2, 42, 20, 12, 4.5),
    (7.5, 36, 10, 12, 5),
    (8.5, 34, 0, 6, 3),
)
"""The ligament that fills the cleft between sacrum and ilium behind their joint."""


@dataclass(frozen=True, slots=True)
class Pelvis:
    """Right and left of everything, in the upright frame."""

    wings: Pair
    ligaments: Pair
    iliaci: Pair
    medii: Pair
    """The gluteus medius and what lies beneath it."""
    maximi: Pair

    def parts(self, torso: Torso) -> tuple[Part, ...]:
        """Return the structures in painter's order, both sides of each in one."""
        right, left = self.wings
        marrow = (Shrunk(right, CORTEX_MM), Shrunk(left, CORTEX_MM))
        layers: tuple[tuple[str, Tissue, tuple[Solid, Solid]], ...] = (
            ("gluteus medius", Tissue.MUSCLE, self.medii),
            ("gluteus maximus", Tissue.MUSCLE, self.maximi),
            ("iliacus", Tissue.MUSCLE, self.iliaci),
            ("interosseous ligament", Tissue.LIGAMENT, self.ligaments),
            ("ilium cortex", Tissue.CORTEX, self.wings),
            ("ilium", Tissue.MARROW, marrow),
        )
        return tuple(
            Part(name, tissue, torso.pair(solids)) for name, tissue, solids in layers
        )


def draw_pelvis(torso: Torso) -> Pelvis:
    """Draw the wings and what lies on them."""

    def pair(course: Course, angle_deg: float, thickness: float = 1.0) -> Pair:
        return torso.draw_pair(course, Anchor.BACK, EXPONENT, angle_deg, thickness)

    return Pelvis(
        wings=pair(ILIUM, ILIUM_DEG),
        ligaments=pair(INTEROSSEOUS, INTEROSSEOUS_DEG),
        iliaci=pair(ILIACUS, ILIUM_DEG, torso.muscle),
        medii=pair(GLUTEUS_MEDIUS, ILIUM_DEG, torso.muscle),
        maximi=pair(GLUTEUS_MAXIMUS, GLUTEUS_MAXIMUS_DEG, torso.muscle),
    )
