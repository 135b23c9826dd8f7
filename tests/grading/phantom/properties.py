"""What must hold of every drawn spine, checked on label maps.

A tissue may only touch its neighbours; sac and roots stay where they belong; no
structure has a negative size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label as connected

from grading.phantom.spine.cut import Cut, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.spine.tissues import Tissue
from tests.grading.phantom.labels import LabelMap, pixel_points, rasterise, window
from tests.grading.phantom.planes import disc_plane, draw_patient

AXIAL_CELL_MM = 0.3
AXIAL_SIZE_MM = 60.0
BESIDE_DISC_MM = (-17.0, 0.0, 4.4)
"""At a pedicle, through the disc, and near an endplate."""
SAGITTAL_CELL_MM = 0.35
SAGITTAL_SIZE_MM = (230.0, 90.0)
SAGITTAL_X_MM = (-8.0, 0.0)

NEIGHBOURS: Mapping[Tissue, frozenset[Tissue]] = {
    Tissue.FLUID: frozenset({Tissue.ROOTLET, Tissue.CORD, Tissue.DURA}),
    Tissue.ROOTLET: frozenset({Tissue.FLUID, Tissue.CORD, Tissue.DURA}),
    Tissue.CORD: frozenset({Tissue.FLUID, Tissue.ROOTLET, Tissue.DURA}),
    Tissue.NUCLEUS: frozenset({Tissue.ANNULUS, Tissue.CORTEX}),
    Tissue.MARROW: frozenset(
        {Tissue.CORTEX, Tissue.VEIN, Tissue.JOINT, Tissue.FLAVUM, Tissue.ANNULUS}
    ),
    Tissue.DURA: frozenset(
        {
            Tissue.FLUID,
            Tissue.ROOTLET,
            Tissue.CORD,
            Tissue.EPIDURAL_FAT,
            Tissue.FAT,
            Tissue.VEIN,
            Tissue.ANNULUS,
            Tissue.HERNIATION,
            Tissue.FLAVUM,
            Tissue.LIGAMENT,
            Tissue.CORTEX,
            Tissue.JOINT,
            Tissue.ROOT,
        }
    ),
    Tissue.HERNIATION: frozenset(
        {
            Tissue.ANNULUS,
            Tissue.CORTEX,
            Tissue.EPIDURAL_FAT,
            Tissue.FAT,
            Tissue.DURA,
            Tissue.ROOT,
            Tissue.FLAVUM,
            Tissue.JOINT,
            Tissue.VEIN,
            Tissue.LIGAMENT,
        }
    ),
    Tissue.ROOT: frozenset(
        {
            Tissue.EPIDURAL_FAT,
            Tissue.FAT,
            Tissue.DURA,
            Tissue.HERNIATION,
            Tissue.ANNULUS,
            Tissue.FLAVUM,
            Tissue.CORTEX,
            Tissue.JOINT,
            Tissue.VEIN,
            Tissue.MUSCLE,
            Tissue.LIGAMENT,
        }
    ),
}
"""Of each tissue around the canal, everything that it may touch. Marrow meets joint,
flavum and disc where the bone's cortex is part of them."""
TOLERATED = 0.05
"""Share of a tissue's border that may be with others: a dura of a third of a
millimetre is thinner than a pixel, and where a wall stands steep to the spine, which
distances are measured across, thinner still."""
UNDER_ROOTS = frozenset(
    {Tissue.EPIDURAL_FAT, Tissue.FAT, Tissue.MUSCLE, Tissue.HERNIATION, Tissue.FASCIA}
)
"""What a root runs through: canal, foramen, and beyond it the psoas."""
ROOT_TOLERANCE = 0.15
"""Share of a root's area in anything else, where it is pressed or touched."""
LEAST_PIECE_MM2 = 0.5
SIZES = ("half_", "below_", "above_", "radius")
"""How the names of lengths begin that cannot be negative."""


def faults_of_patient(seed: int, study: int) -> list[str]:
    """Return, in words, what should not be in one patient's spine."""
    spine, _ = draw_patient(seed, study)
    found = list(faults_of_sizes(spine))
    for x_mm in SAGITTAL_X_MM:
        found.extend(faults_of_sagittal(spine, x_mm))
    for space in spine.discs:
        found.extend(faults_of_disc(spine, space))
    return [f"study {study}: {fault}" for fault in found]


def faults_of_disc(spine: Spine, space: DiscSpace) -> Iterator[str]:
    """Yield what is wrong on axial maps at a disc and beside it."""
    for up_mm in BESIDE_DISC_MM:
        where = f"{space.level} {up_mm:+.1f} mm"
        labels = rasterise(spine, _axial(spine, space, up_mm))
        yield from (f"{where}: {fault}" for fault in _faults_of_map(labels))
        yield from (f"{where}: {fault}" for fault in _faults_of_sac(labels, space))
        yield from (f"{where}: {fault}" for fault in _faults_of_roots(labels))


