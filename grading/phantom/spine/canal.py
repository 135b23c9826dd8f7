"""The canal and the dural sac: walls, fat, fluid, and the disc material in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from grading.phantom.ranges import HERNIATION_REACH_MM, MIGRATION_MM
from grading.phantom.section.anatomy import Herniation
from grading.phantom.section.sac import SQUARENESS, WALL_MM
from grading.phantom.spine.column import osteophyte
from grading.phantom.spine.segment import Segment
from grading.phantom.spine.solids import (
    Clear,
    Complement,
    Ellipsoid,
    Loft,
    Solid,
    Table,
    Tube,
    Whole,
)

PLATEAU_MM = 6.0
"""Either side of a disc over which its cross-section holds: most of the disc's
height, so that its neighbouring slices show much the same."""
PEDICLE_CANAL_MM = 11.5
"""Half the distance between the pedicles."""
ABOVE_MM = 100.0
"""How far canal and sac go on above the highest segment."""
MERGED_REACH_MM = 8.0
"""How far either side of the disc a root is lost in disc material."""
NECK_REACH_MM = 4.0
BLUNTNESS = 4.0
"""Neighbouring slices show nearly the same herniation, and a root it touches is
touched on both."""
SACRAL_CANAL = (
    (12.0, 12.0, 7.5),
    (30.0, 11.0, 6.0),
    (55.0, 8.0, 4.0),
    (70.0, 5.0, 3.0),
)
"""Below L5/S1: millimetres down, half width, half depth."""
SAC_TAIL = (
    (0.0, 5.0, 0.8, 0.8, 0.0),
    (0.0, 5.0, 3.0, 2.5, 0.0),
    (0.0, 5.8, 6.0, 4.6, 0.1),
)
"""x, y, half width, half depth and taper of the sac's last three knots."""
SAC_END_MM = (40.0, 58.0)
"""Below L5/S1: at about S2."""


def knots(
    segments: Sequence[Segment], at_discs: Table, between: Table
) -> tuple[Table, Table]:
    """Return a table along the spine that holds its values near the discs.

    Parameters
    ----------
    at_discs
        (segments, columns).
    between
        (segments - 1, columns): midway to the next segment.

    Returns
    -------
    tuple
        (knots,) s in mm, increasing, and (knots, columns).
    """
    s: list[float] = []
    rows: list[Table] = []
    for index, segment in enumerate(segments):
        s.extend((segment.s_mm + PLATEAU_MM, segment.s_mm - PLATEAU_MM))
        rows.extend((at_discs[index], at_discs[index]))
        if index < len(between):
            s.append((segment.s_mm + segments[index + 1].s_mm) / 2)
            rows.append(between[index])
    return np.array(s[::-1]), np.array(rows[::-1])


def canal_tube(segments: Sequence[Segment]) -> Tube:
    """Return the bony canal, narrower between the pedicles than at the discs."""
    at_discs = np.array(
        [
            (
                one.section.canal.y,
                one.section.canal.half_width,
                one.section.canal.half_depth,
            )
            for one in segments
        ]
    )
    half_depth = (at_discs[:-1, 2] + at_discs[1:, 2]) / 2 * 0.92
    between = np.stack(
        [half_depth - 0.4, np.full_like(half_depth, PEDICLE_CANAL_MM), half_depth], -1
    )
    s, rows = knots(segments, at_discs, between)
    low = np.array([(half - 0.3, width, half) for _, width, half in SACRAL_CANAL])
    below = segments[-1].s_mm - np.array([down for down, _, _ in SACRAL_CANAL])
    s = np.concatenate([below[::-1], s, [s[-1] + ABOVE_MM]])
    rows = np.concatenate([low[::-1], rows, rows[-1:]])
    return Tube(s, np.zeros_like(s), rows[:, 0], rows[:, 1], rows[:, 2], 2.4)


