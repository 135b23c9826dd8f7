"""Ligaments that run along the whole spine, and bend with it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from grading.grades import Level
from grading.phantom.spine.body.torso import Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Tube
from grading.phantom.spine.tissues import Tissue

SUPRASPINOUS_Y_MM = 47.0
"""Behind the vertebral bodies, over the tips of the spinous processes."""
SUPRASPINOUS_MM = (2.0, 1.6)
"""Half width and half depth."""
INTERSPINOUS_Y_MM = 35.0
INTERSPINOUS_MM = (0.8, 8.0)
ABOVE_MM = 90.0
"""How far they go on above T12/L1."""
BELOW_MM = -2.0
"""And below L5/S1: in most people the supraspinous ligament ends at L4 or L5."""


def ligament_parts(torso: Torso, disc_s_mm: Mapping[Level, float]) -> tuple[Part, ...]:
    """Return what joins the spinous processes; these lie on top of it."""
    low, high = disc_s_mm[Level.L5_S1] - BELOW_MM, disc_s_mm[Level.T12_L1] + ABOVE_MM
    s = np.array([low, high])
    return tuple(
        Part(
            name,
            Tissue.LIGAMENT,
            Tube(
                s,
                np.zeros(2),
                np.full(2, torso.size * y),
                np.full(2, half_width),
                np.full(2, half_depth),
            ),
            fine=True,
        )
        for name, y, (half_width, half_depth) in (
            ("interspinous ligament", INTERSPINOUS_Y_MM, INTERSPINOUS_MM),
            ("supraspinous ligament", SUPRASPINOUS_Y_MM, SUPRASPINOUS_MM),
        )
    )
