"""The last two ribs, which end beside the upper lumbar spine.

Courses are typical ones of the left side, found as those of the back.
"""

from __future__ import annotations

from grading.phantom.spine.body.stations import Anchor, Course
from grading.phantom.spine.body.torso import SIDES, Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Shrunk, Solid, Whole
from grading.phantom.spine.tissues import Tissue

TWELFTH: Course = (
    (-0.9, 24, 12, 5, 3),
    (-0.4, 46, 27, 8, 3.5),
    (0.3, 68, 33, 11, 3.5),
    (0.8, 84, 26, 10, 3.2),
    (1.2, 94, 20, 4, 1.5),
)
"""An axial slice cuts it at a slant, and so its section is long."""
ELEVENTH: Course = (
    (-1.9, 26, 12, 5, 3),
    (-1.4, 52, 30, 9, 3.8),
    (-0.6, 82, 32, 12, 4),
    (0.2, 104, 12, 9, 4),
    (0.9, 112, -10, 4, 2),
)
RIBS_DEG = 14.0
CORTEX_MM = 1.1


def rib_parts(torso: Torso) -> tuple[Part, ...]:
    """Return the ribs of both sides: their cortex, and the marrow."""
    tubes = [
        (torso.draw_tube(course, Anchor.BACK, angle_deg=RIBS_DEG), side)
        for course in (ELEVENTH, TWELFTH)
        for side, _ in SIDES
    ]
    cortex: list[Solid] = [torso.place(tube, side) for tube, side in tubes]
    marrow = [torso.place(Shrunk(tube, CORTEX_MM), side) for tube, side in tubes]
    return (
        Part("ribs cortex", Tissue.CORTEX, Whole(tuple(cortex))),
        Part("ribs", Tissue.MARROW, Whole(tuple(marrow))),
    )
