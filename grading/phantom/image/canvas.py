"""Stack coverings on a pixel grid from the topmost down, plane by plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.phantom.image.lattice import Field

Window = tuple[slice, slice]
"""Rows and columns of the image."""

TRACE = 1e-3
"""A share of a pixel that may as well be covered."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """Signal before the scanner's faults, (rows, columns), over the reference's."""

    water: Field
    fat: Field
    """Apart, because its protons turn more slowly: it shifts."""
    flowing: Field
    """The part of the water that pulsates: cerebrospinal fluid."""


class Canvas:
    """What is painted first lies on top; later coverings fill what it leaves bare."""

    def __init__(self, planes: int, rows: int, columns: int) -> None:
        self.exposure = Exposure(
            *(np.zeros((rows, columns), np.float32) for _ in range(3))
        )
        self._bare: Field = np.ones((planes, rows, columns), np.float32)

    def shows(self, window: Window) -> bool:
        """Say whether anything laid there now would be seen."""
        return bool(self._bare[:, *window].max(initial=0) > TRACE)

    def cover(self, window: Window, share: Field) -> Field:
        """Lay something over what is still bare.

        Parameters
        ----------
        share
            (planes or 1, rows, columns) of the window: how much of each pixel of each
            plane it covers.

        Returns
        -------
        NDArray
            (rows, columns): how much of each pixel shows it.
        """
        bare = self._bare[:, *window]
        laid = bare * share
        bare -= laid
        if len(laid) == 1:
            return np.asarray(laid[0])
        return np.asarray(np.add.reduce(laid, axis=0)) * np.float32(1 / len(laid))

    def merge_planes(self) -> None:
        """Keep one plane: what follows covers all planes alike."""
        self._bare = self._bare.mean(axis=0, keepdims=True)
