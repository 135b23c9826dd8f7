"""Cord, rootlets and roots: paths along the spine that hold near the discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.phantom.section.anatomy import Root, Rootlets
from grading.phantom.spine.canal import PLATEAU_MM
from grading.phantom.spine.place import Place
from grading.phantom.spine.segment import Segment
from grading.phantom.spine.solids import Inside, Shrunk, Solid, Table, Tube

CORD_MM = (4.6, 3.9)
"""Half width and half depth of the lumbar enlargement; a choice."""
KNOT_MM = 3.0
INSIDE_MM = 0.12
"""Least distance between a rootlet's surface and the sac's wall."""
PUSHES = 3
LEAST_RADIUS_MM = 0.02
"""Of a rootlet that has no room."""
BETWEEN_KNOTS = (0.25, 0.5, 0.75)
"""Shares of the way from one knot to the next at which a rootlet is looked at."""
STANDS_OUT_MM = 0.1
"""A third of the dura's thickness: less is drawn under it."""
PROBE_MM = 0.2
TOGETHER = 0.85
"""Between discs rootlets lie so much nearer the sac's middle."""
ROOT_PATH = ((-42.0, 33.0, -9.0), (-36.0, 27.0, -5.0), (-29.0, 19.5, -0.5))
"""Beyond the pedicle: millimetres above the root's own disc, away from the midline
and backwards."""
RECESS = ((-21.0, 9.2, 2.0), (-14.0, 8.8, 3.0))
"""Beside the pedicle, in the canal's corner; as `ROOT_PATH`."""
SLEEVE_MM = 14.0
"""Above its disc a root leaves the sac."""
SLEEVE_RADIUS_MM = 0.9
BUNDLE_REACH_MM = 8.0
"""Up and down from a disc at which the rootlets cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Strand:
    """One rootlet on its way: where it passes each disc, sac-relative."""

    first: int
    """Index of the highest segment that it passes."""
    shares: tuple[tuple[float, float], ...]
    """x and y over the sac's half width and half depth, segment by segment."""


def cord(conus_s_mm: float, top_s_mm: float, sac: Tube) -> Tube:
    """Return the cord, tapering to its cone."""
    s = np.array([conus_s_mm, conus_s_mm + 8, conus_s_mm + 22, conus_s_mm + 40])
    s = np.append(s, max(top_s_mm, s[-1] + 1))
    share = np.array([0.12, 0.5, 0.85, 1.0, 0.85])
    x = np.interp(s, sac.s_mm, sac.x_mm)
    y = np.interp(s, sac.s_mm, sac.y_mm)
    return Tube(s, x, y, CORD_MM[0] * share, CORD_MM[1] * share)


def root_tube(segment: Segment, root: Root, *, resting: bool = False) -> Tube:
    """Return one traversing root, from its sleeve to beyond its foramen.

    Parameters
    ----------
    resting
        Where and how thick it would be if nothing touched it.
    """
    radius = root.resting_radius_mm
    y_mm = root.resting_y_mm if resting else root.y_mm
    wide = radius if resting else root.half_width_mm
    thick = radius if resting else root.half_thickness_mm
    away = abs(root.x_mm)
    rows = [
        (ds, root.side * x, y, radius, radius) for ds, x, y in (*ROOT_PATH, *RECESS)
    ]
    rows.append((-PLATEAU_MM, root.x_mm, y_mm, wide, thick))
    rows.append((PLATEAU_MM, root.x_mm, y_mm, wide, thick))
    sleeve = (root.side * away * 0.95, root.resting_y_mm + 0.8)
    rows.append((SLEEVE_MM, *sleeve, SLEEVE_RADIUS_MM, SLEEVE_RADIUS_MM))
    table = np.array(rows)
    return Tube(segment.s_mm + table[:, 0], *table[:, 1:].T)


def rootlet_tubes(
    segments: Sequence[Segment], sac: Solid, body: Tube, conus_s_mm: float
) -> tuple[Tube, ...]:
    """Return the rootlets, each inside the sac along all of its way."""
    tubes = [
        tube
        for strand in _strands(
            [segment.section.rootlets for segment in segments], segments
        )
        for tube in _tube(strand, segments, body, conus_s_mm)
    ]
    return _inside(tubes, sac)


def _strands(rootlets: Sequence[Rootlets], segments: Sequence[Segment]) -> list[Strand]:
    """Join the rootlets of neighbouring discs, nearest first.

    Those without a partner below have left as roots; those without one above
    begin where they are.
    """
    strands: list[Strand] = []
    running: list[int] = []
    for index, segment in enumerate(segments):
        body = segment.section.sac_body
        u = (rootlets[index].x_mm - body.x) / body.half_width
        v = (rootlets[index].y_mm - body.y) / body.half_depth
        points = [(float(a), float(b)) for a, b in zip(u, v, strict=True)]
        partner = _pairs([strands[one].shares[-1] for one in running], points)
        following = []
        for number, point in enumerate(points):
            if number in partner:
                strand = running[partner[number]]
                shares = (*strands[strand].shares, point)
                strands[strand] = replace(strands[strand], shares=shares)
            else:
                strand = len(strands)
                strands.append(Strand(index, (point,)))
            following.append(strand)
        running = following
    return strands


def _pairs(
    above: Sequence[tuple[float, float]], below: Sequence[tuple[float, float]]
) -> dict[int, int]:
    """Return, for indices below, the index above that each continues."""
    if not above or not below:
        return {}
    away = np.hypot(
        *(
            np.subtract.outer([p[i] for p in below], [p[i] for p in above])
            for i in (0, 1)
        )
    )
    partner: dict[int, int] = {}
    for flat in np.argsort(away, axis=None, kind="stable"):
        low, high = divmod(int(flat), len(above))
        if low not in partner and high not in partner.values():
            partner[low] = high
    return partner


