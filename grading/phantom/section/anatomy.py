"""The geometry of one axial slice at a disc, as shapes in millimetres.

Frame: x towards the patient's left, y towards the back, origin at the midpoint
of the posterior disc margin without its herniation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.shapes import Between, Capsule, Ellipse, Plane, Shape, Union

DISC_EXPONENT = 2.3
"""A little squarer than an ellipse, as discs are."""
OUTLINE_REACH_MM = 9.0
"""How far from the midline the margin's concavity or convexity reaches."""

HOOK_SHARE = 0.3
"""Of a facet joint's length, the part in front that hooks across the body."""
HOOK_DEG = 22.0
UNHOOK_DEG = -8.0
SUPERIOR_STOUTNESS = 1.45
KNOB = 1.15
"""Radius of the superior process's front over half the plate's thickness."""
KNOB_ASIDE_MM = 0.8
"""From the facet's edge to the knob's inner side. Shapes of processes are choices,
from the look of slices."""


@dataclass(frozen=True, slots=True)
class Disc:
    """The disc without its herniation; its diffuse bulge belongs to its margin."""

    width_mm: float
    depth_mm: float
    outline_mm: float
    """Depth of the posterior concavity; negative where the margin is convex."""

    def margin(self, x: Plane) -> Plane:
        """Return y of the posterior margin at each x, 0 at the midline."""
        share = np.clip(np.abs(2 * x / self.width_mm), 0, 1)
        ellipse = (1 - share**DISC_EXPONENT) ** (1 / DISC_EXPONENT)
        margin: Plane = self.depth_mm / 2 * (ellipse - 1) + self._outline(x)
        return margin

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance to a superellipse whose back follows the outline."""
        # The front keeps its shape: the outline fades in from the disc's centre.
        fade = np.clip(y / (self.depth_mm / 2) + 1, 0, 1)
        body = Ellipse(
            0,
            -self.depth_mm / 2,
            self.width_mm / 2,
            self.depth_mm / 2,
            exponent=DISC_EXPONENT,
        )
        return body.distance(x, y - self._outline(x) * fade)

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around disc and outline."""
        half = self.width_mm / 2
        return -half, half, -self.depth_mm, abs(self.outline_mm)

    def _outline(self, x: Plane) -> Plane:
        away: Plane = 1 - np.exp(-((x / OUTLINE_REACH_MM) ** 2))
        return self.outline_mm * away


class Zone(StrEnum):
    """Where along the margin a herniation lies (MSU)."""

    CENTRAL = "A"
    LATERAL = "B"
    FORAMINAL = "C"


