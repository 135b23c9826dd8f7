"""Vertebrae, discs and sacrum: what the canal runs behind and between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from grading.phantom.section.anatomy import Disc, Facet
from grading.phantom.shapes import Capsule, Ellipse, Shape, Union
from grading.phantom.spine.parts import Part
from grading.phantom.spine.place import Box, Place, Plane
from grading.phantom.spine.segment import Segment
from grading.phantom.spine.solids import (
    Ellipsoid,
    Loft,
    Shrunk,
    Solid,
    Table,
    Tube,
    Whole,
)
from grading.phantom.spine.tissues import Tissue

CORTEX_MM = 0.9
ENDPLATE_MM = 0.9
DOME = 0.35
"""How much higher a disc is at its centre than at its rim: endplates are concave."""
WAIST = 0.88
"""Width of a vertebra at half height over its endplates'."""
BACK_WAIST_MM = 1.8
"""How far the back of a vertebra is hollowed at half height."""
FRONT_WAIST_MM = 2.6
BODY_EXPONENT = 2.5
RIM_MM = 0.3
"""How far a disc without a bulge stands over the vertebrae's edge."""
PEDICLE_BELOW_DISC_MM = 9.0
"""From the endplate down to the middle of the pedicle."""
PEDICLE_HALF_HEIGHT_MM = 7.0
"""Dimensions of pedicles, laminae and processes are choices, from the look of
slices; nothing that is graded hangs on them."""
LAMINA_DOWN_MM = (4.0, 11.0)
"""Below the point 4 mm above a disc's middle: most discs have bone behind them."""
LAMINA_UP_MM = 15.0
LAMINA_OVERLAP_MM = 0.6
S1_MM = 28.0
S2_MM = 24.0
SACRAL_BODY = (
    (88.0, 0.28, 0.20),
    (72.0, 0.38, 0.28),
    (52.0, 0.52, 0.40),
    (28.0, 0.68, 0.58),
    (10.0, 0.88, 0.88),
    (0.0, 0.97, 0.98),
)
"""Below L5/S1, then width and depth over those of its disc."""
SACRAL_CREST = (
    (85.0, 11.0, 8.0, 2.5),
    (55.0, 15.5, 11.0, 3.2),
    (30.0, 19.0, 13.0, 3.6),
    (16.0, 22.0, 12.0, 3.2),
)
"""Below L5/S1, y, half width and half depth of the arches that close the canal."""
REMNANTS = (("disc S1/S2", S1_MM + 1, 1.0), ("disc S2/S3", S1_MM + S2_MM, 0.7))


@dataclass(frozen=True, slots=True)
class DiscBody:
    """A disc between two concave endplates."""

    disc: Disc
    s_mm: float
    half_height_mm: float
    """At its rim."""
    grown_mm: float = 0.0
    """Along the spine only: the endplates around it."""

    def distance(self, at: Place) -> Plane:
        """Return the distance to the outline or to an endplate."""
        half_width, half_depth = self.disc.width_mm / 2, self.disc.depth_mm / 2
        radius = (at.x / half_width) ** 2 + (at.y / half_depth + 1) ** 2
        height = self.half_height_mm * (1 + DOME * np.maximum(0, 1 - radius))
        above = np.abs(at.s - self.s_mm) - height - self.grown_mm
        distance: Plane = np.maximum(self.disc.distance(at.x, at.y), above)
        return distance

    def box(self) -> Box:
        """Return the cuboid around it."""
        left, right, front, back = self.disc.box()
        high = self.half_height_mm * (1 + DOME) + self.grown_mm
        return Box(
            (left, right),
            (front - 1, back + 1),
            (self.s_mm - high, self.s_mm + high),
        )


def bone(name: str, solid: Solid, cortex_mm: float = CORTEX_MM) -> tuple[Part, ...]:
    """Return a bone: its dark shell, and the marrow inside."""
    return (
        Part(f"{name} cortex", Tissue.CORTEX, solid, fine=True),
        Part(name, Tissue.MARROW, Shrunk(solid, cortex_mm), fine=True),
    )


def pedicles(segments: Sequence[Segment], rng: np.random.Generator) -> tuple[Part, ...]:
    """Return pedicles and transverse processes; the sacrum has none."""
    return tuple(
        part
        for segment in segments[:-1]
        for side in (-1, 1)
        for part in _pedicle(segment, side, rng)
    )


def arch(segment: Segment, rng: np.random.Generator) -> tuple[Part, ...]:
    """Return the arch behind a disc, and the processes before its joints."""
    pairs = [facet_processes(segment, facet) for facet in segment.section.facets]
    behind = Whole((*_laminae(segment, rng), *(inferior for inferior, _ in pairs)))
    before = Whole(tuple(superior for _, superior in pairs))
    return (
        *bone(f"arch above {segment.name}", behind, 1.2),
        *bone(f"superior processes {segment.name}", before),
    )


