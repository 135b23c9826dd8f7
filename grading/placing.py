"""Where the slices of one study lie along the spine, by whatever can tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grading.grades import SagittalView
from grading.landmarks.found import Locator
from grading.levels.belonging import NOWHERE, Placed, disagreement, place
from grading.levels.sagittal import Spine, survey
from grading.notes import counting_notes, look_notes, placing_notes
from grading.prepared import Prepared
from grading.study import StudyReader

SHOWS_DISC = 0.5
"""A slice that shows a disc with this probability counts for its slab."""

NO_SAGITTAL = "There is no sagittal T2-weighted series that can be read."


@dataclass(frozen=True, slots=True)
class Placing:
    """Where slices lie."""

    placed: tuple[Placed, ...]
    """One for each slice."""
    view: SagittalView | None = None
    """The sagittal image that told the levels; None where none did."""
    notes: tuple[str, ...] = ()


def find_places(
    study: StudyReader, prepared: Sequence[Prepared], locator: Locator | None
) -> Placing:
    """Place slices among the discs that the study's sagittal series show.

    Where these tell no level the reader is told why, and only the look of each slice
    says whether it shows a disc.
    """
    if locator is None:
        return Placing((NOWHERE,) * len(prepared))
    canal = [one.canal for one in prepared if one.region.located]
    told = survey(study.sagittal(canal), locator, canal)
    for uid, reason in told.reasons.items():
        study.leave_out(uid, reason)
    if told.spine is None:
        return _unplaced(prepared, told.reasons.values())
    images = [one.header for one in prepared]
    if (objection := disagreement(images, told.spine.chain)) is not None:
        study.leave_out(told.spine.series_instance_uid, objection)
        return _unplaced(prepared, [objection])
    return _placed(prepared, told.spine)


def _unplaced(prepared: Sequence[Prepared], reasons: Iterable[str]) -> Placing:
    """Say why there are no levels; series are not named, for their names are free."""
    notes = tuple(f"Sagittal series: {why}." for why in dict.fromkeys(reasons))
    placed = tuple(_by_look(one) for one in prepared)
    slabs = [one.slab for one in prepared]
    return Placing(
        placed, notes=(*(notes or (NO_SAGITTAL,)), *look_notes(slabs, placed))
    )


def _placed(prepared: Sequence[Prepared], spine: Spine) -> Placing:
    placed = tuple(place(one.header, spine.chain) for one in prepared)
    notes = (
        *counting_notes(spine.chain),
        *placing_notes([one.slab for one in prepared], placed),
    )
    return Placing(placed, spine.view, notes)


def _by_look(one: Prepared) -> Placed:
    """Say of a slice without a level whether it looks as if it shows a disc."""
    if one.found is None:
        return NOWHERE
    return Placed(through_disc=one.found.through_disc >= SHOWS_DISC)
