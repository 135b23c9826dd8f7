"""Honest probabilities, and the confidence below which a person must look.

Both are fitted on a validation part and hold, if at all, for patients like those.
Temperature: Guo et al., On calibration of modern neural networks, ICML 2017. Shift:
Alexandari et al., Maximum likelihood with bias-corrected calibration is hard-to-beat at
label shift adaptation, ICML 2020.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from grading.evaluation.outcomes import GRADES

Floats = NDArray[np.float64]

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
"""A fit at either end says that the logits order the grades perfectly, or not at
all: no temperature is right then, and these keep the probabilities finite."""
OFFSET_PENALTY = 1e-4
"""Of an offset's square, beside the mean surprise of a case."""
TEMPERATURE_TOLERANCE = 1e-6
"""Of the logarithm of the temperature."""


class Referral(NamedTuple):
    """Where a grade is left to a person."""

    threshold: float
    """A case is referred where its largest probability is below this."""
    share_referred: float
    """Of the cases that the threshold was chosen on."""


def fit_temperature(logits: Floats, reference: NDArray[np.int8]) -> float:
    """Return the temperature that makes the reference most likely.

    ``softmax(logits / temperature)`` are the calibrated probabilities; which grade
    is the most probable does not change. ``logits`` is (cases, 4); the logarithms of
    probabilities will do. ``reference`` is (cases,), grades 0 to 3.

    Raises
    ------
    ValueError
        There is no case, or a logit is not finite.
    """
    _check(logits, reference)
    if not np.isfinite(logits).all():
        raise ValueError(
            "a logit is not finite: clip probabilities above 0 before their logarithm"
        )

    def surprise(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(reference)), reference].mean())

    # The likelihood is concave in 1/T, so it has one maximum in log T as well.
    best = minimize_scalar(
        surprise,
        bounds=(math.log(LEAST_TEMPERATURE), math.log(GREATEST_TEMPERATURE)),
        method="bounded",
        options={"xatol": TEMPERATURE_TOLERANCE},
    )
    return math.exp(best.x)


def log_probabilities(probabilities: Floats) -> Floats:
    """Return logits that give these probabilities, of any shape.

    A probability may be too small for a float; its logarithm is finite all the same.
    """
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


class Shift(NamedTuple):
    """A temperature, and how far each grade is moved against grade 0."""

    temperature: float
    offsets: tuple[float, ...]
    """(4,), the first is 0: ``softmax(logits / temperature + offsets)``."""


def fit_shift(logits: Floats, reference: NDArray[np.int8]) -> Shift:
    """Return temperature and offsets that make the reference most likely.

    A network that learned from grades all alike in number calls rare grades too often
    where they are rare; the offsets give it the shares of the reference. Other than a
    temperature they change which grade is the most probable.

    Raises
    ------
    ValueError
        There is no case, or a logit is not finite.
    """
    start = math.log(fit_temperature(logits, reference))

    def surprise(at: Floats) -> float:
        scaled = logits / np.exp(at[0]) + np.concatenate([[0.0], at[1:]])
        chosen = log_softmax(scaled, axis=1)[np.arange(len(reference)), reference]
        # A grade that hardly occurs must not be moved without an end.
        return -float(chosen.mean()) + OFFSET_PENALTY * float((at[1:] ** 2).sum())

    low, high = math.log(LEAST_TEMPERATURE), math.log(GREATEST_TEMPERATURE)
    best = minimize(
        surprise,
        np.array([start, *[0.0] * (GRADES - 1)]),
        method="L-BFGS-B",
        bounds=[(low, high), *[(None, None)] * (GRADES - 1)],
    )
    return Shift(math.exp(best.x[0]), (0.0, *map(float, best.x[1:])))


def threshold_for(
    probabilities: Floats, reference: NDArray[np.int8], accuracy: float
) -> Referral:
    """Return the threshold that refers fewest and keeps the wanted accuracy.

    Parameters
    ----------
    probabilities
        (cases, 4), calibrated.
    accuracy
        Wanted share of right grades among the cases that are not referred.

    Raises
    ------
    ValueError
        There is no case, or not even the most confident cases are that accurate.
    """
    _check(probabilities, reference)
    if not 0.0 < accuracy <= 1.0:
        raise ValueError(f"{accuracy} is no accuracy: expected 0 to 1, 1 included")
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    correct = (probabilities.argmax(axis=1) == reference)[order]
    kept = np.arange(1, len(order) + 1)
    accuracies = correct.cumsum() / kept
    # Cases of one confidence are kept or referred together.
    last_of_its_confidence = np.diff(falling, append=-1.0) < 0.0
    fit = np.flatnonzero(last_of_its_confidence & (accuracies >= accuracy))
    if not len(fit):
        best = accuracies[last_of_its_confidence].max()
        raise ValueError(
            f"no threshold keeps an accuracy of {accuracy:.3f}: the best is "
            f"{best:.3f}; ask for less, or refer everything"
        )
    share = 1.0 - float(kept[fit[-1]]) / len(order)
    return Referral(float(falling[fit[-1]]) if share else 0.0, share)


def _check(scores: Floats, reference: NDArray[np.int8]) -> None:
    if not len(reference):
        raise ValueError("there is no case to calibrate on")
    if scores.shape != (len(reference), GRADES):
        raise ValueError(
            f"expected ({len(reference)}, {GRADES}) numbers, got {scores.shape}"
        )