def herniation(segment: Segment, rng: np.random.Generator) -> Solid | None:
    """Return the disc material past the margin, lost roots included."""
    solids: list[Solid] = []
    if segment.section.herniation is not None:
        solids.extend(_dome(segment, segment.section.herniation, rng))
    solids.extend(
        Loft(root.shape(), segment.s_mm, MERGED_REACH_MM, MERGED_REACH_MM, 1.0)
        for root in segment.section.roots
        if root.merged
    )
    return Whole(tuple(solids)) if solids else None


def _dome(
    segment: Segment, herniated: Herniation, rng: np.random.Generator
) -> tuple[Solid, ...]:
    low, high = HERNIATION_REACH_MM
    below, above = (
        float(np.clip(herniated.base_mm / 2 * rng.uniform(0.9, 1.6), low, high))
        for _ in range(2)
    )
    dome = herniated.dome()
    if herniated.extruded:
        # Extruded material follows the back of the vertebra, mostly downwards.
        if rng.random() < 0.7:
            below = float(rng.uniform(*MIGRATION_MM))
        else:
            above = float(rng.uniform(*MIGRATION_MM))
    solid = Ellipsoid(
        dome.x,
        dome.y,
        segment.s_mm,
        dome.half_width,
        dome.half_depth,
        below,
        above,
        BLUNTNESS,
    )
    if not herniated.extruded:
        return (solid,)
    return (
        solid,
        Loft(herniated.neck(), segment.s_mm, NECK_REACH_MM, NECK_REACH_MM, 1.0),
    )


def flavum(segment: Segment) -> tuple[Solid, Solid]:
    """Return the right and the left half of the ligament between two arches."""
    right, left = (
        Loft(half, segment.s_mm, 9.0, 12.0, min(1.2, 0.6 * half.radius))
        for half in segment.section.flavum
    )
    return right, left


def osteophytes(segment: Segment) -> tuple[Solid, ...]:
    """Return what narrows the recesses besides facets and flavum."""
    return tuple(osteophyte(segment, wall) for wall in segment.section.walls)


def posterior_fat(segment: Segment) -> Solid:
    """Return the triangle of fat behind the sac."""
    fat = segment.section.posterior_fat
    return Loft(fat, segment.s_mm, 10.0, 10.0, 0.7 * fat.half_depth)


def dural_sac(
    body: Tube, bony: Tube, segments: Sequence[Segment], pressing: Sequence[Solid]
) -> Clear:
    """Return the sac, giving way to all that presses on it.

    Parameters
    ----------
    body
        The sac before it gives way.
    bony
        The canal it stays inside.
    pressing
        Disc material, flavum, osteophytes and roots with their sheaths.
    """
    fat = (posterior_fat(segment) for segment in segments)
    obstacles = Whole((*pressing, *fat))
    return Clear(Clear(body, Complement(bony), WALL_MM), obstacles, WALL_MM)


def sac_body(segments: Sequence[Segment], rng: np.random.Generator) -> Tube:
    """Return the sac before it gives way: wide between discs, ending at about S2."""
    bodies = [segment.section.sac_body for segment in segments]
    at_discs = np.array(
        [
            (body.x, body.y, body.half_width, body.half_depth, body.taper)
            for body in bodies
        ]
    )
    between = np.array([_usual_sac(a, b) for a, b in pairwise(segments)])
    s, rows = knots(segments, at_discs, between)
    last = segments[-1]
    end = float(rng.uniform(*SAC_END_MM))
    below = last.s_mm - np.array([end, end - 8, 22.0])
    tail = np.array(SAC_TAIL)
    s = np.concatenate([below, s, [s[-1] + ABOVE_MM]])
    rows = np.concatenate([tail, rows, rows[-1:]])
    x, y, half_width, half_depth, taper = rows.T
    return Tube(s, x, y, half_width, half_depth, SQUARENESS, taper=taper)


def _usual_sac(above: Segment, below: Segment) -> tuple[float, ...]:
    """Return x, y, half width, half depth and taper of the sac behind a vertebra."""
    depth_mm = 0.92 * min(
        above.section.canal.half_depth, below.section.canal.half_depth
    )
    half_depth = min(7.2, depth_mm - 2.0)
    return 0.0, 0.6 + half_depth, 8.8, half_depth, 0.1
