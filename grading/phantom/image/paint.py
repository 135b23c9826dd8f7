"""Paint what a slice holds, from the topmost structure down.

Each structure shows where those above it leave a pixel bare, which is painter's order
seen from the other side: what is hidden costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

import numpy as np

from grading.phantom.image.canvas import Canvas, Exposure, Window
from grading.phantom.image.lattice import Field
from grading.phantom.image.scene import Scene
from grading.phantom.image.survey import Piece, Survey
from grading.phantom.image.texture import Texture
from grading.phantom.image.tissues import Tissues
from grading.phantom.image.view import View
from grading.phantom.spine.parts import Part
from grading.phantom.spine.tissues import Tissue

SOFT_MM: Mapping[Tissue, float] = {
    Tissue.NUCLEUS: 5.0,
    Tissue.VEIN: 1.2,
    Tissue.BOWEL: 2.5,
}
"""Width over which a tissue fades into the next without an edge; choices."""
COARSE_EDGE_MM = 0.8
"""Of large structures, most of which a slice cuts a little obliquely; a choice."""
EVEN = frozenset(
    {
        Tissue.SKIN,
        Tissue.FASCIA,
        Tissue.CORTEX,
        Tissue.FLAVUM,
        Tissue.LIGAMENT,
        Tissue.DURA,
        Tissue.VESSEL,
    }
)
"""Thin or dark, so that no texture would be seen."""
FILLED = np.ones((1, 1, 1), np.float32)


def paint(
    scene: Scene, view: View, tissues: Tissues, rng: np.random.Generator
) -> Exposure:
    """Return what a perfect scanner would see of a slice."""
    survey = Survey(view)
    painter = Painter(view, survey, tissues, Texture(view, tissues, rng))
    visible = [
        (scene.surfaces[index], scene.boxes[index], frame)
        for index, frame in survey.frames(scene.boxes)
    ]
    backdrop = sum(1 for _ in takewhile(lambda one: not one[0].fine, visible))
    for one in reversed(visible[backdrop:]):
        painter.paint(survey.find(*one))
    painter.canvas.merge_planes()
    for one in reversed(visible[:backdrop]):
        painter.paint(survey.find(*one))
    return painter.canvas.exposure


class Painter:
    """What painting one slice takes."""

    def __init__(
        self, view: View, survey: Survey, tissues: Tissues, texture: Texture
    ) -> None:
        self.canvas = Canvas(view.planes, view.rows, view.columns)
        self._survey = survey
        self._tissues = tissues
        self._texture = texture
        self._pixel_mm = np.float32(view.pixel_mm)
        self._coarse_edge_mm = np.float32(max(view.pixel_mm, COARSE_EDGE_MM))

    def paint(self, piece: Piece | None) -> None:
        """Lay one surface's parts under what is there, where they would show."""
        if piece is not None and self.canvas.shows(piece.window):
            self._paint(piece)

    def _paint(self, piece: Piece) -> None:
        shells = piece.surface.shells
        if piece.filled:
            self._lay(shells[-1].part, piece.window, FILLED)
            return
        fine = piece.surface.fine
        distance = self._survey.fine_distance(piece) if fine else piece.depth
        width = self._edge(distance) if fine else self._coarse_edge_mm
        for shell in reversed(shells):
            soft = SOFT_MM.get(shell.part.tissue)
            edge = width if soft is None else np.maximum(width, np.float32(soft))
            share = np.float32(0.5) - (distance + np.float32(shell.inward_mm)) / edge
            if not fine:
                share = self._survey.spread(piece, share)
            self._lay(shell.part, piece.window, share.clip(0, 1, out=share))

    def _edge(self, distance: Field) -> Field | np.float32:
        """Return the width of an edge: a pixel, or more.

        Between two planes an oblique surface passes over several pixels. Where each
        plane stands for a slab of its own thickness, the edge is as wide as that way.
        """
        if len(distance) == 1:
            return self._pixel_mm
        width = np.abs(distance[1:] - distance[:-1]).max(axis=0)
        return np.asarray(np.maximum(width, self._pixel_mm))

    def _lay(self, part: Part, window: Window, share: Field) -> None:
        """Lay a part under the others, and let it shine where it shows."""
        shown = self.canvas.cover(window, share)
        if part.tissue is Tissue.AIR:
            return
        exposure = self.canvas.exposure
        light = shown * np.float32(self._tissues.value(part))
        if part.tissue not in EVEN:
            light *= self._texture.relative(part.tissue, window)
        if part.tissue is Tissue.MUSCLE:
            between = self._texture.infiltration(window)
            fat = np.float32(self._tissues.values[Tissue.FAT][0])
            exposure.fat[window] += shown * between * fat
            light *= 1 - between
        if part.tissue is Tissue.FLUID:
            exposure.flowing[window] += light
        self._shine(part.tissue, window, light)

    def _shine(self, tissue: Tissue, window: Window, light: Field) -> None:
        """Add light to water and fat as the tissue holds them."""
        exposure, fat_share = self.canvas.exposure, self._tissues.fat_share(tissue)
        if fat_share == 0:
            exposure.water[window] += light
        elif fat_share == 1:
            exposure.fat[window] += light
        else:
            exposure.fat[window] += np.float32(fat_share) * light
            exposure.water[window] += np.float32(1 - fat_share) * light
