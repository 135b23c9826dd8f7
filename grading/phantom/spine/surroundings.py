"""Everything around the spine that is not graded, and that a slice shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from grading.grades import Level
from grading.phantom.spine.axis import Axis
from grading.phantom.spine.body.back import deep_fat, draw_mass, mass_parts
from grading.phantom.spine.body.flank import flank_parts
from grading.phantom.spine.body.ligaments import ligament_parts
from grading.phantom.spine.body.organs import organ_parts
from grading.phantom.spine.body.pelvis import draw_pelvis
from grading.phantom.spine.body.ribs import rib_parts
from grading.phantom.spine.body.stations import find_stations
from grading.phantom.spine.body.torso import SIDES, draw_torso
from grading.phantom.spine.body.trunk import draw_trunk
from grading.phantom.spine.body.vessels import vessel_parts
from grading.phantom.spine.parts import Part


def draw_body(
    axis: Axis,
    disc_s_mm: Mapping[Level, float],
    older: float,
    rng: np.random.Generator,
) -> tuple[Part, ...]:
    """Draw the body that a spine lies in, on its back.

    Parameters
    ----------
    axis
        The spine's; the body is laid around it.
    disc_s_mm
        Where along it each disc lies.
    older
        0 a young adult, 1 an old one: less muscle, more fat between.

    Returns
    -------
    tuple
        The structures in painter's order; the spine comes after them.
    """
    torso = draw_torso(find_stations(axis, disc_s_mm), older, rng)
    masses = [draw_mass(torso) for _ in SIDES]
    pelvis = draw_pelvis(torso)
    enclosed = [
        *(muscle for mass in masses for muscle in mass.all),
        *pelvis.medii,
        *pelvis.maximi,
        *pelvis.wings,
    ]
    trunk = draw_trunk(torso, enclosed)
    return (
        *trunk.parts(),
        *organ_parts(torso, trunk.cavity),
        *vessel_parts(torso),
        *flank_parts(torso),
        *pelvis.parts(torso),
        *rib_parts(torso),
        *(
            part
            for mass, (side, word) in zip(masses, SIDES, strict=True)
            for part in mass_parts(torso, mass, side, word)
        ),
        *deep_fat(torso),
        *ligament_parts(torso, disc_s_mm),
    )
