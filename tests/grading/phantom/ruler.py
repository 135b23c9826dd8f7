"""A second measurer of slices, which sees nothing but label maps.

It reads the definitions of `docs/phantom.md` off cells of a tenth of a millimetre
and shares no code with `grading.phantom.measure`: neither its distances, nor its
outlines, nor its cuts, which are written down here a second time. What no label
shows, where a root would rest, comes as a mask of the resting root.

Every value is given with the interval that it covers when each edge is moved by one
cell; grades are certain where that whole interval has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.spine.cut import Cut, Points, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.place import Place
from tests.grading.phantom.labels import (
    CELL_MM,
    LabelMap,
    Mask,
    area_mm2,
    centroid,
    edges,
    first_rows,
    last_rows,
    nearest,
    nearest_stretch,
    pixel_points,
    rasterise,
    window,
)

COARSE_MM = 0.5
JOINT_WINDOW_MM = 60.0
JOINT_CENTRE_MM = 12.0
"""Behind the disc's margin: about where the joints' medial edges are."""
PATCH_MM = 6.0
"""Around a joint's edge as the coarse map shows it."""
AHEAD_MM = 22.0
BEHIND_MM = 15.0
ASIDE_MM = 18.5
"""Of the measuring map, from the middle of the intra-facet line."""
PAST_FACETS_MM = 5.0
"""A herniation is measured so far past the facets' edges."""
UNDER_MARGIN_MM = 0.2
"""In front of the posterior margin, where the label says whose disc it is."""

LDH_CUTS = (0.05, 0.5, 1.0)
LCCS_FLUID_MM = 1.35
LCCS_SHARES = (0.2, 0.85)
TOGETHER_MM = 0.5
VISIBLE_ROOTLET_MM2 = 0.15
FAT_MM = 0.6
DISPLACED_MM = 0.95
HALF_THICK = 0.5
VISIBLE_ROOT_SHARE = 0.25

PRESSED_GRADES = (1, 2, 3)
"""What a root may be of which a cell decides whether it can be seen."""

SIDES = ("right", "left")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, and the least and the greatest it may be one cell away."""

    value: float
    low: float
    high: float

    @classmethod
    def length(cls, value_mm: float) -> Reading:
        """Return a length between two edges, never negative."""
        return cls(value_mm, max(0.0, value_mm - CELL_MM), value_mm + CELL_MM)

    @property
    def ends(self) -> tuple[float, float, float]:
        """All three."""
        return self.low, self.value, self.high

    def holds(self, value: float) -> bool:
        """Say whether it may be so much."""
        return self.low <= value <= self.high


NOTHING = Reading(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RootReading:
    """One traversing root."""

    gap_mm: Reading
    shift_mm: Reading
    wall_gap_mm: Reading
    thickness: Reading
    """Over that at rest; 0 where less than a quarter of the root can be seen."""
    seen: Reading
    """Area over that at rest."""

    @property
    def grade(self) -> int:
        """Pfirrmann's grade."""
        return root_grade(
            self.gap_mm.value,
            self.shift_mm.value,
            self.wall_gap_mm.value,
            self.thickness.value,
        )

    @property
    def possible(self) -> frozenset[int]:
        """All grades within one cell."""
        ends = (self.gap_mm, self.shift_mm, self.wall_gap_mm, self.thickness)
        grades = {root_grade(*some) for some in product(*(one.ends for one in ends))}
        maybe_lost = self.seen.low < VISIBLE_ROOT_SHARE <= self.seen.high
        return frozenset(grades | set(PRESSED_GRADES) if maybe_lost else grades)


@dataclass(frozen=True, slots=True)
class SliceReading:
    """What the labels of one slice show."""

    level: Level
    share: Reading
    """r = h / D."""
    line_mm: float
    """D in the column of the largest share."""
    height_mm: float
    fluid_mm: Reading
    """a: in front of the rootlets."""
    together: Reading
    """q: share of rootlets without fluid to a neighbour."""
    nerves: int
    """Rootlets and bundles that can be seen."""
    sac_mm2: float
    sac_fluid_share: float
    roots: tuple[RootReading, RootReading]
    """Right, left."""
    facet_edges_mm: tuple[Points, Points]
    """Right, left; LPS."""
    margin_mm: Points
    """Of the disc, midway between the facets; LPS."""
    sac_centre_mm: Points

    @property
    def grades(self) -> tuple[int, int, int]:
        """LDH, LCCS, LNRC."""
        return (
            herniation_grade(self.share.value),
            canal_grade(self.fluid_mm.value, self.together.value),
            max(root.grade for root in self.roots),
        )

    @property
    def possible(self) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
        """The grades of each finding within one cell."""
        shares = (*self.together.ends, *filter(self.together.holds, LCCS_SHARES))
        canal = product(self.fluid_mm.ends, shares)
        sides = product(*(root.possible for root in self.roots))
        return (
            frozenset(herniation_grade(share) for share in self.share.ends),
            frozenset(canal_grade(*some) for some in canal),
            frozenset(max(both) for both in sides),
        )