def _tube(
    strand: Strand, segments: Sequence[Segment], body: Tube, conus_s_mm: float
) -> tuple[Tube, ...]:
    """Lay a strand through its shares; above the cone there is only the cord."""
    passed = segments[strand.first : strand.first + len(strand.shares)]
    radius = passed[0].section.rootlets.radius_mm
    s, shares = _knots(strand, passed)
    last = strand.first + len(strand.shares) == len(segments)
    # The lowest run on towards the end of the sac, the others leave it as roots.
    end = float(body.s_mm[0]) + 4.0 if last else float(s[0]) - 8.0
    start = max(conus_s_mm + 12.0, s[-1] + 1.0) if strand.first == 0 else s[-1] + 8.0
    s = np.concatenate([[end], s, [start]])
    leaving = shares[0] * (0.4 if last else 1.0)
    arriving = shares[-1] * (0.3 if strand.first == 0 else 1.0)
    shares = np.concatenate([[leaving], shares, [arriving]])
    fine = np.arange(s[0], s[-1], KNOT_MM)
    if len(fine) < 2:
        return ()
    u, v = (np.interp(fine, s, shares[:, i]) for i in (0, 1))
    x, y, half_width, half_depth = (
        np.interp(fine, body.s_mm, table)
        for table in (body.x_mm, body.y_mm, body.half_width_mm, body.half_depth_mm)
    )
    round_ = np.full(len(fine), radius)
    return (Tube(fine, x + u * half_width, y + v * half_depth, round_, round_),)


def _knots(strand: Strand, passed: Sequence[Segment]) -> tuple[Table, Table]:
    s: list[float] = []
    shares: list[tuple[float, float]] = []
    for index, segment in enumerate(passed):
        here = strand.shares[index]
        s.extend((segment.s_mm + PLATEAU_MM, segment.s_mm - PLATEAU_MM))
        shares.extend((here, here))
        if index + 1 < len(passed):
            there = strand.shares[index + 1]
            s.append((segment.s_mm + passed[index + 1].s_mm) / 2)
            shares.append(
                (
                    TOGETHER * (here[0] + there[0]) / 2,
                    TOGETHER * (here[1] + there[1]) / 2,
                )
            )
    return np.array(s[::-1]), np.array(shares[::-1])


def _inside(tubes: Sequence[Tube], sac: Solid) -> tuple[Tube, ...]:
    """Push every knot into the sac; where there is no room, thin the rootlet."""
    lengths = [len(tube.s_mm) for tube in tubes]
    s = np.concatenate([tube.s_mm for tube in tubes])
    x = np.concatenate([tube.x_mm for tube in tubes])
    y = np.concatenate([tube.y_mm for tube in tubes])
    radius = np.concatenate([tube.half_width_mm for tube in tubes])
    depth = -_distance(sac, x, y, s)
    for _ in range(PUSHES):
        out = np.flatnonzero(depth < radius + INSIDE_MM)
        if not len(out):
            break
        by = (radius + INSIDE_MM - depth)[out]
        dx, dy = _uphill(sac, x[out], y[out], s[out], -depth[out])
        x[out] -= by * dx
        y[out] -= by * dy
        depth[out] = -_distance(sac, x[out], y[out], s[out])
    radius = np.clip(depth - INSIDE_MM / 2, LEAST_RADIUS_MM, radius)
    ends = np.cumsum(lengths)[:-1]
    columns = (np.split(column, ends) for column in (s, x, y, radius))
    return tuple(
        _thinned_between(Tube(along, left, back, thick, thick), sac)
        for along, left, back, thick in zip(*columns, strict=True)
    )


def _thinned_between(tube: Tube, sac: Solid) -> Tube:
    """Thin a rootlet where it stands out of the sac between two of its knots.

    A sac that a herniation dents may be narrower there than at both.
    """
    radius = tube.half_width_mm.copy()
    for share in BETWEEN_KNOTS:
        s, x, y, thick = (
            column[:-1] * (1 - share) + column[1:] * share
            for column in (tube.s_mm, tube.x_mm, tube.y_mm, radius)
        )
        out_mm = thick + _distance(sac, x, y, s)
        out_mm[out_mm < STANDS_OUT_MM] = 0.0
        radius[:-1] -= out_mm
        radius[1:] = np.minimum(radius[1:], tube.half_width_mm[1:] - out_mm)
        radius = np.maximum(radius, LEAST_RADIUS_MM)
    return replace(tube, half_width_mm=radius, half_depth_mm=radius)


def _uphill(
    sac: Solid, x: Table, y: Table, s: Table, here: Table
) -> tuple[Table, Table]:
    """Return the direction in which the distance to a solid grows."""
    dx = _distance(sac, x + PROBE_MM, y, s) - here
    dy = _distance(sac, x, y + PROBE_MM, s) - here
    length = np.maximum(np.hypot(dx, dy), 1e-6)
    return dx / length, dy / length


def _distance(solid: Solid, x: Table, y: Table, s: Table) -> Table:
    # No solid of the canal asks where in the patient a point lies.
    return np.asarray(solid.distance(Place(x, y, s, x, y, s)), np.float64)


def bundle(segment: Segment, sac: Solid, rim_mm: float) -> Solid:
    """Return the part of the sac near a disc that rootlets fill but for a rim."""
    wide, middle = np.full(2, 60.0), np.zeros(2)
    s = segment.s_mm + np.array([-BUNDLE_REACH_MM, BUNDLE_REACH_MM])
    return Inside((Shrunk(sac, rim_mm), Tube(s, middle, middle, wide, wide)))
