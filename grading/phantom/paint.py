"""Give every structure of an anatomy its tissue's signal, back to front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.phantom.anatomy import Anatomy, Facet
from grading.phantom.ranges import CORTEX_MM, Range, Signal
from grading.phantom.raster import Canvas, smooth_noise
from grading.phantom.shapes import Capsule, Ellipse, Shape, Shrunken

DURA_MM = 0.35
FLOW_PATCH = 0.4
"""Share of the fluid's signal that flow takes away in patches, at most about."""


@dataclass(frozen=True, slots=True)
class Tissues:
    """The values of one patient, relative to cerebrospinal fluid."""

    fluid: float
    nucleus: float
    annulus: float
    herniation: float
    marrow: float
    nerve: float
    fat: float
    muscle: float
    ligament: float
    cortex: float
    joint_fluid: float
    muscle_fat_share: float
    cortex_mm: float
    """Thickness of the dark rim of every bone."""


def draw_tissues(signal: Signal, rng: np.random.Generator) -> Tissues:
    """Draw one patient's tissue values."""

    def value(limits: Range) -> float:
        return float(rng.uniform(*limits))

    disc = (signal.bright_disc, signal.intermediate_disc, signal.dark_disc)
    grey = rng.random() < signal.grey_fluid_share
    nucleus = value(disc[int(rng.integers(3))])
    return Tissues(
        fluid=value(signal.grey_fluid if grey else signal.fluid),
        nucleus=nucleus,
        annulus=min(value(signal.ligament), nucleus),
        herniation=value(signal.herniation),
        marrow=value(signal.marrow),
        nerve=value(signal.nerve),
        fat=value(signal.fat),
        muscle=value(signal.muscle),
        ligament=value(signal.ligament),
        cortex=value(signal.cortex),
        joint_fluid=value(signal.joint_fluid),
        muscle_fat_share=value(signal.muscle_fat_share),
        cortex_mm=value(CORTEX_MM),
    )


def paint_slice(
    anatomy: Anatomy, tissues: Tissues, canvas: Canvas, rng: np.random.Generator
) -> None:
    """Paint a whole slice, from the skin to the rootlets."""
    _paint_body(tissues, canvas, rng)
    _paint_arch(anatomy, tissues, canvas, rng)
    _paint_canal_fat(anatomy, tissues, canvas)
    for facet in anatomy.facets:
        _paint_facet(facet, tissues, canvas)
    _paint_disc(anatomy, tissues, canvas)
    for flavum in anatomy.flavum:
        canvas.paint(flavum, tissues.ligament)
    _paint_sac(anatomy, tissues, canvas, rng)
    for wall in anatomy.walls:
        canvas.paint(wall, tissues.cortex)
        if rng.random() < 0.5:
            canvas.paint(Shrunken(wall, tissues.cortex_mm), tissues.marrow)
    _paint_roots(anatomy, tissues, canvas)