def herniation_grade(share: float) -> int:
    """Return the MSU size: exactly one half is still 1."""
    return int(np.searchsorted(LDH_CUTS, share, side="left"))


def canal_grade(fluid_mm: float, together: float) -> int:
    """Return Lee's grade; aggregation comes before the fluid in front."""
    if together < LCCS_SHARES[0]:
        return 0 if fluid_mm >= LCCS_FLUID_MM else 1
    return 2 if together < LCCS_SHARES[1] else 3


def root_grade(
    gap_mm: float, shift_mm: float, wall_gap_mm: float, thickness: float
) -> int:
    """Return Pfirrmann's grade of one root."""
    lost = thickness == 0.0
    squeezed = thickness <= HALF_THICK and wall_gap_mm < FAT_MM
    touched = gap_mm < FAT_MM
    if lost or (touched and squeezed):
        return 3
    if not touched:
        return 0
    return 1 if shift_mm < DISPLACED_MM else 2


def read(spine: Spine, cut: Cut) -> SliceReading | None:
    """Measure the plane of a cut; None where it misses the disc or a joint."""
    level = shown_level(spine, cut)
    if level is None:
        return None
    joints = find_joints(spine, cut, level)
    if joints is None:
        return None
    chart = _lay_chart(spine, cut, level, joints)
    margin = last_rows(chart.disc)
    middle = (chart.map.cut.columns - 1) // 2
    if np.isnan(margin[middle]):
        return None
    share, height_mm, line_mm = _herniation(chart)
    sac = chart.map.where(_in_sac)
    nerves = _visible_nerves(chart.map)
    sac_mm2 = area_mm2(sac, CELL_MM)
    filled_mm2 = area_mm2(chart.map.where(_is_nerve), CELL_MM)
    return SliceReading(
        level=level,
        share=share,
        line_mm=line_mm,
        height_mm=height_mm,
        fluid_mm=_anterior_fluid(sac, nerves),
        together=_togetherness(nerves),
        nerves=sum(_is_seen(_area(one).value) for one in nerves.values()),
        sac_mm2=sac_mm2,
        sac_fluid_share=1 - filled_mm2 / max(sac_mm2, CELL_MM**2),
        roots=(_root(chart, 0), _root(chart, 1)),
        facet_edges_mm=joints,
        margin_mm=chart.map.cut.at(margin[middle], middle),
        sac_centre_mm=chart.map.cut.at(*centroid(sac)),
    )


def shown_level(spine: Spine, cut: Cut) -> Level | None:
    """Return the disc whose label lies just under the posterior margin."""
    s = spine.axis.s
    line = spine.axis.locate(0.0, -UNDER_MARGIN_MM, s)
    depth = cut.depth_mm(line)
    for knot in np.flatnonzero((depth[1:] > 0) != (depth[:-1] > 0)):
        share = depth[knot] / (depth[knot] - depth[knot + 1])
        point = line[knot] + share * (line[knot + 1] - line[knot])
        name = _name_at(spine, point)
        for level in Level:
            if name in _disc_names(level):
                return level
    return None


def certain_level(spine: Spine, cut: Cut) -> bool:
    """Say whether planes a cell to either side show the same disc, or none."""
    planes = (cut, cut.shifted(-CELL_MM), cut.shifted(CELL_MM))
    return len({shown_level(spine, plane) for plane in planes}) == 1


def find_joints(spine: Spine, cut: Cut, level: Level) -> tuple[Points, Points] | None:
    """Return where the two joint spaces come nearest each other: right, left."""
    space = _space(spine, level)
    middle = spine.axis.locate(0.0, JOINT_CENTRE_MM, space.s_mm)
    # Along the plane to where it meets the disc's own column of joints.
    up = spine.axis.direction(space.s_mm)
    middle = middle - cut.depth_mm(middle) / float(up @ np.array(cut.normal)) * up
    coarse = rasterise(spine, window(cut, middle, JOINT_WINDOW_MM, COARSE_MM))
    found = _nearest_joints(coarse, level)
    if found is None:
        return None
    fine = [rasterise(spine, window(cut, one, PATCH_MM, CELL_MM)) for one in found]
    right, left = (
        patch.cut.at(*edges(patch.where(_named(_joint_name(side, level)))).T)
        for patch, side in zip(fine, SIDES, strict=True)
    )
    if not len(right) or not len(left):
        return None
    return (
        nearest_stretch(right, left, CELL_MM),
        nearest_stretch(left, right, CELL_MM),
    )


