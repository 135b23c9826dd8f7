"""Solids made of many, rebuilt so that each is asked only about points near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.phantom.image.canvas import Window
from grading.phantom.image.lattice import Field
from grading.phantom.spine.place import Box, Place
from grading.phantom.spine.solids import (
    FAR_MM,
    Clear,
    Complement,
    Inside,
    Shrunk,
    Solid,
    Whole,
)

REACH_MM = 6.0
"""Around a solid its distance is worked out: farther than any clearance or sheath that
is read, and a step of the coarsest lattice more."""

Sides = NDArray[np.float32]
"""(..., 3, 2): x, y and s of cuboids, from and to, in mm."""
Spans = tuple[tuple[Field, Field], tuple[Field, Field]]
"""Least and most of x, y and s, (3, rows), and the same by column, (3, columns)."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What `Whole` is, quicker where the points form an image."""

    solids: tuple[Solid, ...]
    boxes: Sides
    """(solids, 3, 2)."""

    def distance(self, at: Place) -> Field:
        """Return the distance to the nearest, `FAR_MM` where none is near.

        Parameters
        ----------
        at
            (..., rows, columns).
        """
        nearest = np.full(at.shape, FAR_MM, np.float32)
        for index, window in windows(self.boxes, spans(at), REACH_MM):
            here = nearest[..., *window]
            np.minimum(here, self.solids[index].distance(at[..., *window]), out=here)
        return nearest

    def box(self) -> Box:
        """Return the cuboid around all."""
        low, high = self.boxes[:, :, 0].min(axis=0), self.boxes[:, :, 1].max(axis=0)
        x, y, s = ((float(a), float(b)) for a, b in zip(low, high, strict=True))
        return Box(x, y, s)


def gathered(solid: Solid) -> Solid:
    """Return the same solid with every whole in it gathered."""
    if isinstance(solid, Whole):
        solids = tuple(gathered(one) for one in _members(solid))
        boxes = [(box.x, box.y, box.s) for box in (one.box() for one in solids)]
        return Gathered(solids, np.array(boxes, np.float32))
    if isinstance(solid, Clear):
        inner, obstacles = gathered(solid.solid), gathered(solid.obstacles)
        return replace(solid, solid=inner, obstacles=obstacles)
    if isinstance(solid, Shrunk | Complement):
        return replace(solid, solid=gathered(solid.solid))
    if isinstance(solid, Inside):
        return replace(solid, solids=tuple(gathered(one) for one in solid.solids))
    return solid


def _members(whole: Whole) -> Iterator[Solid]:
    for one in whole.solids:
        if isinstance(one, Whole):
            yield from _members(one)
        else:
            yield one


def spans(at: Place) -> Spans:
    """Return the least and the most of x, y and s, by row and by column."""
    coordinates = (at.x, at.y, at.s)
    others = tuple(range(len(at.shape) - 2))
    by_row, by_column = (
        (
            np.stack([one.min(axis=(*others, axis)) for one in coordinates]),
            np.stack([one.max(axis=(*others, axis)) for one in coordinates]),
        )
        for axis in (len(at.shape) - 1, len(at.shape) - 2)
    )
    return by_row, by_column


def windows(
    boxes: Sides, spans: Spans, margin_mm: float
) -> Iterator[tuple[int, Window]]:
    """Yield which cuboids can lie near points, and the rows and columns of these.

    Parameters
    ----------
    boxes
        (boxes, 3, 2).
    """
    low, high = boxes[:, :, :1] - margin_mm, boxes[:, :, 1:] + margin_mm
    rows, columns = (
        np.asarray(((most > low) & (least < high)).all(axis=1)) for least, most in spans
    )
    for index in np.flatnonzero(rows.any(axis=1) & columns.any(axis=1)):
        yield int(index), span(rows[index], columns[index])


def span(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> Window:
    """Return the rows and columns from the first to the last that is true."""
    return (
        slice(int(rows.argmax()), len(rows) - int(rows[::-1].argmax())),
        slice(int(columns.argmax()), len(columns) - int(columns[::-1].argmax())),
    )
