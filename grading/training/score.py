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
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from tqdm import tqdm

from grading.bundle import Bundle
from grading.card import Result, write_card
from grading.grades import FIRST_LINES, Finding, Grade
from grading.network import MultiTaskResNet
from grading.phantom.ranges import GENERATOR_VERSION
from grading.training.samples import (
    REGION_WORDS,
    LabelledSlice,
    PhantomSet,
    Regions,
    draw_phantoms,
)

BATCH_SLICES = 32

Grades = NDArray[np.int64]
"""(slices,)."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one finding's grades agree with the truth."""

    finding: Finding
    macro_f1: float
    """The mean of the four grades' F1; a grade never predicted counts as zero."""
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
    network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
    network.load_state_dict(bundle.state_dict)
    network.eval()
    network.to(memory_format=torch.channels_last)
    true: list[torch.Tensor] = []
    predicted: list[torch.Tensor] = []
    remaining = iter(slices)
    while some := list(islice(remaining, BATCH_SLICES)):
        network_input, grades = _batch(some, bundle)
        true.append(grades)
        predicted.append(_most_probable(network, network_input))
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


def _batch(
    some: Sequence[LabelledSlice], bundle: Bundle
) -> tuple[torch.Tensor, torch.Tensor]:
    regions = Regions(some, bundle.card.preprocessing)
    pairs = [regions[i] for i in range(len(regions))]
    network_input = torch.stack([pair[0] for pair in pairs])
    return network_input, torch.stack([pair[1] for pair in pairs])


@torch.inference_mode()
def _most_probable(
    network: MultiTaskResNet, network_input: torch.Tensor
) -> torch.Tensor:
    """Return (slices, 3), the findings in their order."""
    logits = network(network_input.contiguous(memory_format=torch.channels_last))
    return torch.stack(
        [logits[finding.value].argmax(dim=1) for finding in Finding], dim=1
    )


def _by_finding(batches: Sequence[torch.Tensor]) -> dict[Finding, Grades]:
    grades = torch.cat(list(batches)).numpy()
    return {finding: grades[:, i] for i, finding in enumerate(Finding)}


def _score(finding: Finding, true: Grades, predicted: Grades) -> Score:
    labels = [int(grade) for grade in Grade]
    constant = np.full_like(true, np.bincount(true).argmax())

    def macro_f1(grades: Grades) -> float:
        return float(
            f1_score(true, grades, labels=labels, average="macro", zero_division=0)
        )

    return Score(
        finding=finding,
        macro_f1=macro_f1(predicted),
        accuracy=float(accuracy_score(true, predicted)),
        constant_macro_f1=macro_f1(constant),
        constant_accuracy=float(accuracy_score(true, constant)),
        confusion=confusion_matrix(true, predicted, labels=labels),
    )
