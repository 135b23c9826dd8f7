"""Spines of which one structure is moved, thinned or gathered, by a share of the way.

A parameter from 0 to 1 takes a slice across the cuts that drawn anatomies keep away
from. Whatever moves, moves in the labels and in what `measure` sees alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.place import Box, Place
from grading.phantom.spine.solids import Clear, Solid, Tube
from tests.grading.phantom.planes import disc_plane, flat_plane
from tests.grading.phantom.ruler import SIDES

REACH = 0.95
"""Of a disc's half height: its very end is within a cell of showing no disc."""
ROOT_MM = 1.5
"""Forwards and backwards."""
THINNED = (0.6, 1.7)
HERNIATION_MM = 5.0
"""Forwards, into the disc."""
ROOTLETS_MM = 2.0
"""Forwards: into the fluid in front of them."""
GATHERED = 0.65
"""How much nearer their own middle."""

Family = Callable[[float], tuple[Spine, Cut]]
"""A spine and a plane for each value of a parameter from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A solid that lies elsewhere."""

    solid: Solid
    back_mm: float

    def distance(self, at: Place) -> NDArray[np.floating]:
        """Return the distance to where the solid has moved."""
        return self.solid.distance(replace(at, y=at.y - self.back_mm))

    def box(self) -> Box:
        """Return the moved cuboid."""
        box = self.solid.box()
        return replace(box, y=(box.y[0] + self.back_mm, box.y[1] + self.back_mm))


def families(spine: Spine, space: DiscSpace) -> Iterator[tuple[str, Family]]:
    """Yield ways in which slices of a disc can change, and words for each."""
    reach_mm = REACH * space.height_mm / 2
    plane = disc_plane(spine, space)
    yield "along the slab", lambda t: (spine, plane.shifted((2 * t - 1) * reach_mm))
    yield (
        "along an untilted block",
        lambda t: (spine, flat_plane(spine, space, (2 * t - 1) * reach_mm)),
    )
    for words, change in _changes(spine, space):
        yield words, _on_plane(spine, plane, change)


def _on_plane(
    spine: Spine, plane: Cut, change: Callable[[float], Mapping[int, Solid]]
) -> Family:
    return lambda t: (with_solids(spine, change(t)), plane)


def _changes(
    spine: Spine, space: DiscSpace
) -> Iterator[tuple[str, Callable[[float], Mapping[int, Solid]]]]:
    """Yield functions that say which solids, by their identity, become which."""
    for root, word in zip(space.roots, SIDES, strict=True):
        yield f"{word} root moved", _each((root,), _root_moved)
        yield f"{word} root thinned", _each((root,), _thinned)
    if space.herniation is not None:
        yield "herniation sunk", _each((space.herniation,), _sunk)
    if space.bundle is None:
        yield "rootlets moved", _each(spine.rootlets, _rootlet_moved)
        middle_mm = float(space.section.rootlets.y_mm.mean())
        yield "rootlets gathered", _each(spine.rootlets, _gathered(middle_mm))


def _each(
    solids: tuple[Solid, ...], change: Callable[[Tube | Solid, float], Solid]
) -> Callable[[float], Mapping[int, Solid]]:
    return lambda t: {id(solid): change(solid, t) for solid in solids}


def _root_moved(root: Solid, share: float) -> Solid:
    return _of_tube(root, lambda tube: Moved(tube, (2 * share - 1) * ROOT_MM))


def _thinned(root: Solid, share: float) -> Solid:
    factor = THINNED[0] + share * (THINNED[1] - THINNED[0])
    return _of_tube(
        root, lambda tube: replace(tube, half_depth_mm=tube.half_depth_mm * factor)
    )


def _sunk(herniation: Solid, share: float) -> Solid:
    return Moved(herniation, -share * HERNIATION_MM)


def _rootlet_moved(rootlet: Solid, share: float) -> Solid:
    return _of_tube(rootlet, lambda tube: Moved(tube, -share * ROOTLETS_MM))


def _gathered(middle_mm: float) -> Callable[[Solid, float], Solid]:
    def change(rootlet: Solid, share: float) -> Solid:
        left = 1 - GATHERED * share
        return _of_tube(
            rootlet,
            lambda tube: replace(
                tube,
                x_mm=tube.x_mm * left,
                y_mm=middle_mm + (tube.y_mm - middle_mm) * left,
            ),
        )

    return change


def _of_tube(solid: Solid, change: Callable[[Tube], Solid]) -> Solid:
    """Change the tube that a solid is, or that is kept clear of something."""
    if isinstance(solid, Clear):
        return replace(solid, solid=_of_tube(solid.solid, change))
    assert isinstance(solid, Tube)
    return change(solid)


def with_solids(spine: Spine, changed: Mapping[int, Solid]) -> Spine:
    """Return the spine with other solids wherever these were, by their identity."""

    def now(solid: Solid) -> Solid:
        return changed.get(id(solid), solid)

    return replace(
        spine,
        parts=tuple(replace(part, solid=now(part.solid)) for part in spine.parts),
        rootlets=tuple(now(rootlet) for rootlet in spine.rootlets),
        discs=tuple(
            replace(
                space,
                roots=(now(space.roots[0]), now(space.roots[1])),
                herniation=space.herniation and now(space.herniation),
            )
            for space in spine.discs
        ),
    )
