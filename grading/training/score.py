"""Measure a bundle on labelled slices that it has not learned from.

Needs the ``eval`` extra.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from grading.bundle import Bundle
from grading.card import write_card
from grading.evaluation.metrics import (
    Metric,
    confusion_of,
    constant_confusion,
    over_grades,
)
from grading.grader import Grader
from grading.grades import FIRST_LINES, Finding
from grading.phantom.ranges import GENERATOR_VERSION
from grading.training.samples import (
    REGION_WORDS,
    LabelledSlice,
    PhantomSet,
    Regions,
    draw_phantoms,
)
from grading.trust import Result

BATCH_SLICES = 32

Grades = NDArray[np.int64]
"""(slices,)."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one finding's grades agree with the truth."""

    finding: Finding
    macro_f1: float
    """As `lumbar-grading evaluate` has it: the mean F1 of the grades that occur or were
    predicted."""
    accuracy: float
    constant_macro_f1: float
    constant_accuracy: float
    """Of a predictor that always says the most frequent grade of this set."""
    confusion: NDArray[np.int64]
    """(true grade, predicted grade)."""


def predict(
    bundle: Bundle, slices: Iterable[LabelledSlice]
) -> tuple[Mapping[Finding, Grades], Mapping[Finding, Grades]]:
    """Return the true and the predicted grades of each finding.

    Raises
    ------
    ValueError
        There is no slice.
    """
    grader = Grader(bundle)
    true: list[Grades] = []
    predicted: list[Grades] = []
    remaining = iter(slices)
    while some := list(islice(remaining, BATCH_SLICES)):
        regions = Regions(some, bundle.card.preprocessing)
        seen, grades = zip(*(regions[i] for i in range(len(regions))), strict=True)
        said = grader.probabilities(seen)
        true.append(torch.stack(grades).numpy())
        predicted.append(np.stack([_most_probable(said[f]) for f in Finding], axis=1))
    if not true:
        raise ValueError("there is no slice to measure on")
    return _by_finding(true), _by_finding(predicted)


def score(
    true: Mapping[Finding, Grades], predicted: Mapping[Finding, Grades]
) -> tuple[Score, ...]:
    """Compare predicted with true grades, finding by finding."""
    return tuple(
        _score(finding, true[finding], predicted[finding]) for finding in Finding
    )


def measure_on_phantom(
    bundle: Bundle, phantoms: PhantomSet, workers: int
) -> tuple[Score, ...]:
    """Draw a set of phantom slices and compare the bundle's grades with its truth."""
    slices = tqdm(
        draw_phantoms(phantoms, workers),
        total=phantoms.slices,
        desc="measuring",
        leave=False,
    )
    return score(*predict(bundle, slices))


def record(bundle: Bundle, scores: Sequence[Score], phantoms: PhantomSet) -> None:
    """Write a measurement into the bundle's card, in place of the same one before."""
    command = (
        f"lumbar-grading measure BUNDLE --slices {phantoms.slices} "
        f"--seed {phantoms.seed} --domain {phantoms.domain} "
        f"--prevalence {phantoms.prevalence}"
    )
    result = Result(
        command=command,
        labelled_slices=(
            f"phantom {GENERATOR_VERSION}, {phantoms.domain} domain, "
            f"{phantoms.prevalence} grades, split {phantoms.split.name.lower()}; "
            f"{REGION_WORDS}"
        ),
        slices=phantoms.slices,
        weights_sha256=bundle.card.weights_sha256,
        macro_f1={one.finding.value: round(one.macro_f1, 4) for one in scores},
        accuracy={one.finding.value: round(one.accuracy, 4) for one in scores},
        constant_macro_f1={
            one.finding.value: round(one.constant_macro_f1, 4) for one in scores
        },
    )
    others = tuple(one for one in bundle.card.results if one.command != command)
    write_card(bundle.path, replace(bundle.card, results=(*others, result)))


def table(scores: Sequence[Score], bundle: Bundle) -> str:
    """Return the scores as text, the bundle's basis in the first line."""
    card = bundle.card
    lines = [
        FIRST_LINES[card.basis],
        f"bundle {card.name} {card.version}, weights {card.weights_sha256[:12]}",
        f"{'':6}{'macro-F1':>10}{'accuracy':>10}   constant: macro-F1, accuracy",
    ]
    lines.extend(
        f"{one.finding:6}{one.macro_f1:10.3f}{one.accuracy:10.3f}"
        f"{one.constant_macro_f1:21.3f}{one.constant_accuracy:10.3f}"
        for one in scores
    )
    for one in scores:
        lines.append(f"\n{one.finding}: rows true grade 0 to 3, columns predicted")
        lines.extend("".join(f"{n:6d}" for n in row) for row in one.confusion)
    return "\n".join(lines)


def _most_probable(probabilities: Sequence[Sequence[float]]) -> Grades:
    return np.asarray(np.argmax(probabilities, axis=1))


def _by_finding(batches: Sequence[Grades]) -> dict[Finding, Grades]:
    """Return (slices,) grades of each finding from batches of (slices, findings)."""
    grades = np.concatenate(batches)
    return {finding: grades[:, i] for i, finding in enumerate(Finding)}


def _score(finding: Finding, true: Grades, predicted: Grades) -> Score:
    confusion = confusion_of(true, predicted)
    most_frequent = int(confusion.sum(axis=1).argmax())
    found = over_grades(confusion.astype(np.float64))
    constant = over_grades(
        constant_confusion(confusion.astype(np.float64), most_frequent)
    )
    return Score(
        finding=finding,
        macro_f1=float(found[Metric.MACRO_F1]),
        accuracy=float(found[Metric.ACCURACY]),
        constant_macro_f1=float(constant[Metric.MACRO_F1]),
        constant_accuracy=float(constant[Metric.ACCURACY]),
        confusion=confusion,
    )
