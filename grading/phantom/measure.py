"""Grades and landmarks of one slice, measured on the geometry that it cuts.

The central plane of the slice decides: a slice shows a disc, and has grades, where
that plane crosses the disc's posterior margin at the midline between the endplates.
The definitions are those of `docs/phantom.md`; nothing here knows which grades were
wanted, and nothing is read from how the spine was drawn but where its parts lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.grades import AxialMarks, Finding, Grade, Level, PixelPoint
from grading.phantom.contour import (
    Field,
    Outline,
    coverage,
    first_crossing,
    last_crossing,
    least_gap,
    nearest,
    outline,
)
from grading.phantom.definitions import (
    LEAST_ROOT_SHARE,
    LEAST_ROOTLET_MM2,
    SEPARATE_GAP_MM,
    grade_canal,
    grade_herniation,
    grade_root,
)
from grading.phantom.spine.cut import Cut, Vector, vector
from grading.phantom.spine.grid import place_of
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.place import Place
from grading.phantom.spine.solids import FAR_MM, Solid

PITCH_MM = 0.25
"""Of the measuring grid; outlines lie between its points, so they are finer."""
MARGIN_MM = 1.0
"""Around a solid's cuboid, so that its whole outline is on the grid."""
AHEAD_MM = 25.0
"""How far the grid reaches from the intra-facet line towards the disc."""
BEHIND_MM = 14.0
ASIDE_MM = 24.0
BEYOND_FACETS_MM = 5.0
"""How far past the facets' edges a herniation is still measured: the foraminal zone."""
JOINT_WINDOW_MM = 56.0


@dataclass(frozen=True, slots=True)
class RootTruth:
    """One side's traversing root."""

    gap_mm: float
    """To the disc material in front; 0 where they touch."""
    shift_mm: float
    """Of its centre, backwards from where it would rest, across the facet line."""
    wall_gap_mm: float
    """To flavum, facet or osteophyte."""
    thickness_share: float
    """Across the facet line, over that at rest; 0 where it is lost in disc material."""
    grade: Grade


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Points of the central plane, LPS in mm."""

    disc_margin_mm: Vector
    """Of the disc without its herniation, between the facets."""
    sac_centre_mm: Vector
    facet_right_mm: Vector
    """Medial edge of the joint: where the two joint spaces come nearest each other."""
    facet_left_mm: Vector

    def marks(self, cut: Cut) -> AxialMarks:
        """Return them in pixels of the slice that lies there."""
        return AxialMarks(
            disc_margin=pixel_of(cut, self.disc_margin_mm),
            sac_centre=pixel_of(cut, self.sac_centre_mm),
            facet_right=pixel_of(cut, self.facet_right_mm),
            facet_left=pixel_of(cut, self.facet_left_mm),
        )


def pixel_of(cut: Cut, point_mm: Vector) -> PixelPoint:
    """Return where on a slice a point lies: LPS in mm."""
    row, column = cut.pixel(np.array(point_mm))
    return PixelPoint(float(row), float(column))


@dataclass(frozen=True, slots=True)
class SliceTruth:
    """What was measured on one slice through a disc."""

    level: Level
    off_centre_mm: float
    """Along the spine, from the disc's middle to the plane, at the posterior margin."""
    grades: tuple[Grade, Grade, Grade]
    """LDH, LCCS, LNRC: the order of `Finding`."""
    facet_line_mm: float
    """D in the column of the largest share."""
    herniation_mm: float
    """h in that column."""
    herniation_share: float
    """r = h / D, the largest of all columns."""
    anterior_fluid_mm: float
    aggregation: float
    fluid_share: float
    sac_area_mm2: float
    right: RootTruth
    left: RootTruth
    landmarks: Landmarks

    def grade(self, finding: Finding) -> Grade:
        """Return the slice's grade of one finding; of two sides the worse."""
        return self.grades[list(Finding).index(finding)]