def joints(segment: Segment) -> tuple[Part, ...]:
    """Return the spaces of both joints; their medial edges lie free of the flavum."""
    return tuple(
        Part(
            f"joint {'left' if facet.side > 0 else 'right'} {segment.name}",
            Tissue.JOINT,
            joint(segment, facet),
            fine=True,
            shade=1.0 if facet.fluid else 0.0,
        )
        for facet in segment.section.facets
    )


def facet_processes(segment: Segment, facet: Facet) -> tuple[Solid, Solid]:
    """Return the upper vertebra's process behind, the lower's in front."""
    return (
        Loft(facet.inferior_process(), segment.s_mm, 9.0, 16.0, 2.0),
        Loft(facet.superior_process(), segment.s_mm, 15.0, 9.0, 2.0),
    )


def joint(segment: Segment, facet: Facet) -> Solid:
    """Return the space of one facet joint."""
    return Loft(facet.joint(), segment.s_mm, 9.0, 9.0)


def bodies(segments: Sequence[Segment], rng: np.random.Generator) -> tuple[Part, ...]:
    """Return the vertebral bodies with their veins, and the sacrum's first two."""
    parts: list[Part] = []
    for above, below in pairwise(segments):
        parts.extend(_body(above, below, rng))
    parts.extend(_sacrum(segments[-1]))
    return tuple(parts)


def disc_parts(segment: Segment, rng: np.random.Generator) -> tuple[Part, ...]:
    """Return endplates, annulus and nucleus."""
    disc = segment.section.disc
    endplate = DiscBody(disc, segment.s_mm, segment.half_height_mm, ENDPLATE_MM)
    nucleus = _nucleus(segment, rng)
    shade = 1 - segment.wear
    return (
        Part(f"endplates {segment.name}", Tissue.CORTEX, endplate, fine=True),
        Part(f"annulus {segment.name}", Tissue.ANNULUS, disc_body(segment), fine=True),
        Part(
            f"nucleus {segment.name}", Tissue.NUCLEUS, nucleus, fine=True, shade=shade
        ),
    )


def disc_body(segment: Segment) -> DiscBody:
    """Return the disc without its herniation."""
    return DiscBody(segment.section.disc, segment.s_mm, segment.half_height_mm)


def _nucleus(segment: Segment, rng: np.random.Generator) -> Solid:
    disc = segment.section.disc
    width = float(rng.uniform(0.60, 0.70))
    half_height = segment.half_height_mm * (1 + DOME) * 0.8
    return Ellipsoid(
        x_mm=0.0,
        y_mm=-disc.depth_mm * 0.48,
        s_mm=segment.s_mm,
        half_width_mm=disc.width_mm / 2 * width,
        half_depth_mm=disc.depth_mm / 2 * width,
        below_mm=half_height,
        above_mm=half_height,
    )


def _body(above: Segment, below: Segment, rng: np.random.Generator) -> tuple[Part, ...]:
    high, low = above.s_mm, below.s_mm
    name = f"vertebra below {above.name}"
    s = np.linspace(low, high, 13)
    share = (s - low) / (high - low)
    waist = np.sin(np.pi * share) ** 2
    half_width = _mix(below.section.disc.width_mm, above.section.disc.width_mm, share)
    half_width = (half_width / 2 - 0.8) * (1 - (1 - WAIST) * waist)
    depth = _mix(below.section.disc.depth_mm, above.section.disc.depth_mm, share)
    edge = _mix(below.section.bulge_mm, above.section.bulge_mm, share)
    back = -np.maximum(edge * (1 - waist), 0) - RIM_MM - BACK_WAIST_MM * waist
    front = -depth + 0.8 + FRONT_WAIST_MM * waist
    solid = Tube(
        s,
        np.zeros_like(s),
        (back + front) / 2,
        half_width,
        (back - front) / 2,
        BODY_EXPONENT,
    )
    middle = (high + low) / 2
    vein = Ellipsoid(
        0.0, -2.5, middle, float(rng.uniform(3, 6)), float(rng.uniform(4, 10)), 1.6, 1.6
    )
    return (
        *bone(name, solid),
        Part(f"basivertebral vein {name}", Tissue.VEIN, vein, fine=True),
    )


def _mix(low: float, high: float, share: Table) -> Table:
    return low + share * (high - low)


def _sacrum(last: Segment) -> tuple[Part, ...]:
    """Return the sacrum's bodies with the remnants of discs, its alae and its back."""
    disc = last.section.disc
    shares = np.array(SACRAL_BODY)
    s = last.s_mm - shares[:, 0]
    depth = disc.depth_mm * shares[:, 2]
    front_to_back = -RIM_MM - 0.5 - depth / 2
    half_width = disc.width_mm / 2 * shares[:, 1]
    body = Tube(
        s, np.zeros_like(s), front_to_back, half_width, depth / 2, BODY_EXPONENT
    )
    return (
        *(part for side in (-1, 1) for part in _ala(last, side)),
        *bone("sacrum", body),
        *bone("sacral crest", _crest(last)),
        *(
            Part(name, Tissue.ANNULUS, _remnant(last, below_mm, size), fine=True)
            for name, below_mm, size in REMNANTS
        ),
    )


