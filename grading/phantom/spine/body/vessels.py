"""The great vessels in front of the spine.

y counts from the front of the vertebral bodies; the courses are typical ones, with
the bifurcations of the aorta and of the vena cava at the fourth and fifth vertebra.
"""

from __future__ import annotations

from grading.phantom.spine.body.stations import Anchor, Course
from grading.phantom.spine.body.torso import Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Shrunk, Solid, Whole
from grading.phantom.spine.tissues import Tissue

AORTA: Course = (
    (-8, 14, -6, 11, 11),
    (-3, 10, -10, 10.5, 10.5),
    (0, 7, -13, 10, 10),
    (3, 5, -12, 9, 9),
    (3.7, 4, -11, 8.5, 8.5),
)
"""15 to 22 mm across (docs/phantom.md)."""
LEFT_ILIAC_ARTERY: Course = (
    (3.5, 6, -11, 6, 6),
    (4, 14, -11, 5.5, 5.5),
    (5, 29, -8, 5, 5),
    (6, 40, -17, 4.5, 4.5),
    (8, 52, -42, 4.5, 4.5),
    (12, 62, -95, 4.5, 4.5),
)
RIGHT_ILIAC_ARTERY: Course = (
    (3.5, -3, -12, 6, 6),
    (4, -10, -14, 5.5, 5.5),
    (5, -27, -10, 5, 5),
    (6, -39, -18, 4.5, 4.5),
    (8, -52, -42, 4.5, 4.5),
    (12, -62, -95, 4.5, 4.5),
)
VENA_CAVA: Course = (
    (-8, -20, -30, 13, 11),
    (-2, -18, -18, 13, 10),
    (1, -16, -11, 12, 8),
    (3, -15, -9, 12, 8),
    (4.2, -13, -8, 12, 7),
)
LEFT_ILIAC_VEIN: Course = (
    (3.9, -9, -7, 8, 6),
    (4.4, 0, -6, 9, 5),
    (5, 19, -4, 8, 5.5),
    (6, 34, -12, 6.5, 6),
    (8, 47, -34, 6, 6),
    (12, 58, -88, 6, 6),
)
RIGHT_ILIAC_VEIN: Course = (
    (3.9, -15, -7, 8, 6),
    (5, -25, -3, 7, 6),
    (6, -36, -11, 6.5, 6),
    (8, -47, -34, 6, 6),
    (12, -58, -88, 6, 6),
)
SLOW_SHARE = 0.15
"""Of patients whose veins are bright, as their blood is slow; a choice."""
WALL_MM = 0.9
"""Of all of them, as thick as it looks between blood and fat; a choice."""


def vessel_parts(torso: Torso) -> tuple[Part, ...]:
    """Return the veins, then the arteries, which cross in front of them."""
    slow = torso.draw(0, 1) < SLOW_SHARE
    veins = _tree(torso, (VENA_CAVA, LEFT_ILIAC_VEIN, RIGHT_ILIAC_VEIN))
    arteries = _tree(torso, (AORTA, LEFT_ILIAC_ARTERY, RIGHT_ILIAC_ARTERY))
    walls = Shrunk(Whole((veins, arteries)), -WALL_MM)
    return (
        Part("walls of the vessels", Tissue.FASCIA, walls),
        Part("veins", Tissue.VEIN if slow else Tissue.VESSEL, veins),
        Part("arteries", Tissue.VESSEL, arteries),
    )


def _tree(torso: Torso, courses: tuple[Course, ...]) -> Solid:
    wide = torso.draw(0.85, 1.12)
    return Whole(
        tuple(
            torso.place(torso.draw_tube(course, Anchor.FRONT, thickness=wide))
            for course in courses
        )
    )
