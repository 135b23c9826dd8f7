"""Calibrate a bundle on phantom studies that it has graded by itself.

Temperatures and thresholds go onto the card. Training shows every grade equally often,
so that the rare ones are learned, while in service they are rare: where that is asked
for, each head also gets the shares of grades of the studies. These offsets go into the
weights of the heads, so that whoever loads the bundle need not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from grading.bundle import Bundle, save_bundle
from grading.card import Card, write_card
from grading.errors import UsageError
from grading.evaluation.calibration import (
    Shift,
    fit_strength,
    log_probabilities,
    shift_to,
)
from grading.training.calibrate import (
    Calibration,
    calibrated,
    choose_threshold,
    fit,
)
from grading.training.trial import StudyTrial

Floats = NDArray[np.float64]
Grades = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be fitted."""

    accuracy: float
    """Share of right grades among those that need no reader."""
    shares: bool = False
    """Whether the heads get the studies' shares of grades, too."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted for one head."""

    calibration: Calibration
    offsets: tuple[float, ...] | None = None
    """(4,), after the temperature; None where the head's shares stay as they are."""
    strength: float | None = None
    """Of the move towards the studies' shares: 1 as Bayes' rule has it."""


def calibrate_on_trials(
    bundle: Bundle, trials: Iterable[StudyTrial], wish: Wish, words: str
) -> Mapping[str, Fitted]:
    """Fit every head and write the outcome into the bundle's folder.

    Parameters
    ----------
    trials
        What this bundle made of the studies.
    words
        Which studies, for the card.

    Raises
    ------
    UsageError
        No slice was graded.
    """
    fitted = fit_heads(bundle, trials, wish)
    if not fitted:
        raise UsageError("no slice through a disc was graded: nothing to fit")
    card = _calibrated(bundle.card, fitted, words)
    offsets = {head: one.offsets for head, one in fitted.items() if one.offsets}
    if not offsets:
        write_card(bundle.path, card)
        return fitted
    weights = {**bundle.state_dict, **bundle.landmarks}
    for head, each in offsets.items():
        bias = f"heads.{head}.bias"
        # softmax((logits + T b) / T) is softmax(logits / T + b).
        moved = torch.tensor(each) * fitted[head].calibration.temperature
        weights[bias] = weights[bias] + moved
    save_bundle(bundle.path, weights, card)
    return fitted


def fit_heads(
    bundle: Bundle, trials: Iterable[StudyTrial], wish: Wish
) -> Mapping[str, Fitted]:
    """Return what is fitted for each head; those of the two sides, too."""
    heads = _logits_and_grades(bundle.card, trials)
    if not wish.shares:
        return {
            head: Fitted(fit(logits, grades, wish.accuracy))
            for head, (logits, grades) in heads.items()
        }
    strength = fit_strength(heads.values()) if heads else 0.0
    return {
        head: _moved(logits, grades, strength, wish.accuracy)
        for head, (logits, grades) in heads.items()
    }


def _calibrated(card: Card, fitted: Mapping[str, Fitted], words: str) -> Card:
    """Return the card with what was fitted, and on what."""
    recipe = {**card.provenance.recipe, "calibrated_on": words}
    strengths = {one.strength for one in fitted.values() if one.offsets}
    if strengths:
        recipe["shares"] = f"{words}, strength {strengths.pop():g}"
    card = replace(card, provenance=replace(card.provenance, recipe=recipe))
    return calibrated(card, {head: one.calibration for head, one in fitted.items()})


def _moved(logits: Floats, grades: Grades, strength: float, accuracy: float) -> Fitted:
    shift = shift_to(logits, grades, strength)
    threshold = choose_threshold(_shifted(logits, shift), grades, accuracy)
    calibration = Calibration(shift.temperature, threshold)
    return Fitted(calibration, shift.offsets, strength)


def _shifted(logits: Floats, shift: Shift) -> Floats:
    return np.asarray(
        softmax(logits / shift.temperature + np.array(shift.offsets), axis=1)
    )


def _logits_and_grades(
    card: Card, trials: Iterable[StudyTrial]
) -> Mapping[str, tuple[Floats, Grades]]:
    """Return each head's (slices, 4) logits and (slices,) true grades."""
    said: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    true: dict[str, list[int]] = defaultdict(list)
    for trial in trials:
        for one in trial.graded:
            said[one.head].append(one.said.probabilities)
            true[one.head].append(int(one.true))
    return {
        head: (
            # Without the temperature that the probabilities were made with.
            log_probabilities(np.array(rows)) * card.calibration.get(head, 1.0),
            np.array(true[head], np.int8),
        )
        for head, rows in said.items()
    }
