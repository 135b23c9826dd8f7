"""Give a bundle that learned from phantoms the shares of grades of a set of phantoms.

Training shows every grade equally often, so that the rare ones are learned. In service
they are rare. Temperature and offsets are fitted on whole studies that the bundle has
graded by itself; the offsets go into the weights of its heads, the temperature on its
card, so that whoever loads the bundle need not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch

from grading.bundle import Bundle, save_bundle
from grading.card import Card, without_evaluation
from grading.errors import UsageError
from grading.evaluation.calibration import Shift, fit_shift
from grading.grades import Grading
from grading.training.trial import StudyTrial


def settle_shares(bundle: Bundle, trials: Iterable[StudyTrial], words: str) -> Card:
    """Write temperatures and offsets of every head into a bundle; return its card.

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
    shifts = fitted(bundle, trials)
    if not shifts:
        raise UsageError("no slice through a disc was graded: nothing to fit")
    calibration = {name: shift.temperature for name, shift in shifts.items()}
    recipe = {**bundle.card.provenance.recipe, "shares": words}
    card = replace(
        without_evaluation(bundle.card),
        calibration={**bundle.card.calibration, **calibration},
        provenance=replace(bundle.card.provenance, recipe=recipe),
    )
    weights = {**bundle.state_dict, **bundle.landmarks}
    for name, shift in shifts.items():
        bias = f"heads.{name}.bias"
        # softmax((logits + T b) / T) is softmax(logits / T + b).
        moved = torch.tensor(shift.offsets) * shift.temperature
        weights[bias] = weights[bias] + moved
    return save_bundle(bundle.path, weights, card)


def fitted(bundle: Bundle, trials: Iterable[StudyTrial]) -> Mapping[str, Shift]:
    """Return what was fitted for each head."""
    logits: dict[str, list[list[float]]] = defaultdict(list)
    grades: dict[str, list[int]] = defaultdict(list)
    for trial in trials:
        for one in trial.graded:
            temperature = bundle.card.calibration.get(one.head, 1.0)
            logits[one.head].append(_logits(one.said, temperature))
            grades[one.head].append(int(one.true))
    return {
        name: fit_shift(np.array(rows), np.array(grades[name], np.int8))
        for name, rows in logits.items()
    }


def _logits(said: Grading, temperature: float) -> list[float]:
    """Undo the temperature that the probabilities were made with."""
    # A probability may be too small for a float, its logarithm must not be infinite.
    tiny = float(np.finfo(np.float64).tiny)
    return [temperature * float(np.log(max(p, tiny))) for p in said.probabilities]