def _nearest_joints(map_: LabelMap, level: Level) -> tuple[Points, Points] | None:
    outlines = [edges(map_.where(_named(_joint_name(side, level)))) for side in SIDES]
    _, right, left = nearest(*outlines)
    if right < 0:
        return None
    return map_.cut.at(*outlines[0][right]), map_.cut.at(*outlines[1][left])


@dataclass(frozen=True)
class _Chart:
    """A label map whose rows run along the intra-facet line, front to back."""

    map: LabelMap
    space: DiscSpace
    line_row: float
    half_width_mm: float
    """Half the distance between the facets' edges."""

    @cached_property
    def at(self) -> Place:
        """Every cell in the straightened frame."""
        return self.map.spine.axis.straighten(pixel_points(self.map.cut))

    @cached_property
    def disc(self) -> Mask:
        return self.map.where(_named(*_disc_names(self.space.level)))

    @cached_property
    def herniation(self) -> Mask:
        return self.map.where(_named(f"herniation {self.space.level}"))

    @property
    def aside_mm(self) -> NDArray[np.float64]:
        """Of each column, from midway between the facets."""
        columns = np.arange(self.map.cut.columns)
        away: NDArray[np.float64] = np.abs(columns - (len(columns) - 1) / 2)
        return away * CELL_MM


def _lay_chart(
    spine: Spine, cut: Cut, level: Level, joints: tuple[Points, Points]
) -> _Chart:
    right, left = joints
    width_mm = float(np.linalg.norm(left - right))
    along, middle = (left - right) / width_mm, (left + right) / 2
    space = _space(spine, level)
    back = np.cross(cut.normal, along)
    if back @ (middle - spine.axis.locate(0.0, 0.0, space.s_mm)) < 0:
        back = -back  # joints lie behind the margin
    aligned = Cut(
        position_mm=vector(middle - ASIDE_MM * along - AHEAD_MM * back),
        along_row=vector(along),
        along_column=vector(back),
        spacing_mm=(CELL_MM, CELL_MM),
        rows=round((AHEAD_MM + BEHIND_MM) / CELL_MM) + 1,
        columns=round(2 * ASIDE_MM / CELL_MM) + 1,
    )
    return _Chart(rasterise(spine, aligned), space, AHEAD_MM / CELL_MM, width_mm / 2)


def _herniation(chart: _Chart) -> tuple[Reading, float, float]:
    """Return r, and h and D of the column in which it is largest."""
    margin, back = last_rows(chart.disc), last_rows(chart.herniation)
    line_mm = (chart.line_row - margin) * CELL_MM
    height_mm = np.nan_to_num((back - margin) * CELL_MM)
    usable = (chart.aside_mm <= chart.half_width_mm + PAST_FACETS_MM) & (line_mm > 0)
    if not (usable & (height_mm > 0)).any():
        middle = int(chart.aside_mm.argmin())
        return NOTHING, 0.0, float(line_mm[middle])
    share = np.where(usable, height_mm / np.where(usable, line_mm, 1.0), 0.0)
    best = int(share.argmax())
    height, line = float(height_mm[best]), float(line_mm[best])
    low = (height - CELL_MM) / (line + CELL_MM)
    high = (height + CELL_MM) / max(line - CELL_MM, CELL_MM)
    return Reading(height / line, max(0.0, low), high), height, line


def _visible_nerves(labels: LabelMap) -> dict[str, Mask]:
    """Return the rootlets and bundles of which a cell more or less is visible."""
    return {
        name: mask
        for name, mask in labels.instances(_is_nerve).items()
        if _area(mask).high >= VISIBLE_ROOTLET_MM2
    }


def _anterior_fluid(sac: Mask, nerves: Mapping[str, Mask]) -> Reading:
    """Return the least fluid in front of a rootlet in the sac's middle half.

    The half begins and ends between cells too, so that it may be one wider or less; and
    a wall with a step in it may have that step one cell aside.
    """
    areas = {name: _area(one) for name, one in nerves.items()}
    certain = [one for name, one in nerves.items() if _is_seen(areas[name].low)]
    likely = [one for name, one in nerves.items() if _is_seen(areas[name].value)]
    every = list(nerves.values())
    values = [
        _fluid_before(sac, some, wider, aside)
        for wider in (0, -1, 1)
        for aside in (0, -1, 1)
        for some in (likely, certain, every)
    ]
    return Reading(values[0], max(0.0, min(values) - CELL_MM), max(values) + CELL_MM)


def _fluid_before(
    sac: Mask, nerves: Iterable[Mask], wider: int = 0, aside: int = 0
) -> float:
    columns = np.flatnonzero(sac.any(axis=0))
    if not len(columns):
        return 0.0
    depth = float(np.nanmax(last_rows(sac) - first_rows(sac)))
    quarter = (columns[-1] - columns[0]) / 4
    middle = np.arange(
        int(np.ceil(columns[0] + quarter)) - wider,
        int(columns[-1] - quarter) + 1 + wider,
    )
    nerve = np.zeros_like(sac)
    for one in nerves:
        nerve |= one
    gaps = (first_rows(nerve) - np.roll(first_rows(sac), aside))[middle]
    return float(np.nanmin(np.append(gaps, depth))) * CELL_MM