def measure(spine: Spine, cut: Cut) -> SliceTruth | None:
    """Measure everything on a slice's central plane; None where it shows no disc."""
    found = crossed_disc(spine, cut)
    if found is None:
        return None
    space, s_mm = found
    try:
        board = _lay_board(spine, space, cut, s_mm)
    except ValueError:
        return None  # cut so obliquely that a joint is missed
    share, height_mm, line_mm = _herniation(board, space)
    sac = board.field(spine.sac)
    nerves = _nerves(board, spine, space)
    front_mm = _anterior_fluid_mm(sac, nerves)
    aggregated = _aggregation(nerves, space, board)
    filled = np.minimum.reduce([np.full_like(sac, FAR_MM), *nerves])
    inside = coverage(sac, PITCH_MM)
    area_mm2 = float(inside.sum()) * PITCH_MM**2
    fluid = float((inside * (1 - coverage(filled, PITCH_MM))).sum())
    material = _material(board, space)
    right, left = (
        _root(board, space, side, material, board.field(space.walls)) for side in (0, 1)
    )
    landmarks = _landmarks(board, space, inside)
    if not np.isfinite(landmarks.disc_margin_mm).all():
        return None  # at the disc's very end, between the facets it is missed
    return SliceTruth(
        level=space.level,
        off_centre_mm=s_mm - space.s_mm,
        grades=(
            grade_herniation(share),
            grade_canal(front_mm, aggregated),
            max(right.grade, left.grade),
        ),
        facet_line_mm=line_mm,
        herniation_mm=height_mm,
        herniation_share=share,
        anterior_fluid_mm=front_mm,
        aggregation=aggregated,
        fluid_share=fluid * PITCH_MM**2 / max(area_mm2, 1e-6),
        sac_area_mm2=area_mm2,
        right=right,
        left=left,
        landmarks=landmarks,
    )


def crossed_disc(spine: Spine, cut: Cut) -> tuple[DiscSpace, float] | None:
    """Return the disc whose posterior margin the plane crosses, and where along s."""
    s = spine.axis.s
    depth = cut.depth_mm(spine.axis.locate(0.0, 0.0, s))
    steps = np.flatnonzero(np.diff(np.signbit(depth)))
    for step in steps:
        share = depth[step] / (depth[step] - depth[step + 1])
        s_mm = float(s[step] + share * (s[step + 1] - s[step]))
        for space in spine.discs:
            if abs(s_mm - space.s_mm) <= space.height_mm / 2:
                return space, s_mm
    return None


@dataclass(frozen=True, slots=True)
class _Board:
    """A measuring grid whose rows run across the intra-facet line, front to back."""

    cut: Cut
    at: Place
    right_edge_mm: Vector
    left_edge_mm: Vector
    line_row: float
    """Row of the intra-facet line."""
    middle_column: float
    half_width_mm: float
    """Half the distance between the facets' edges."""

    def field(self, solid: Solid) -> Field:
        """Return a solid's signed distance on the grid, far away beyond its cuboid."""
        field = np.full(self.at.shape, FAR_MM, np.float32)
        held = solid.box().holds(self.at, MARGIN_MM)
        rows, columns = (
            np.flatnonzero(held.any(axis=1)),
            np.flatnonzero(held.any(axis=0)),
        )
        if not len(rows):
            return field
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        field[window] = solid.distance(self.at[window])
        return field