def faults_of_sagittal(spine: Spine, x_mm: float) -> Iterator[str]:
    """Yield what is wrong on a sagittal map."""
    labels = rasterise(spine, _sagittal(spine, x_mm))
    # The sacrum has no foramina: its roots leave through the bone.
    for fault in _faults_of_map(labels, besides=Tissue.ROOT):
        yield f"sagittal {x_mm:+.1f} mm: {fault}"


def faults_of_sizes(spine: Spine) -> Iterator[str]:
    """Yield every length of a solid, or of a disc, that is not positive."""
    for part in spine.parts:
        for name, least in _sizes(part.solid):
            if least <= 0:
                yield f"{part.name}: {name} is {least:g}"
    for space in spine.discs:
        if space.height_mm <= 0:
            yield f"{space.level} has a height of {space.height_mm:g} mm"


def _sizes(thing: object) -> Iterator[tuple[str, float]]:
    """Yield name and least value of each length, however deep in a solid."""
    if isinstance(thing, tuple):
        for one in thing:
            yield from _sizes(one)
    if not is_dataclass(thing):
        return
    for field in fields(thing):
        value = getattr(thing, field.name)
        if field.name.startswith(SIZES):
            yield field.name, float(np.min(value))
        else:
            yield from _sizes(value)


def _faults_of_map(labels: LabelMap, besides: Tissue | None = None) -> Iterator[str]:
    borders = _borders(labels)
    for tissue, neighbours in NEIGHBOURS.items():
        if tissue is besides:
            continue
        whole = int(borders[tissue].sum())
        for other in Tissue:
            share = borders[tissue, other] / max(whole, 1)
            if other not in neighbours and share > TOLERATED:
                yield f"{share:.0%} of {tissue.name}'s border touches {other.name}"


def _borders(labels: LabelMap) -> NDArray[np.int64]:
    """Return (tissues, tissues) how many cells of each lie side by side."""
    tissues = labels.tissues
    counts = np.zeros((len(Tissue), len(Tissue)), np.int64)
    for one, other in (
        (tissues[1:], tissues[:-1]),
        (tissues[:, 1:], tissues[:, :-1]),
    ):
        np.add.at(counts, (one.ravel(), other.ravel()), 1)
    np.fill_diagonal(counts, 0)
    both: NDArray[np.int64] = counts + counts.T
    return both


def _faults_of_sac(labels: LabelMap, space: DiscSpace) -> Iterator[str]:
    """Yield pieces of the sac beyond the first, and disc material inside it."""
    spine, cut = labels.spine, labels.cut
    at = spine.axis.straighten(pixel_points(cut))
    sac = spine.sac.distance(at) < 0
    pieces, _ = connected(sac)
    areas_mm2 = np.bincount(pieces.ravel())[1:] * labels.cell_mm**2
    if np.count_nonzero(areas_mm2 > LEAST_PIECE_MM2) > 1:
        yield f"the sac is in pieces of {np.round(areas_mm2, 1)} mm2"
    for name, solid in (("disc", space.disc), ("herniation", space.herniation)):
        if solid is not None and (sac & (solid.distance(at) < 0)).any():
            yield f"the sac runs through the {name}"


def _faults_of_roots(labels: LabelMap) -> Iterator[str]:
    """Yield roots that run through what is neither canal nor foramen."""
    spine = labels.spine
    bare = replace(
        spine,
        parts=tuple(part for part in spine.parts if part.tissue is not Tissue.ROOT),
    )
    under = rasterise(bare, labels.cut).tissues
    for name, root in labels.instances(lambda name: name.startswith("root ")).items():
        elsewhere = ~np.isin(under[root], list(UNDER_ROOTS))
        if elsewhere.mean() > ROOT_TOLERANCE:
            through = {Tissue(one).name for one in under[root][elsewhere]}
            yield f"{elsewhere.mean():.0%} of {name} runs through {sorted(through)}"


def _axial(spine: Spine, space: DiscSpace, up_mm: float) -> Cut:
    cut = disc_plane(spine, space).shifted(up_mm)
    return window(cut, np.array(cut.position_mm), AXIAL_SIZE_MM, AXIAL_CELL_MM)


def _sagittal(spine: Spine, x_mm: float) -> Cut:
    high, wide = (round(size / SAGITTAL_CELL_MM) for size in SAGITTAL_SIZE_MM)
    return Cut.centred(
        vector(spine.axis.locate(x_mm, 0.0, 0.0)),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, -1.0),
        (SAGITTAL_CELL_MM, SAGITTAL_CELL_MM),
        (high, wide),
    )
