"""Choose from which spread on a bundle's landmarks are not believed.

The spread of several looks is a length without a meaning of its own: what it is worth
is measured on phantoms of a domain that no training has seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from grading.bundle import Bundle, locator_of, save_bundle
from grading.card import Card, without_evaluation
from grading.errors import BundleError, UsageError
from grading.grades import SliceKey
from grading.headers import Acquisition, ImageHeader
from grading.landmarks.card import Belief
from grading.landmarks.found import AxialFound, Locator
from grading.phantom.slices import Split
from grading.series import Slice
from grading.training.lessons.keep import read_patients, set_of
from grading.training.lessons.lesson import AxialLesson

GROSS_MM = 6.0
"""As far as a region is shifted in training: farther off, the grades are worth less."""
SHARE_GROSS = 0.01
"""Accepted among what is believed."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at one slice gave."""

    spread_mm: float
    """Infinite where nothing was found."""
    missed_mm: float
    """From the sac's true centre to the one found; infinite where none was."""


def choose_spread(bundle: Bundle, lessons: Path) -> Card:
    """Write the largest spread that is believed into a bundle, and return its card.

    Parameters
    ----------
    lessons
        A folder that ``lumbar-grading lessons`` wrote; its validation patients are
        looked at.

    Raises
    ------
    BundleError
        The bundle has no landmark networks.
    UsageError
        There are no lessons, or no spread tells right from wrong on them.
    """
    locator = locator_of(bundle, torch.device("cpu"))
    landmarks = bundle.card.landmarks
    if locator is None or landmarks is None:
        raise BundleError(
            f"{bundle.path} has no landmark networks: `lumbar-grading landmarks` "
            "trains them"
        )
    folder = lessons / Split.VALIDATION.name.lower()
    looked = list(look_at(locator, _axial(folder)))
    if not looked:
        raise UsageError(
            f"{folder} holds no lesson: write some with `lumbar-grading lessons`"
        )
    spread_mm, belief = largest_spread(looked, set_of(folder))
    landmarks = replace(landmarks, largest_spread_mm=spread_mm, belief=belief)
    card = replace(without_evaluation(bundle.card), landmarks=landmarks)
    return save_bundle(bundle.path, {**bundle.state_dict, **bundle.landmarks}, card)


def look_at(
    locator: Locator, patients: Iterable[Sequence[AxialLesson]]
) -> Iterable[Looked]:
    """Look at every slice and compare the sac's centre with the true one."""
    for lessons in patients:
        found = locator.axial(
            [bare_slice(one.pixels, one.spacing_mm) for one in lessons]
        )
        for lesson, at in zip(lessons, found, strict=True):
            yield Looked(
                math.inf if at.spread_mm is None else at.spread_mm,
                _missed_mm(lesson, at),
            )


def largest_spread(looked: Sequence[Looked], images: str) -> tuple[float, Belief]:
    """Return the largest spread up to which few enough slices are gross errors.

    Raises
    ------
    UsageError
        Even the slices whose looks agree best are too often wrong.
    """
    ordered = sorted(looked, key=lambda one: one.spread_mm)
    gross = np.cumsum([one.missed_mm > GROSS_MM for one in ordered])
    share = gross / np.arange(1, len(ordered) + 1)
    finite = np.array([math.isfinite(one.spread_mm) for one in ordered])
    [good] = np.nonzero((share <= SHARE_GROSS) & finite)
    if not len(good):
        raise UsageError(
            f"more than {SHARE_GROSS:.0%} of the slices are off by over {GROSS_MM:g} "
            "mm whatever the spread: train the landmark networks longer"
        )
    # Up to the next tenth, so that the card shows the limit that was meant.
    limit_mm = math.ceil(ordered[int(good[-1])].spread_mm * 10) / 10
    believed = [one for one in ordered if one.spread_mm <= limit_mm]
    wrong = sum(one.missed_mm > GROSS_MM for one in believed)
    belief = Belief(
        images=images,
        slices=len(ordered),
        gross_mm=GROSS_MM,
        share_gross=round(wrong / len(believed), 4),
        share_believed=round(len(believed) / len(ordered), 4),
    )
    return limit_mm, belief


def bare_slice(
    pixels: NDArray[np.generic], spacing_mm: tuple[float, float], name: str = ""
) -> Slice:
    """Return pixels as a slice of which nothing but the pixel spacing is known."""
    rows, columns = pixels.shape
    header = ImageHeader(
        key=SliceKey(name, name),
        modality="MR",
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        position_lps_mm=None,
        row_direction=None,
        column_direction=None,
        spacing_mm=spacing_mm,
        acquisition=Acquisition(),
        description="",
        body_part="",
    )
    return Slice(header, pixels.astype(np.float32))


def _axial(folder: Path) -> Iterable[Sequence[AxialLesson]]:
    return (patient.axial for patient in read_patients(folder))


def _missed_mm(lesson: AxialLesson, found: AxialFound) -> float:
    true, said = lesson.marks.sac_centre, found.marks.sac_centre
    if true is None or said is None:
        return math.inf
    return math.hypot(
        (said.row - true.row) * lesson.spacing_mm[0],
        (said.column - true.column) * lesson.spacing_mm[1],
    )
