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
from scipy.optimize import isotonic_regression

from grading.bundle import Bundle, locator_of
from grading.card import Card, named_by_calibration, without_evaluation, write_card
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
SHARE_GROSS_AT = 0.1
"""Accepted among the slices whose looks disagree most of those that are believed."""
SHARE_OF_RIGHT = 0.99
"""Of the slices that are no gross errors: farther out too few lie to tell anything."""

Tenths = NDArray[np.int64]


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
    card = named_by_calibration(card)
    write_card(bundle.path, card)
    return card


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
    """Return the largest spread that is believed.

    Three things bound it, so that a few slices far out decide nothing: how many of all
    slices below it are gross errors, how many of those just below it, and up to where
    slices lie on which the sac was found.

    Raises
    ------
    UsageError
        Even the slices whose looks agree best are too often wrong.
    """
    found = sorted(
        (one for one in looked if math.isfinite(one.spread_mm)),
        key=lambda one: one.spread_mm,
    )
    gross = np.array([_is_gross(one) for one in found], bool)
    limits = _limits(_tenths([one.spread_mm for one in found]), gross)
    if not len(limits):
        raise UsageError(
            f"more than {SHARE_GROSS:.0%} of the slices are off by over {GROSS_MM:g} "
            "mm whatever the spread: train the landmark networks longer"
        )
    limit_mm = float(limits[-1]) / 10
    return limit_mm, _belief(looked, limit_mm, images)


def _tenths(spreads_mm: Sequence[float]) -> Tenths:
    """Return spreads rounded up, so that the card shows the limit that is meant.

    A spread is at most its tenths / 10, exactly: what is counted here is what the
    card's limit lets through.
    """
    grid_mm = np.arange(math.ceil(max(spreads_mm, default=0.0) * 10) + 2) / 10
    return np.maximum(np.searchsorted(grid_mm, spreads_mm), 1)


def _limits(tenths: Tenths, gross: NDArray[np.bool_]) -> Tenths:
    """Return the spreads that could be the limit, ascending.

    Parameters
    ----------
    tenths
        (slices,) spreads in tenths of a millimetre, ascending.
    gross
        (slices,) who of them is a gross error.
    """
    if gross.all():
        return tenths[:0]
    steps, counts = np.unique(tenths, return_counts=True)
    wrong = np.array([gross[tenths == step].sum() for step in steps], float)
    below = np.cumsum(wrong) / np.cumsum(counts)
    # The error rate at each spread, if it never falls as looks disagree more.
    at = isotonic_regression(wrong / counts, weights=counts).x
    farthest = np.quantile(tenths[~gross], SHARE_OF_RIGHT, method="higher")
    fit = (below <= SHARE_GROSS) & (at <= SHARE_GROSS_AT) & (steps <= farthest)
    return np.asarray(steps[fit])


def _belief(looked: Sequence[Looked], limit_mm: float, images: str) -> Belief:
    believed = [one for one in looked if one.spread_mm <= limit_mm]
    rejected = [one for one in looked if limit_mm < one.spread_mm < math.inf]
    gross_believed = sum(map(_is_gross, believed))
    return Belief(
        images=images,
        slices=len(looked),
        gross_mm=GROSS_MM,
        share_gross=round(gross_believed / len(believed), 4),
        share_believed=round(len(believed) / len(looked), 4),
        gross_believed=gross_believed,
        gross_rejected=sum(map(_is_gross, rejected)),
    )


def _is_gross(one: Looked) -> bool:
    return one.missed_mm > GROSS_MM


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
