"""Muscles beside and in front of the spine.

Courses are typical ones of the left side, found as those of the back.
"""

from __future__ import annotations

from grading.phantom.spine.body.stations import Anchor, Course
from grading.phantom.spine.body.torso import Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.tissues import Tissue

PSOAS: Course = (
    (-0.4, 23, 26, 1, 1.5),
    (0.3, 25, 24, 4, 8),
    (1, 26.5, 22, 8, 14),
    (2, 30, 20, 13, 19),
    (3, 34.5, 17, 17, 22),
    (4, 39.5, 12, 18.5, 22.5),
    (5, 48, 2, 15, 21),
    (6, 56, -10, 14, 20),
    (7, 60, -24, 14, 19),
    (9, 67, -56, 14, 18),
    (12, 74, -104, 14, 17),
)
"""About 40 mm across at L4/L5 (docs/phantom.md); y counts from the front."""
PSOAS_EXPONENT = 2.3
QUADRATUS: Course = (
    (-0.3, 40, 27, 3, 1.5),
    (0, 45, 23, 7, 3),
    (1, 50, 19, 13, 5),
    (2, 55, 16, 16, 6.5),
    (3, 62, 13, 17, 7),
    (3.8, 72, 12, 17, 6),
    (4.4, 82, 11, 10, 3),
)
QUADRATUS_DEG = 8.0
CRUS_DEG = 15.0
CRUS: Course = (
    (-4, 16, 3, 5, 9),
    (-1, 17, 4, 4.5, 12),
    (0, 18, 4, 4, 11),
    (1, 18, 3, 3.5, 8),
    (2, 16, 1, 2.5, 4),
    (2.6, 15, 0, 1, 1),
)
"""Of the diaphragm, along the front of the upper lumbar vertebrae."""


def flank_parts(torso: Torso) -> tuple[Part, ...]:
    """Return crura and quadrati, each pair as one, and right and left psoas."""
    thick = torso.muscle
    crura = torso.draw_pair(CRUS, Anchor.FRONT, 2.0, CRUS_DEG, thick)
    quadrati = torso.draw_pair(QUADRATUS, Anchor.BACK, 2.0, QUADRATUS_DEG, thick)
    right, left = torso.draw_pair(PSOAS, Anchor.FRONT, PSOAS_EXPONENT, 0.0, thick)
    return (
        Part("crura of the diaphragm", Tissue.MUSCLE, torso.pair(crura)),
        Part("quadrati lumborum", Tissue.MUSCLE, torso.pair(quadrati)),
        Part("psoas right", Tissue.MUSCLE, torso.place(right, -1)),
        Part("psoas left", Tissue.MUSCLE, torso.place(left)),
    )