def _lay_board(spine: Spine, space: DiscSpace, cut: Cut, s_mm: float) -> _Board:
    """Find the facets' edges on the plane and lay the grid along their line.

    Raises
    ------
    ValueError
        The plane misses a joint.
    """
    middle = spine.axis.locate(0.0, 12.0, s_mm)
    pixels = round(JOINT_WINDOW_MM / PITCH_MM)
    middle -= cut.depth_mm(middle) * np.array(cut.normal)
    plain = Cut.centred(
        vector(middle),
        cut.along_row,
        cut.along_column,
        (PITCH_MM, PITCH_MM),
        (pixels, pixels),
    )
    at = place_of(spine.axis, plain)
    edges = [outline(_field(joint, at)) for joint in space.joints]
    if not all(len(edge) for edge in edges):
        raise ValueError("the plane misses a facet joint")
    i, j = nearest(edges[0], edges[1])
    right, left = plain.at(*edges[0][i]), plain.at(*edges[1][j])
    along = left - right
    width_mm = float(np.linalg.norm(along))
    along /= width_mm
    back = np.cross(cut.normal, along)
    if back @ spine.axis.locate(0, 1, s_mm) < back @ spine.axis.locate(0, 0, s_mm):
        back = -back
    line_row = AHEAD_MM / PITCH_MM
    rows = round((AHEAD_MM + BEHIND_MM) / PITCH_MM) + 1
    columns = round(2 * ASIDE_MM / PITCH_MM) + 1
    corner = (right + left) / 2 - AHEAD_MM * back - ASIDE_MM * along
    aligned = Cut(
        vector(corner),
        vector(along),
        vector(back),
        (PITCH_MM, PITCH_MM),
        rows,
        columns,
    )
    return _Board(
        cut=aligned,
        at=place_of(spine.axis, aligned),
        right_edge_mm=vector(right),
        left_edge_mm=vector(left),
        line_row=line_row,
        middle_column=(columns - 1) / 2,
        half_width_mm=width_mm / 2,
    )