@dataclass(frozen=True, slots=True)
class Herniation:
    """Disc material past the margin: an ellipse, on a neck where it is extruded."""

    x_mm: float
    height_mm: float
    """Past the margin at ``x_mm``, perpendicular to the intra-facet line."""
    base_mm: float
    extruded: bool
    margin_mm: float
    """y of the disc margin at ``x_mm``."""

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the distance to dome and neck."""
        return Union(self.shapes()).distance(x, y)

    def box(self) -> tuple[float, float, float, float]:
        """Return the rectangle around dome and neck."""
        return Union(self.shapes()).box()

    def shapes(self) -> tuple[Shape, ...]:
        """Return the dome, and the neck of an extrusion."""
        return (self.neck(), self.dome()) if self.extruded else (self.dome(),)

    def dome(self) -> Ellipse:
        """Return what bulges out; of an extrusion, the head on its neck."""
        if not self.extruded:
            return Ellipse(self.x_mm, self.margin_mm, self.base_mm / 2, self.height_mm)
        half = self.height_mm * 0.45
        y_mm = self.margin_mm + self.height_mm - half
        return Ellipse(self.x_mm, y_mm, self.base_mm / 2, half)

    def neck(self) -> Capsule:
        """Return what joins an extrusion's head to the disc."""
        return Capsule(
            self.x_mm, self.margin_mm - 2, self.x_mm, self.dome().y, self.base_mm * 0.3
        )


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet joint, from its medial edge backwards and outwards."""

    side: int
    """1 for the patient's left, -1 for the right."""
    edge_x_mm: float
    edge_y_mm: float
    angle_deg: float
    """Of the joint to the sagittal plane."""
    length_mm: float
    gap_mm: float
    thickness_mm: float
    """Half thickness of each articular process."""
    knob_front_mm: float
    """y at which the superior process begins, beside the recess."""
    fluid: bool

    def joint(self) -> Union:
        """Return the space between the processes; its medial edge is the facet's.

        It bends: across the body in front, where it hooks, and along it behind.
        """
        radius_mm = self.gap_mm / 2
        start = (self.edge_x_mm + self.side * radius_mm, self.edge_y_mm)
        elbow = self._along(start, HOOK_DEG, HOOK_SHARE * self.length_mm)
        rest_mm = (1 - HOOK_SHARE) * self.length_mm - radius_mm
        end = self._along(elbow, UNHOOK_DEG, rest_mm)
        return Union(
            (Capsule(*start, *elbow, radius_mm), Capsule(*elbow, *end, radius_mm))
        )

    def superior_process(self) -> Union:
        """Return the process of the lower vertebra: the recess's wall to the side.

        A stout knob stands before and beside the joint's edge, and goes over into
        the plate along the joint.
        """
        radius_mm = KNOB * self.thickness_mm
        knob = Ellipse(
            self.edge_x_mm + self.side * (radius_mm + KNOB_ASIDE_MM),
            self.knob_front_mm + radius_mm,
            radius_mm,
            radius_mm * 1.1,
        )
        centre = self._beside(0.72, 1.4 * self.thickness_mm + self.gap_mm / 2)
        stout_mm = SUPERIOR_STOUTNESS * self.thickness_mm
        stout = Ellipse(*centre, stout_mm, stout_mm)
        return Union((self._process(1), knob, stout))

    def inferior_process(self) -> Union:
        """Return the process of the upper vertebra: behind, inside, and rounded."""
        centre = self._beside(0.66, -1.0 * self.thickness_mm)
        stout = Ellipse(*centre, self.thickness_mm * 1.2, self.thickness_mm * 1.3)
        return Union((self._process(-1), stout))

    def _along(
        self, start: tuple[float, float], turned_deg: float, length_mm: float
    ) -> tuple[float, float]:
        angle = np.deg2rad(self.angle_deg + turned_deg)
        return (
            start[0] + self.side * float(np.sin(angle)) * length_mm,
            start[1] + float(np.cos(angle)) * length_mm,
        )

    def _beside(self, share: float, aside_mm: float) -> tuple[float, float]:
        """Return a point beside the joint; positive forwards and outwards."""
        along = self._along(
            (self.edge_x_mm, self.edge_y_mm), 0.0, share * self.length_mm
        )
        angle = np.deg2rad(self.angle_deg)
        return (
            along[0] + self.side * float(np.cos(angle)) * aside_mm,
            along[1] - float(np.sin(angle)) * aside_mm,
        )

    def _process(self, outwards: int) -> Ellipse:
        aside_mm = outwards * (self.gap_mm * 0.4 + self.thickness_mm)
        centre = self._beside(0.52, aside_mm)
        turn = np.rad2deg(
            np.arctan2(
                np.cos(np.deg2rad(self.angle_deg)),
                self.side * np.sin(np.deg2rad(self.angle_deg)),
            )
        )
        return Ellipse(*centre, self.length_mm * 0.5, self.thickness_mm, float(turn))


@dataclass(frozen=True, slots=True)
class Root:
    """One traversing nerve root in its lateral recess."""

    side: int
    x_mm: float
    y_mm: float
    half_width_mm: float
    half_thickness_mm: float
    """Along y: what a compression takes away."""
    resting_y_mm: float
    """Where the root would lie if nothing pushed it."""
    resting_radius_mm: float
    merged: bool = False
    """Not distinguishable from the disc material around it."""

    def shape(self) -> Ellipse:
        """Return its outline."""
        return Ellipse(self.x_mm, self.y_mm, self.half_width_mm, self.half_thickness_mm)


@dataclass(frozen=True, slots=True)
class Rootlets:
    """The cauda equina inside the sac."""

    x_mm: NDArray[np.floating]
    y_mm: NDArray[np.floating]
    radius_mm: float
    bundled: bool
    """One bundle fills the sac, so that no fluid shows between."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Everything inside and around the canal that a grade can depend on."""

    level: Level
    disc: Disc
    herniation: Herniation | None
    zone: Zone | None
    facets: tuple[Facet, Facet]
    """Right, left."""
    flavum: tuple[Capsule, Capsule]
    walls: tuple[Ellipse, ...]
    """Osteophytes and thickened capsule behind a root."""
    canal: Ellipse
    sac: Between
    sac_body: Ellipse
    """The sac before it gives way to what presses on it."""
    rootlets: Rootlets
    roots: tuple[Root, Root]
    """Right, left."""
    posterior_fat: Ellipse
    bulge_mm: float
    """How far the disc's margin lies past the vertebrae's."""
    flavum_mm: float
    """Thickness of the right flavum."""

    @property
    def facet_line_mm(self) -> float:
        """D: from the margin to the line between the facets' medial edges."""
        right, left = self.facets
        share = -right.edge_x_mm / (left.edge_x_mm - right.edge_x_mm)
        return right.edge_y_mm + share * (left.edge_y_mm - right.edge_y_mm)

    def disc_material(self) -> Shape:
        """Return disc and herniation as one."""
        if self.herniation is None:
            return self.disc
        return Union((self.disc, self.herniation))

    def posterior_wall(self) -> Shape:
        """Return what a root can be pressed against."""
        return Union(
            (
                *self.flavum,
                *self.walls,
                *(facet.superior_process() for facet in self.facets),
            )
        )
