"""The planes on which the two measurers of slices are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grading.grades import Level
from grading.phantom.prevalence import WantedGrades, draw_wanted
from grading.phantom.ranges import Prevalence
from grading.phantom.spine.cut import Cut, Points, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.spine import draw_spine

SLAB_STEPS_MM = (-4.4, 0.0, 4.4)
MISTILT_DEG = 3.0
"""How far a slab is off the disc's own tilt, at most."""
GRADED = tuple(level for level in Level if level is not Level.T12_L1)


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane near a disc, and words for how to find it again."""

    cut: Cut
    words: str


def draw_patient(seed: int, study: int) -> tuple[Spine, np.random.Generator]:
    """Draw one patient with balanced grades, and the generator of its planes."""
    anatomy, planes = np.random.SeedSequence([seed, study]).spawn(2)
    rng = np.random.default_rng(anatomy)
    wanted: dict[Level, WantedGrades] = {
        level: draw_wanted(Prevalence.BALANCED, rng) for level in GRADED
    }
    return draw_spine(wanted, rng), np.random.default_rng(planes)


def planes_near(
    spine: Spine, space: DiscSpace, rng: np.random.Generator
) -> Iterator[Plane]:
    """Yield a tilted slab's three planes, and one of an untilted block."""
    tilt_deg = float(rng.uniform(-MISTILT_DEG, MISTILT_DEG))
    slab = disc_plane(spine, space, tilt_deg)
    for step_mm in SLAB_STEPS_MM:
        yield Plane(
            slab.shifted(step_mm),
            f"{space.level}, slab tilted {tilt_deg:+.2f} deg, {step_mm:+.1f} mm",
        )
    reach_mm = space.height_mm / 2
    up_mm = float(rng.uniform(-reach_mm, reach_mm))
    yield Plane(
        flat_plane(spine, space, up_mm), f"{space.level}, untilted, {up_mm:+.2f} mm"
    )


def disc_plane(spine: Spine, space: DiscSpace, tilt_deg: float = 0.0) -> Cut:
    """Return the plane through a disc's middle, off its own tilt by so much."""
    up = spine.axis.direction(space.s_mm)
    left = spine.axis.leftwards(space.s_mm)
    back = np.cross(up, left)
    back /= np.linalg.norm(back)
    left = np.cross(back, up)
    angle = np.deg2rad(tilt_deg)
    back = np.cos(angle) * back + np.sin(angle) * up
    return _through(spine.axis.locate(0.0, 0.0, space.s_mm), left, back)


def flat_plane(spine: Spine, space: DiscSpace, up_mm: float) -> Cut:
    """Return the scanner's axial plane through a disc's margin, moved along it."""
    margin = spine.axis.locate(0.0, 0.0, space.s_mm + up_mm)
    return _through(margin, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))


def _through(point_mm: Points, left: Points, back: Points) -> Cut:
    return Cut.centred(vector(point_mm), vector(left), vector(back), (1.0, 1.0), (1, 1))