def _field(solid: Solid, at: Place) -> Field:
    field = np.full(at.shape, FAR_MM, np.float32)
    held = solid.box().holds(at, MARGIN_MM)
    rows, columns = (np.flatnonzero(held.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        field[window] = solid.distance(at[window])
    return field


def _herniation(board: _Board, space: DiscSpace) -> tuple[float, float, float]:
    """Return r, h and D of the column in which r is largest."""
    margin = last_crossing(board.field(space.disc))
    columns = np.arange(len(margin))
    aside_mm = np.abs(columns - board.middle_column) * PITCH_MM
    line_mm = (board.line_row - margin) * PITCH_MM
    usable = (aside_mm <= board.half_width_mm + BEYOND_FACETS_MM) & (line_mm > 0)
    middle = int(board.middle_column)
    if space.herniation is None:
        return 0.0, 0.0, float(line_mm[middle])
    back = last_crossing(board.field(space.herniation))
    height_mm = np.where(np.isfinite(back), (back - margin) * PITCH_MM, 0.0)
    share = np.where(usable, height_mm / np.where(usable, line_mm, 1.0), 0.0)
    best = int(np.nanargmax(share))
    if share[best] <= 0:
        return 0.0, 0.0, float(line_mm[middle])
    return float(share[best]), float(height_mm[best]), float(line_mm[best])


def _nerves(board: _Board, spine: Spine, space: DiscSpace) -> list[Field]:
    """Return the field of each rootlet that can be seen, or of the bundle."""
    if space.bundle is not None:
        bundle = board.field(space.bundle)
        if (bundle < 0).any():
            return [bundle]
    fields = [board.field(rootlet) for rootlet in spine.rootlets]
    least = LEAST_ROOTLET_MM2 / PITCH_MM**2
    return [one for one in fields if coverage(one, PITCH_MM).sum() >= least]


def _anterior_fluid_mm(sac: Field, nerves: Sequence[Field]) -> float:
    """Return the least fluid between the sac's front and a rootlet.

    Only the middle half of the sac counts: at its corners the front wall bends
    round to the rootlets of any sac. Its limits lie between the grid's columns, so
    that a rootlet on one of them counts as far as it reaches in.
    """
    wall = outline(sac)
    if not len(wall):
        return 0.0
    leftmost, rightmost = float(wall[:, 1].min()), float(wall[:, 1].max())
    quarter = (rightmost - leftmost) / 4
    limits = np.array([leftmost + quarter, rightmost - quarter])
    depth = float(np.nanmax(last_crossing(sac) - first_crossing(sac), initial=0.0))
    if not nerves:
        return depth * PITCH_MM
    gaps = _gaps_before(np.minimum.reduce(list(nerves)), first_crossing(sac), limits)
    return max(0.0, float(gaps.min(initial=depth))) * PITCH_MM


def _gaps_before(
    nerve: Field, front: NDArray[np.float64], limits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return gaps from a front, in pixels by column, to an outline between limits."""
    edge = outline(nerve)
    columns = np.arange(len(front))
    at_limits = np.interp(limits, columns, first_crossing(nerve))
    edge = np.concatenate([edge, np.column_stack([at_limits, limits])])
    edge = edge[(edge[:, 1] >= limits[0]) & (edge[:, 1] <= limits[1])]
    edge = edge[np.isfinite(edge[:, 0])]
    held = np.isfinite(front)
    gaps: NDArray[np.float64] = edge[:, 0] - np.interp(
        edge[:, 1], columns[held], front[held]
    )
    return gaps


def _aggregation(nerves: Sequence[Field], space: DiscSpace, board: _Board) -> float:
    """Return q: the share of rootlets with no fluid seen to their neighbour."""
    if len(nerves) < 2:
        return 1.0 if nerves and space.bundle is not None else 0.0
    outlines = [outline(one) for one in nerves]
    close = np.zeros(len(outlines), bool)
    for i, one in enumerate(outlines):
        for j in range(i + 1, len(outlines)):
            if least_gap(one, outlines[j], PITCH_MM) < SEPARATE_GAP_MM:
                close[i] = close[j] = True
    return float(close.mean())


def _material(board: _Board, space: DiscSpace) -> Field:
    disc = board.field(space.disc)
    if space.herniation is None:
        return disc
    return np.minimum(disc, board.field(space.herniation))


def _root(
    board: _Board, space: DiscSpace, side: int, material: Field, walls: Field
) -> RootTruth:
    root = board.field(space.roots[side])
    resting = board.field(space.resting_roots[side])
    seen, whole = coverage(root, PITCH_MM), coverage(resting, PITCH_MM)
    lost = seen.sum() < LEAST_ROOT_SHARE * whole.sum()
    edge = outline(root)
    shift_mm = 0.0 if lost else (_row_centre(seen) - _row_centre(whole)) * PITCH_MM
    gap_mm = 0.0 if lost else _gap(edge, root, material)
    wall_gap_mm = 0.0 if lost else _gap(edge, root, walls)
    thickness = 0.0 if lost else _extent(edge) / max(_extent(outline(resting)), 1e-6)
    return RootTruth(
        gap_mm=gap_mm,
        shift_mm=shift_mm,
        wall_gap_mm=wall_gap_mm,
        thickness_share=thickness,
        grade=grade_root(gap_mm, shift_mm, wall_gap_mm, thickness),
    )


def _gap(edge: Outline, root: Field, other: Field) -> float:
    if (np.maximum(root, other) < 0).any():
        return 0.0
    return least_gap(edge, outline(other), PITCH_MM)


def _row_centre(share: Field) -> float:
    weights = share.sum(axis=1)
    return float(weights @ np.arange(len(weights)) / max(float(weights.sum()), 1e-9))


def _extent(edge: Outline) -> float:
    return float(np.ptp(edge[:, 0])) if len(edge) else 0.0


def _landmarks(board: _Board, space: DiscSpace, inside: Field) -> Landmarks:
    margin = last_crossing(board.field(space.disc))
    columns = inside.sum(axis=0)
    middle = int(board.middle_column)
    sac_column = float(columns @ np.arange(len(columns)) / max(columns.sum(), 1e-9))
    return Landmarks(
        disc_margin_mm=vector(board.cut.at(float(margin[middle]), float(middle))),
        sac_centre_mm=vector(board.cut.at(_row_centre(inside), sac_column)),
        facet_right_mm=board.right_edge_mm,
        facet_left_mm=board.left_edge_mm,
    )


def level_cut(spine: Spine, space: DiscSpace) -> Cut:
    """Return the plane through the middle of a disc, square to the spine."""
    along = spine.axis.direction(space.s_mm)
    left = spine.axis.leftwards(space.s_mm)
    left -= along * (left @ along)
    left /= np.linalg.norm(left)
    centre: NDArray[np.float64] = spine.axis.locate(0.0, 0.0, space.s_mm)
    return Cut.centred(
        vector(centre), vector(left), vector(np.cross(along, left)), (1.0, 1.0), (1, 1)
    )