def _togetherness(nerves: Mapping[str, Mask]) -> Reading:
    """Return the share of rootlets whose neighbour is nearer than fluid shows."""
    names = list(nerves)
    gaps_mm = _gaps([nerves[name] for name in names])
    areas = [_area(nerves[name]) for name in names]
    bundled = np.array([name.startswith("bundle") for name in names], bool)

    def share(areas_mm2: Iterable[float], within_mm: float) -> float:
        held = np.array([_is_seen(area) for area in areas_mm2], bool)
        if held.sum() < 2:
            return float(bundled[held].any())
        return float((gaps_mm[np.ix_(held, held)] < within_mm).any(axis=1).mean())

    value = share([area.value for area in areas], TOGETHER_MM)
    values = [
        share(some, TOGETHER_MM + by_mm)
        for some in ([area.low for area in areas], [area.high for area in areas])
        for by_mm in (-CELL_MM, 0.0, CELL_MM)
    ]
    return Reading(value, min(value, *values), max(value, *values))


def _gaps(masks: list[Mask]) -> NDArray[np.float64]:
    """Return (masks, masks) distances in mm, infinite on the diagonal."""
    outlines = [edges(mask) for mask in masks]
    gaps = np.full((len(masks), len(masks)), np.inf)
    for i, one in enumerate(outlines):
        for j in range(i):
            gaps[i, j] = gaps[j, i] = nearest(one, outlines[j])[0] * CELL_MM
    return gaps


def _root(chart: _Chart, side: int) -> RootReading:
    labels, level = chart.map, chart.space.level
    root = labels.where(_named(f"root {SIDES[side]} {level}"))
    resting: Mask = chart.space.resting_roots[side].distance(chart.at) < 0
    area, whole_mm2 = _area(root), _area(resting).value
    seen = Reading(*(end / whole_mm2 for end in (area.value, area.low, area.high)))
    if seen.value < VISIBLE_ROOT_SHARE:
        return RootReading(NOTHING, NOTHING, NOTHING, NOTHING, seen)
    shift_mm = (centroid(root)[0] - centroid(resting)[0]) * CELL_MM
    share, cell = _extent(root) / _extent(resting), CELL_MM / _extent(resting)
    return RootReading(
        gap_mm=_gap(root, chart.disc | chart.herniation),
        shift_mm=Reading(shift_mm, shift_mm - CELL_MM, shift_mm + CELL_MM),
        wall_gap_mm=_gap(root, labels.where(_is_wall(level))),
        thickness=Reading(share, share - cell, share + cell),
        seen=seen,
    )


def _gap(one: Mask, other: Mask) -> Reading:
    return Reading.length(nearest(edges(one), edges(other))[0] * CELL_MM)


def _extent(mask: Mask) -> float:
    """Return how far the cells reach across the facet line, in mm."""
    return float(np.count_nonzero(mask.any(axis=1))) * CELL_MM


def _area(mask: Mask) -> Reading:
    """Return an area in mm2; its ends are a rim of one cell less or more."""
    value = area_mm2(mask, CELL_MM)
    rim = len(edges(mask)) * CELL_MM**2
    return Reading(value, max(0.0, value - rim), value + rim)


def _is_seen(rootlet_mm2: float) -> bool:
    return rootlet_mm2 >= VISIBLE_ROOTLET_MM2


def _space(spine: Spine, level: Level) -> DiscSpace:
    return next(space for space in spine.discs if space.level is level)


def _name_at(spine: Spine, point_mm: Points) -> str | None:
    index = int(spine.part_at(point_mm[np.newaxis])[0])
    return spine.parts[index].name if index >= 0 else None


def _disc_names(level: Level) -> tuple[str, str]:
    return f"annulus {level}", f"nucleus {level}"


def _joint_name(side: str, level: Level) -> str:
    return f"joint {side} {level}"


def _named(*names: str) -> Callable[[str], bool]:
    return names.__contains__


def _is_nerve(name: str) -> bool:
    return name.startswith(("rootlet ", "bundle "))


def _in_sac(name: str) -> bool:
    return name in ("fluid", "cord") or _is_nerve(name)


def _is_wall(level: Level) -> Callable[[str], bool]:
    """Return whether a name is that of flavum, facet or osteophyte of a level."""
    kinds = ("flavum ", "superior process", "osteophyte ", "joint ")
    ends = (str(level), f"{level} cortex")
    return lambda name: name.startswith(kinds) and name.endswith(ends)