def _paint_body(tissues: Tissues, canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint skin, subcutaneous fat, muscles and great vessels."""
    skin_mm = float(rng.uniform(75, 105))
    fat_mm = float(rng.uniform(8, 30))
    body = Ellipse(0, skin_mm - 115, 165, 115)
    canvas.paint(body, tissues.fat, fat=True)
    inner = Ellipse(0, skin_mm - 115, 165 - fat_mm, 115 - fat_mm)
    canvas.paint(inner, float(rng.uniform(0.15, 0.5)))
    for side in (-1, 1):
        _paint_muscles(side, tissues, canvas, rng)
    for x_mm in (float(rng.uniform(-22, -12)), float(rng.uniform(4, 14))):
        radius_mm = float(rng.uniform(15, 22)) / 2
        vessel = Ellipse(x_mm, -38 - radius_mm - 4, radius_mm, radius_mm * 0.9)
        canvas.paint(vessel, tissues.cortex)


def _paint_muscles(
    side: int, tissues: Tissues, canvas: Canvas, rng: np.random.Generator
) -> None:
    psoas = Ellipse(
        side * 45,
        -8 + float(rng.uniform(-5, 5)),
        float(rng.uniform(35, 45)) / 2,
        float(rng.uniform(30, 40)) / 2,
    )
    multifidus = Ellipse(side * 16, 38, 15, 22, side * 10.0)
    erector = Ellipse(side * 42, 34, 20, 24, side * -15.0)
    for lobe in (psoas, multifidus, erector):
        canvas.paint(lobe, tissues.fat, fat=True)
        canvas.paint(Shrunken(lobe, 0.8), tissues.muscle)
    for lobe in (multifidus, erector):
        _paint_streaks(lobe, tissues, canvas, rng)


def _paint_streaks(
    lobe: Shape, tissues: Tissues, canvas: Canvas, rng: np.random.Generator
) -> None:
    """Let fat into a muscle where smooth noise exceeds its share."""
    window = canvas.grid.window(lobe.box())
    x, y = canvas.grid.x_mm[window], canvas.grid.y_mm[window]
    if not x.size:
        return
    noise = smooth_noise(x.shape, 2.5 / canvas.grid.spacing_mm, rng)
    least = np.quantile(noise, 1 - tissues.muscle_fat_share)
    inside = np.clip(-lobe.distance(x, y), 0, 1)
    cover = np.clip(noise - least, 0, 1) * inside * 0.9
    canvas.blend(window, cover.astype(np.float32), tissues.fat, fat=True)


def _paint_arch(
    anatomy: Anatomy, tissues: Tissues, canvas: Canvas, rng: np.random.Generator
) -> None:
    """Paint laminae and spinous process, or the ligaments between two of them."""
    depth_mm = anatomy.canal.y + anatomy.canal.half_depth
    bony = rng.random() < 0.6
    inside = tissues.marrow if bony else tissues.ligament * 2
    spinous = Capsule(0, depth_mm + 6, 0, depth_mm + 26, float(rng.uniform(2.5, 4)))
    laminae = [
        Capsule(
            facet.edge_x_mm + facet.side * 5,
            facet.edge_y_mm + 8,
            facet.side * 1.5,
            depth_mm + 5,
            float(rng.uniform(2.5, 4)),
        )
        for facet in anatomy.facets
    ]
    parts = (spinous, *laminae)
    for part in parts:
        canvas.paint(part, tissues.cortex)
    for part in parts:
        canvas.paint(Shrunken(part, tissues.cortex_mm), inside)


def _paint_canal_fat(anatomy: Anatomy, tissues: Tissues, canvas: Canvas) -> None:
    """Fill canal and foramina with fat, and put the exiting roots into these."""
    for facet in anatomy.facets:
        foramen = Ellipse(facet.side * 19, 2, 9, 7)
        canvas.paint(foramen, tissues.fat, fat=True)
        exiting = Ellipse(facet.side * 21, 1, 2.4, 2.1)
        canvas.paint(exiting, tissues.nerve)
    canvas.paint(anatomy.canal, tissues.fat, fat=True)


def _paint_facet(facet: Facet, tissues: Tissues, canvas: Canvas) -> None:
    for process in (facet.inferior_process(), facet.superior_process()):
        canvas.paint(process, tissues.cortex)
        canvas.paint(Shrunken(process, tissues.cortex_mm), tissues.marrow)
    joint = facet.joint()
    canvas.paint(joint, tissues.cortex)
    if facet.fluid:
        canvas.paint(Shrunken(joint, joint.radius * 0.5), tissues.joint_fluid)


def _paint_disc(anatomy: Anatomy, tissues: Tissues, canvas: Canvas) -> None:
    disc = anatomy.disc
    canvas.paint(disc, tissues.annulus)
    nucleus = Ellipse(
        0, -disc.depth_mm * 0.47, disc.width_mm * 0.33, disc.depth_mm * 0.32
    )
    canvas.paint(nucleus, tissues.nucleus)
    if anatomy.herniation is not None:
        canvas.paint(anatomy.herniation, tissues.annulus)
        canvas.paint(Shrunken(anatomy.herniation, 0.7), tissues.herniation)


def _paint_sac(
    anatomy: Anatomy, tissues: Tissues, canvas: Canvas, rng: np.random.Generator
) -> None:
    canvas.paint(Shrunken(anatomy.sac, -DURA_MM), tissues.ligament)
    window = canvas.grid.window(anatomy.sac.box())
    canvas.paint(anatomy.sac, tissues.fluid)
    x = canvas.grid.x_mm[window]
    if x.size:
        patches = smooth_noise(x.shape, 5 / canvas.grid.spacing_mm, rng)
        loss = float(rng.uniform(0, FLOW_PATCH))
        canvas.water[window] *= 1 - loss * np.clip(patches, 0, 1)
    rootlets = anatomy.rootlets
    if rootlets.bundled:
        bundle = Shrunken(anatomy.sac, 0.1)
        canvas.paint(bundle, tissues.nerve * 1.1)
    for rootlet_x, rootlet_y in zip(rootlets.x_mm, rootlets.y_mm, strict=True):
        canvas.paint(
            Ellipse(
                float(rootlet_x),
                float(rootlet_y),
                rootlets.radius_mm,
                rootlets.radius_mm,
            ),
            tissues.nerve,
        )


def _paint_roots(anatomy: Anatomy, tissues: Tissues, canvas: Canvas) -> None:
    for root in anatomy.roots:
        if root.merged:
            canvas.paint(root.shape(), tissues.herniation)
        else:
            canvas.paint(root.shape(), tissues.nerve)
