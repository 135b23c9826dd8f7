"""Honest probabilities, and the confidence below which a person must look.

Both are fitted on a validation part and hold, if at all, for patients like those.
Temperature: Guo et al., On calibration of modern neural networks, ICML 2017. Shift: by
the logarithms of the shares, as Menon et al., Long-tail learning via logit adjustment,
ICLR 2021, with a strength.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from grading.evaluation.metrics import Metric, confusion_of, over_grades
from grading.evaluation.outcomes import GRADES

Floats = NDArray[np.float64]

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
"""A fit at either end says that the logits order the grades perfectly, or not at
all: no temperature is right then, and these keep the probabilities finite."""
STRENGTHS = tuple(step / 10 for step in range(11))
"""That `fit_strength` chooses from."""
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


def shift_to(logits: Floats, reference: NDArray[np.int8], strength: float) -> Shift:
    """Move a head towards the reference's shares of grades, and calibrate it anew.

    A network that learned from grades all alike in number calls rare grades too often
    where they are rare. Bayes' rule would move it by the logarithms of the shares
    (strength 1), which favours accuracy over the rare grades; 0 leaves it.

    Raises
    ------
    ValueError
        There is no case, or a logit is not finite.
    """
    before = fit_temperature(logits, reference)
    offsets = _offsets(reference, strength)
    moved = logits / before + offsets
    after = fit_temperature(moved, reference)
    first, *others = offsets / after
    return Shift(before * after, (0.0, *(float(one - first) for one in others)))


def fit_strength(heads: Iterable[tuple[Floats, NDArray[np.int8]]]) -> float:
    """Return the strength with which all heads are moved at best: by mean macro-F1.

    One number for all: rare grades are few wherever they are rare, and each head's own
    offsets would fit their chances.

    Parameters
    ----------
    heads
        Each head's (cases, 4) logits and (cases,) grades.
    """
    calibrated = [
        (logits / fit_temperature(logits, reference), reference)
        for logits, reference in heads
    ]

    def score(strength: float) -> float:
        return float(
            np.mean(
                [
                    _macro_f1((logits + _offsets(true, strength)).argmax(axis=1), true)
                    for logits, true in calibrated
                ]
            )
        )

    # The first of several that are as good: the one that moves least.
    return float(max(STRENGTHS, key=score))


def _offsets(reference: NDArray[np.int8], strength: float) -> Floats:
    # A grade that never occurs is moved by a finite length.
    counts = np.bincount(reference, minlength=GRADES) + 0.5
    offsets: Floats = strength * np.log(counts / counts.sum())
    return offsets


def _macro_f1(said: NDArray[np.intp], true: NDArray[np.int8]) -> float:
    confusion = confusion_of(true, said).astype(np.float64)
    return float(over_grades(confusion)[Metric.MACRO_F1])


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
