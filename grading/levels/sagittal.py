"""Levels from the sagittal series of a study: which images, which discs, which not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grading.grades import DiscMark, SagittalView
from grading.headers import Vector
from grading.landmarks.found import Locator
from grading.levels.discs import DiscChain, LevelsUndetermined, chain, disagreement_mm
from grading.levels.geometry import normal_of, pixel_of
from grading.levels.sightings import median, off_plane_mm, places, sacrum_place
from grading.series import LoadedSeries, Slice

AGREEMENT_MM = 8.0
"""Two series of one patient tell a disc's place as well as this."""


@dataclass(frozen=True, slots=True)
class Spine:
    """The discs that one sagittal series shows."""

    series_instance_uid: str
    chain: DiscChain
    view: SagittalView
    side: Vector
    """Unit normal of the images."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the sagittal series of a study tell together."""

    spine: Spine | None
    reasons: Mapping[str, str]
    """Why a series told nothing, by its UID."""


def survey(
    series: Sequence[LoadedSeries], locator: Locator, canal: Sequence[Vector]
) -> Survey:
    """Look for the discs on every series, and compare what they tell.

    Where two series differ nobody knows which one lies as the axial one does: the
    patient has moved, or one of them was counted wrongly. Neither is used then.
    """
    spines: list[Spine] = []
    reasons: dict[str, str] = {}
    for one in series:
        try:
            spines.append(_spine(one, locator, canal))
        except LevelsUndetermined as error:
            reasons[one.series_instance_uid] = str(error)
    if not spines:
        return Survey(None, reasons)
    best = max(spines, key=lambda spine: len(spine.chain.levels))
    off_mm = max(disagreement_mm(best.chain, one.chain, best.side) for one in spines)
    if off_mm > AGREEMENT_MM:
        sentence = (
            f"the sagittal series differ by {off_mm:.0f} mm about a level's place"
        )
        return Survey(
            None, {**reasons, **{one.series_instance_uid: sentence for one in spines}}
        )
    return Survey(best, reasons)


def _spine(one: LoadedSeries, locator: Locator, canal: Sequence[Vector]) -> Spine:
    found = locator.sagittal(one.slices)
    images = [slice_.header for slice_ in one.slices]
    counted = chain(places(images, found, canal), sacrum_place(images, found))
    return Spine(
        one.series_instance_uid,
        counted,
        _view(one.slices, counted),
        normal_of(images[0]),
    )


def _view(slices: Sequence[Slice], counted: DiscChain) -> SagittalView:
    """Choose the image nearest to most discs, and mark them on it as it is stored."""
    middle = median([disc.centre for disc in counted.discs])
    chosen = min(slices, key=lambda one: off_plane_mm(one.header, middle))
    return SagittalView(
        chosen.header.key,
        tuple(
            DiscMark(
                disc.level, chosen.turn.point(pixel_of(chosen.header, disc.centre))
            )
            for disc in counted.discs
            if disc.level
        ),
    )