def _remnant(last: Segment, below_mm: float, size: float) -> Ellipsoid:
    """Return what is left of a disc between two segments of the sacrum."""
    disc = last.section.disc
    half_depth = disc.depth_mm * 0.24 * size
    return Ellipsoid(
        0.0,
        -half_depth - 2.0,
        last.s_mm - below_mm,
        disc.width_mm * 0.28 * size,
        half_depth,
        2.0,
        2.0,
    )


def _crest(last: Segment) -> Tube:
    """Return the fused arches behind the sacral canal."""
    rows = np.array(SACRAL_CREST)
    s = last.s_mm - rows[:, 0]
    return Tube(s, np.zeros_like(s), rows[:, 1], rows[:, 2], rows[:, 3], 2.4)


def _ala(last: Segment, side: int) -> tuple[Part, ...]:
    s = last.s_mm - np.array([S1_MM + S2_MM + 10, S1_MM + 12, 22.0, 9.0, 5.0])
    x = side * np.array([22.0, 26.0, 31.0, 30.0, 27.0])
    solid = Tube(
        s,
        x,
        np.array([-2.0, -4.0, -8.0, -11.0, -12.0]),
        np.array([12.0, 16.0, 21.0, 15.0, 2.0]),
        np.array([8.0, 11.0, 14.0, 11.0, 2.0]),
        2.4,
    )
    return bone(f"sacral ala {'left' if side > 0 else 'right'}", solid)


def _laminae(segment: Segment, rng: np.random.Generator) -> tuple[Solid, ...]:
    """Return both laminae of the vertebra above a disc, and its spinous process."""
    section = segment.section
    thick = float(rng.uniform(3.2, 4.4))
    down_mm = float(rng.uniform(*LAMINA_DOWN_MM))
    laminae = (
        Loft(
            _behind(flavum, facet.side, thick),
            segment.s_mm + 4,
            down_mm,
            LAMINA_UP_MM,
            1.6,
            drift=(0.0, -0.1),
        )
        for facet, flavum in zip(section.facets, section.flavum, strict=True)
    )
    depth_mm = section.canal.y + section.canal.half_depth
    tip_mm = depth_mm + float(rng.uniform(24, 30))
    spinous: Shape = Union(
        (
            Capsule(0, depth_mm + thick, 0, tip_mm, thick * 0.8),
            Ellipse(0, tip_mm, thick * 1.2, 4.0),
        )
    )
    return (
        *laminae,
        Loft(spinous, segment.s_mm + 4, 12.0, 14.0, 1.6, drift=(0.0, -0.2)),
    )


def _behind(flavum: Capsule, side: int, radius_mm: float) -> Capsule:
    """Return a lamina of that half thickness, lying on the back of its flavum."""
    dx, dy = flavum.x1 - flavum.x0, flavum.y1 - flavum.y0
    length = float(np.hypot(dx, dy))
    away = flavum.radius + radius_mm - LAMINA_OVERLAP_MM
    # The normal that points backwards: the flavum runs back and to the middle.
    nx, ny = side * dy / length * away, -side * dx / length * away
    return Capsule(
        flavum.x0 + nx + side * 2.0,
        flavum.y0 + ny - 1.0,
        flavum.x1 * 0.3,
        flavum.y1 + ny,
        radius_mm,
    )


def _pedicle(segment: Segment, side: int, rng: np.random.Generator) -> tuple[Part, ...]:
    """Return one pedicle of the vertebra below a disc, with its transverse process."""
    section = segment.section
    word = "left" if side > 0 else "right"
    s_mm = segment.s_mm - segment.half_height_mm - PEDICLE_BELOW_DISC_MM
    edge_mm = section.canal.half_width
    pedicle = Loft(
        Capsule(side * (edge_mm + 3.5), -7, side * (edge_mm + 4.5), 9.0, 5.0),
        s_mm,
        PEDICLE_HALF_HEIGHT_MM,
        PEDICLE_HALF_HEIGHT_MM,
        1.5,
    )
    transverse = Loft(
        Capsule(
            side * (edge_mm + 8),
            8.0,
            side * (edge_mm + float(rng.uniform(20, 28))),
            float(rng.uniform(9, 14)),
            3.4,
        ),
        s_mm - 1,
        5.0,
        5.0,
        1.5,
    )
    return (
        *bone(f"transverse process {word} below {segment.name}", transverse),
        *bone(f"pedicle {word} below {segment.name}", pedicle),
    )


def foramen(segment: Segment, side: int) -> Solid:
    """Return the room between two pedicles, through which a root leaves."""
    return Ellipsoid(
        x_mm=side * (segment.section.canal.half_width + 4.0),
        y_mm=0.8,
        s_mm=segment.s_mm + 4.0,
        half_width_mm=8.5,
        half_depth_mm=5.5,
        below_mm=10.0,
        above_mm=10.0,
    )


def osteophyte(segment: Segment, wall: Ellipse) -> Solid:
    """Return a bony spur or thickened capsule behind a root."""
    return Loft(wall, segment.s_mm, 8.0, 8.0, 0.5)
