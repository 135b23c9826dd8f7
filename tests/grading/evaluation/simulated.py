"""Outcomes to evaluate, drawn at random, and a look through all of their figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import numpy as np
from numpy.typing import NDArray

from grading.evaluation.outcomes import GRADES, Figure, Outcomes
from grading.grades import Finding

PREVALENCE = (0.6, 0.25, 0.1, 0.05)


def outcomes(
    rng: np.random.Generator,
    cases: int = 300,
    patients: int = 30,
    *,
    skill: float = 2.0,
    digits: int = 6,
) -> Outcomes:
    """Return predictions whose logit of the right grade is larger by ``skill``."""
    reference = rng.choice(GRADES, p=PREVALENCE, size=cases)
    logits = rng.normal(size=(cases, GRADES))
    logits[np.arange(cases), reference] += skill
    return Outcomes(
        Finding.LCCS,
        rng.integers(patients, size=cases),
        reference.astype(np.int8),
        coarse(softmax(logits), digits),
    )


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def coarse(probabilities: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return probabilities of few digits, which tie and still sum to one."""
    steps = np.round(probabilities.cumsum(axis=1), digits)
    return np.diff(steps, axis=1, prepend=0.0).round(digits) + 0.0


def certain(
    reference: list[int], predicted: list[int], patients: list[int] | None = None
) -> Outcomes:
    """Return outcomes whose predictions leave no doubt."""
    whose = range(len(reference)) if patients is None else patients
    return Outcomes(
        Finding.LCCS,
        np.array(whose, np.intp),
        np.array(reference, np.int8),
        np.eye(GRADES)[np.array(predicted, np.intp)],
    )


def of_confusion(confusion: NDArray[np.int64], patients: int) -> Outcomes:
    """Return outcomes with this confusion matrix, dealt to patients in turn."""
    cells = np.repeat(np.arange(confusion.size), confusion.ravel())
    cells = np.random.default_rng(0).permutation(cells)
    reference, predicted = np.divmod(cells, GRADES)
    whose = (np.arange(len(cells)) % patients).tolist()
    return certain(reference.tolist(), predicted.tolist(), whose)


def figures_in(scores: object) -> Iterator[Figure]:
    """Yield every figure inside a dataclass, wherever it hides."""
    if isinstance(scores, Figure):
        yield scores
    elif isinstance(scores, dict):
        for value in scores.values():
            yield from figures_in(value)
    elif isinstance(scores, tuple):
        for value in scores:
            yield from figures_in(value)
    elif is_dataclass(scores):
        for field in fields(scores):
            yield from figures_in(getattr(scores, field.name))
