"""What varies inside a tissue: mottled marrow, fat between muscle fibres, flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

import numpy as np

from grading.phantom.image.canvas import Window
from grading.phantom.image.lattice import Field
from grading.phantom.image.tissues import Tissues
from grading.phantom.image.view import View
from grading.phantom.spine.tissues import Tissue


class Noise(Enum):
    """A field of noise: widths of its cells in mm, sideways, backwards and upwards."""

    MOTTLED = (2.0, 2.0, 2.0)
    PATCHY = (6.0, 6.0, 6.0)
    FASCICLES = (2.3, 2.3, 20.0)
    BUNDLES = (7.0, 7.0, 40.0)
    SEPTA = (24.0, 9.0, 24.0)
    FLOW = (4.0, 4.0, 4.0)


FIBRES = frozenset({Noise.FASCICLES, Noise.BUNDLES})
"""These follow the spine, the others the body."""
MOTTLED: Mapping[Tissue, float] = {
    Tissue.MARROW: 0.10,
    Tissue.NUCLEUS: 0.10,
    Tissue.HERNIATION: 0.12,
}
"""Deviation on top of the patient's texture; choices, from the look of slices, like
all below."""
PATCHY: Mapping[Tissue, float] = {
    Tissue.KIDNEY: 0.2,
    Tissue.LIVER: 0.12,
    Tissue.BOWEL: 0.5,
}
LOBULE_WALL = 0.09
"""Of the sheets between lobules of fat, in deviations of their noise."""
LOBULE_LOSS = 0.3

WALL_SLOPE = 2.0
"""How steeply fat fades beside a wall between two bundles of muscle fibres."""
BUNDLES_SHARE = 0.7
MOTTLED_SHARE = 0.3
SOFTNESS = 1.2
"""Over which fat takes a muscle's place, in deviations."""
FATTY_SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
LEAST_NOISE = (0.68, 0.37, 0.08, -0.30, -0.60, -0.87, -1.14, -1.42, -1.75)
"""What such shares of the noise of muscles exceed; read off the noise itself."""
MOST_FAT = 0.9
MEDIAL_MM = 14.0
MEDIAL_FAT = 0.6
"""More fat in the deep muscles at the midline, in deviations."""
FORWARD_FAT = -0.9
"""Less in the muscles before the spine."""


class Texture:
    """The noise of one slice, each field worked out when it is first needed."""

    def __init__(self, view: View, tissues: Tissues, rng: np.random.Generator) -> None:
        self._view = view
        self._tissues = tissues
        self._flow_offset = float(rng.uniform(0, 1000))
        self._fields: dict[object, Field] = {}

    def relative(self, tissue: Tissue, window: Window) -> Field:
        """Return what a tissue's value is multiplied by, (rows, columns)."""
        deviation = self._tissues.constitution.texture + MOTTLED.get(tissue, 0.0)
        mottled = self._field(deviation, lambda: self._mottled(deviation))[window]
        extra = self._extra(tissue)
        return mottled if extra is None else mottled * extra[window]

    def infiltration(self, window: Window) -> Field:
        """Return the share of fat in a muscle, (rows, columns), 0 to 1."""
        return self._field("infiltration", self._infiltrated)[window]

    def _field(self, name: object, work_out: Callable[[], Field]) -> Field:
        if name not in self._fields:
            self._fields[name] = work_out()
        return self._fields[name]

    def _noise(self, noise: Noise) -> Field:
        stride = self._view.stride(min(noise.value))
        return self._field(
            noise, lambda: self._view.spread(self._look_up(noise, stride), stride)
        )

    def _look_up(self, noise: Noise, stride: int, offset: float = 0.0) -> Field:
        """Return noise that stays with the patient, on a lattice."""
        at = self._view.knots(stride)
        points = (at.x, at.y, at.s) if noise in FIBRES else (at.left, at.back, at.up)
        grain = self._tissues.constitution.grain
        offset += 7.0 * list(Noise).index(noise)
        return grain.at(points, noise.value, offset)

    def _mottled(self, deviation: float) -> Field:
        mottled = 1 + np.float32(deviation) * self._noise(Noise.MOTTLED)
        return np.asarray(np.maximum(mottled, 0))

    def _extra(self, tissue: Tissue) -> Field | None:
        """Return what only this tissue is multiplied by."""
        if tissue is Tissue.FLUID:
            return self._field("flow", self._flow)
        if tissue is Tissue.SUBCUTANEOUS_FAT:
            return self._field("lobules", self._lobules)
        if tissue in PATCHY:
            return self._field(tissue, lambda: self._patchy(PATCHY[tissue]))
        return None

    def _patchy(self, deviation: float) -> Field:
        patchy = 1 + np.float32(deviation) * self._noise(Noise.PATCHY)
        return np.asarray(np.maximum(patchy, 0))

    def _flow(self) -> Field:
        """Return the fluid that is left where it flows, elsewhere on every slice."""
        stride = self._view.stride(min(Noise.FLOW.value))
        noise = self._look_up(Noise.FLOW, stride, self._flow_offset)
        loss = np.float32(self._tissues.flow_loss)
        return self._view.spread(1 - loss * np.clip(noise, 0, 1), stride)

    def _lobules(self) -> Field:
        walls = _walls(self._noise(Noise.SEPTA), LOBULE_WALL)
        return 1 - np.float32(LOBULE_LOSS) * walls

    def _infiltrated(self) -> Field:
        """Return where fat lies between the fibres, as much as the patient has.

        Little of it lines the bundles' walls; more thickens these until they merge.
        """
        walls = np.abs(self._noise(Noise.FASCICLES))
        noise = self._fatness() - np.float32(WALL_SLOPE) * walls
        noise += MOTTLED_SHARE * self._noise(Noise.MOTTLED)
        return np.asarray(np.clip(noise / np.float32(SOFTNESS), 0, MOST_FAT))

    def _fatness(self) -> Field:
        """Return how much fat a muscle tends to hold, which varies slowly."""
        stride = self._view.stride(min(Noise.BUNDLES.value))
        at = self._view.knots(stride)
        share = self._tissues.constitution.muscle_fat_share
        least = np.interp(share, FATTY_SHARES, LEAST_NOISE) - SOFTNESS / 3
        noise = BUNDLES_SHARE * self._look_up(Noise.BUNDLES, stride) - least
        noise += MEDIAL_FAT * np.exp(-np.square(at.x / MEDIAL_MM))
        noise += np.where(at.y >= 0, 0, FORWARD_FAT)
        return self._view.spread(noise.astype(np.float32), stride)


def _walls(noise: Field, width: float) -> Field:
    """Return 1 where noise changes its sign, 0 farther from there: thin sheets."""
    return np.asarray(np.maximum(1 - np.abs(noise) / np.float32(width), 0))
