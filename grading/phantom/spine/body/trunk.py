"""The outline of a body on its back: skin, fat beneath it, the abdominal wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.phantom.spine.body.outline import Outline
from grading.phantom.spine.body.stations import KNOT_MM, Anchor, Course, rounded
from grading.phantom.spine.body.torso import Torso
from grading.phantom.spine.body.upright import Upright
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Shrunk, Table, Tube
from grading.phantom.spine.tissues import Tissue

SKIN_MM = 1.8
"""Lumbar skin is 1.5 to 2.5 mm thick; a choice within it."""
TABLE_HOLLOW_MM = 38.0
"""How far the small of the back can lift off the table; a choice."""
FURROW_MM = (3.0, 11.0)
"""Depth of the groove over the spinous processes."""
FURROW_SHARE = 0.8
"""The most of it over the least fat, so that the processes stay covered."""
PROCESSES_MM = 57.0
"""How far behind the vertebral bodies spinous processes reach at most."""
FAT_SHARE: Mapping[float, float] = {
    -4: 0.7,
    0: 0.7,
    2: 0.8,
    3: 1.0,
    4: 1.3,
    5: 1.6,
    6: 1.6,
    8: 1.4,
}
"""Of the fat on the back, by station: thickest behind the sacrum."""
BACK_FAT_MM = (7.0, 26.0)
"""From lean to stout, at L3/L4, as all such pairs here. All lengths of this module
are choices, from the look of slices with a wide field of view."""
FLANK_FAT_MM = (8.0, 38.0)
FRONT_FAT_MM = (10.0, 42.0)
DEPTH_MM = (165.0, 250.0)
"""From the back of the spine to the skin of the belly; FOVs often end before."""
HALF_WIDTH: Mapping[float, float] = {
    -4: 140,
    0: 138,
    2: 135,
    3: 136,
    4: 142,
    5: 152,
    7: 162,
    10: 165,
}
"""Of the body without the fat of its flanks, by station."""
WALL_BACK: Mapping[float, float] = {
    -4: 48,
    -1: 46,
    0: 44,
    1: 39,
    2: 31,
    3: 24,
    4: 12,
    5: 0,
    6: -12,
    8: -30,
}
"""Where the posterior abdominal wall lies, behind the back of the vertebrae."""
WALL_SHORT_MM: Mapping[float, float] = {-4: 4, 3: 5, 4: 12, 5: 28, 6: 42, 10: 55}
"""How much narrower than the body the wall is: iliac wings lie outside it."""
WALL_SIDE_MM = (17.0, 9.0)
"""Of the three oblique muscles together; a large belly stretches them."""
WALL_FRONT_MM = (12.0, 7.0)
"""Of the straight muscle."""
WALL_BACK_MM = 2.5
"""Of the aponeurosis, fascia and thin muscle there."""
BESIDE: Course = (
    (2.2, 0, 24, 40, 4),
    (3, 0, 20, 56, 14),
    (4, 0, 14, 72, 24),
    (5, 0, 12, 66, 36),
    (6, 0, 8, 60, 44),
    (8, 0, -10, 70, 50),
    (13, 0, -60, 80, 60),
)
"""Where the abdominal wall is open behind: around the column and the sacrum."""
BESIDE_EXPONENT = 3.0
ENCLOSING_MM = 5.0
"""The least fat between any muscle and the skin."""
ROUNDING_MM = 70.0
"""Over which the profile of the back is rounded."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """The layers of a body from the outside."""

    skin: Outline
    wall: Outline
    cavity: Outline
    beside: Upright
    """Fat around the column, where the wall is open behind."""

    def parts(self) -> tuple[Part, ...]:
        """Return skin, subcutaneous fat, the abdominal wall and the fat within."""
        fat = Shrunk(self.skin, SKIN_MM)
        return (
            Part("skin", Tissue.SKIN, self.skin),
            Part("subcutaneous fat", Tissue.SUBCUTANEOUS_FAT, fat),
            Part("abdominal wall", Tissue.MUSCLE, self.wall),
            Part("abdominal fat", Tissue.FAT, self.cavity),
            Part("fat beside the spine", Tissue.FAT, self.beside),
        )


def draw_trunk(torso: Torso, enclosed: Sequence[Tube]) -> Trunk:
    """Draw the layers.

    Parameters
    ----------
    enclosed
        What reaches farthest back, in the upright frame: the skin lies behind it.
    """
    stations = torso.stations
    up = np.arange(stations.up_mm.min(), stations.up_mm.max() + KNOT_MM, KNOT_MM)
    skin = _skin(torso, enclosed, up)
    wall = _wall(torso, skin)
    beside = torso.draw_tube(BESIDE, Anchor.BACK, BESIDE_EXPONENT)
    return Trunk(skin, wall, _cavity(wall, torso), torso.place(beside))


def _skin(torso: Torso, enclosed: Sequence[Tube], up: Table) -> Outline:
    stations = torso.stations
    spine = stations.line(Anchor.BACK, up)
    reach = np.max([_back(tube, up) for tube in enclosed], axis=0)
    reach = np.maximum(reach, spine + PROCESSES_MM)
    profile = rounded(reach, ROUNDING_MM)
    hollow = np.maximum(profile, profile.max() - TABLE_HOLLOW_MM)
    profile = rounded(hollow, ROUNDING_MM)
    fat = torso.between(*BACK_FAT_MM) * stations.table(FAT_SHARE, up)
    lumbar = stations.line(Anchor.BACK, stations.up(np.arange(6.0)))
    flank = torso.between(*FLANK_FAT_MM)
    belly = torso.size * torso.between(*DEPTH_MM)
    front = np.full_like(up, lumbar.mean() - belly)
    back = np.maximum(profile + fat, reach + ENCLOSING_MM)
    return Outline(
        up_mm=up,
        x_mm=rounded(stations.midline(up), ROUNDING_MM),
        front_mm=front,
        middle_mm=(front + back) / 2,
        back_mm=back,
        half_width_mm=torso.size * stations.table(HALF_WIDTH, up) + flank,
        furrow_mm=min(torso.draw(*FURROW_MM), float(fat.min()) * FURROW_SHARE),
    )


def _back(tube: Tube, up_mm: Table) -> Table:
    """Return how far back a tube reaches at some heights, -inf where it is not."""
    angle = np.deg2rad(tube.angle_deg)
    reach = abs(np.sin(angle)) * tube.half_width_mm + np.cos(angle) * tube.half_depth_mm
    behind = tube.y_mm + reach
    return np.asarray(np.interp(up_mm, tube.s_mm, behind, left=-np.inf, right=-np.inf))


def _wall(torso: Torso, skin: Outline) -> Outline:
    stations, up = torso.stations, skin.up_mm
    narrower = torso.between(*FLANK_FAT_MM) + stations.table(WALL_SHORT_MM, up)
    back = stations.line(Anchor.BACK, up) + stations.table(WALL_BACK, up)
    return replace(
        skin,
        front_mm=skin.front_mm + torso.between(*FRONT_FAT_MM),
        back_mm=np.minimum(back, skin.back_mm - ENCLOSING_MM),
        half_width_mm=skin.half_width_mm - narrower,
        furrow_mm=0.0,
    )


def _cavity(wall: Outline, torso: Torso) -> Outline:
    return replace(
        wall,
        front_mm=wall.front_mm + torso.between(*WALL_FRONT_MM),
        back_mm=wall.back_mm - WALL_BACK_MM,
        half_width_mm=wall.half_width_mm - torso.between(*WALL_SIDE_MM),
    )
