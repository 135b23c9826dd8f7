"""The three scales in numbers: where one grade ends and the next begins.

LDH after MSU (Mysliwiec 2010), LCCS after Lee (2011), LNRC after Pfirrmann (2004).
The scales are worded for eyes; these cuts are this phantom's reading of them, set
out in ``docs/phantom.md``.
"""

from __future__ import annotations

from grading.grades import Grade

NO_HERNIATION = 0.05
"""Up to this share of D the margin counts as its own irregularity (LDH grade 0)."""
HALF_WAY = 0.5
"""The MSU grades 1 and 2 overlap at one half; exactly one half is grade 1."""

OBLITERATED_FLUID_MM = 1.35
"""Midway between the most that is drawn as obliterated, 0.7, and the least else, 2."""
SEPARATE_GAP_MM = 0.5
"""Rootlets closer than a usual pixel show no fluid between them."""
SOME_AGGREGATION = 0.2
ALL_AGGREGATION = 0.85
"""Cuts of q midway between what is drawn for Lee's grades 1, 2 and 3."""
LEAST_ROOTLET_MM2 = 0.15
"""A rootlet that is thinner at a plane is not seen on it."""

FAT_LAYER_MM = 0.6
"""Midway between a contact, 0.2, and a preserved layer, 1.0."""
DEVIATION_MM = 0.95
"""Midway between a root in place, 0.4, and one displaced, 1.5."""
FLATTENED = 0.5
"""Share of its thickness that a compressed root has left, at most."""
LEAST_ROOT_SHARE = 0.25
"""Share of a root's area below which it cannot be told from disc material."""


def grade_herniation(share: float) -> Grade:
    """Return the MSU size grade of a herniation's height over D."""
    return Grade(sum(share > cut for cut in (NO_HERNIATION, HALF_WAY, 1.0)))


def grade_canal(anterior_fluid_mm: float, aggregated: float) -> Grade:
    """Return Lee's grade of the anterior fluid in mm and the share aggregated."""
    if aggregated >= ALL_AGGREGATION:
        return Grade.GRADE_3
    if aggregated >= SOME_AGGREGATION:
        return Grade.GRADE_2
    if anterior_fluid_mm < OBLITERATED_FLUID_MM:
        return Grade.GRADE_1
    return Grade.GRADE_0


def grade_root(
    gap_mm: float, shift_mm: float, wall_gap_mm: float, thickness_share: float
) -> Grade:
    """Return Pfirrmann's grade of one root; without thickness it is merged."""
    if thickness_share == 0:
        return Grade.GRADE_3
    if gap_mm >= FAT_LAYER_MM:
        return Grade.GRADE_0
    if thickness_share <= FLATTENED and wall_gap_mm < FAT_LAYER_MM:
        return Grade.GRADE_3
    return Grade.GRADE_2 if shift_mm >= DEVIATION_MM else Grade.GRADE_1
