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
from grading.phantom.shapes import Capsule, Ellipse, Plane, Shape, Union

DISC_EXPONENT = 2.3
"""A little squarer than an ellipse, as discs are."""
OUTLINE_REACH_MM = 9.0
"""How far from the midline the margin's concavity or convexity reaches."""


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
        if not self.extruded:
            return (
                Ellipse(self.x_mm, self.margin_mm, self.base_mm / 2, self.height_mm),
            )
        half = self.height_mm * 0.45
        dome = Ellipse(
            self.x_mm, self.margin_mm + self.height_mm - half, self.base_mm / 2, half
        )
        neck = Capsule(
            self.x_mm,
            self.margin_mm - 2,
            self.x_mm,
            self.margin_mm + self.height_mm - half,
            self.base_mm * 0.3,
        )
        return (neck, dome)


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
    fluid: bool

    def joint(self) -> Capsule:
        """Return the space between the two processes."""
        dx, dy = self._direction()
        return Capsule(
            self.edge_x_mm + dx,
            self.edge_y_mm + dy,
            self.edge_x_mm + dx * (self.length_mm - 1),
            self.edge_y_mm + dy * (self.length_mm - 1),
            self.gap_mm / 2,
        )

    def superior_process(self) -> Ellipse:
        """Return the process of the lower vertebra, in front and outside."""
        return self._process(1)

    def inferior_process(self) -> Ellipse:
        """Return the process of the upper vertebra, behind and inside."""
        return self._process(-1)

    def _direction(self) -> tuple[float, float]:
        angle = np.deg2rad(self.angle_deg)
        return self.side * float(np.sin(angle)), float(np.cos(angle))

    def _process(self, outwards: int) -> Ellipse:
        dx, dy = self._direction()
        along = self.length_mm * 0.52
        aside = outwards * (self.gap_mm * 0.4 + self.thickness_mm)
        # The normal of the joint that points forwards and outwards.
        nx, ny = self.side * abs(dy), -abs(dx)
        return Ellipse(
            self.edge_x_mm + dx * along + nx * aside,
            self.edge_y_mm + dy * along + ny * aside,
            self.length_mm * 0.5,
            self.thickness_mm,
            float(np.rad2deg(np.arctan2(dy, dx))),
        )


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
    sac: Shape
    rootlets: Rootlets
    roots: tuple[Root, Root]
    """Right, left."""
    posterior_fat: Shape

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
