"""Train a bundle on the phantom: draw, fit, keep."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from grading.bundle import save_bundle
from grading.card import Card, Provenance
from grading.fields import Scalar
from grading.grades import Basis
from grading.network import MultiTaskResNet
from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.slices import Split
from grading.training.fit import HEADS, Progress, Recipe, fit
from grading.training.samples import LabelledSlice, PhantomSet, draw_phantoms

VALIDATION_SLICES = 400
"""Enough to see a macro-F1 move by 0.03; validated every few minutes on a CPU."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a new bundle is called."""

    name: str
    version: str
    command: str
    """What was typed, for the card."""


def train_on_phantom(
    folder: Path, name: Name, recipe: Recipe, slices: int, workers: int
) -> None:
    """Write a bundle to ``folder``, and again after each validation.

    Raises
    ------
    BundleError
        The weights do not fit into a bundle.
    """
    training = PhantomSet(recipe.seed, Split.TRAINING, slices)
    validation = PhantomSet(
        recipe.seed, Split.VALIDATION, min(slices, VALIDATION_SLICES)
    )

    def keep(network: MultiTaskResNet, progress: Progress) -> None:
        card = describe(name, recipe, training, progress)
        save_bundle(folder, network.state_dict(), card)

    fit(
        list(_with_bar(training, workers)),
        list(_with_bar(validation, workers)),
        recipe,
        folder.with_name(folder.name + ".log"),
        keep,
    )


def describe(
    name: Name, recipe: Recipe, training: PhantomSet, progress: Progress
) -> Card:
    """Return the card of a network as far as the training has come."""
    return Card(
        name=name.name,
        version=name.version,
        basis=Basis.PHANTOM,
        backbone=recipe.backbone,
        heads=HEADS,
        preprocessing=recipe.preprocessing,
        calibration={head.name: 1.0 for head in HEADS},
        provenance=Provenance(
            command=name.command,
            labelled_slices=(
                f"phantom {GENERATOR_VERSION}, {training.domain} domain, "
                f"{training.prevalence} grades: {training.slices} slices "
                f"of seed {training.seed}"
            ),
            hardware=_hardware(),
            software=f"Python {platform.python_version()}, torch {torch.__version__}",
            seconds=round(progress.seconds, 1),
            samples_seen=progress.samples_seen,
            recipe=_recipe(recipe),
        ),
    )


def _recipe(recipe: Recipe) -> dict[str, Scalar]:
    fields = asdict(recipe)
    # They stand on the card for themselves.
    del fields["preprocessing"], fields["backbone"]
    return fields | {
        "optimiser": "AdamW",
        "loss": "cross-entropy summed over the heads",
        "augmentation": "shift, rotation, scale, left-right flip, gamma, noise",
    }


def _hardware() -> str:
    """Say what trained, without saying which machine."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} of {os.cpu_count()} cores"


def _with_bar(phantoms: PhantomSet, workers: int) -> Iterator[LabelledSlice]:
    return iter(
        tqdm(
            draw_phantoms(phantoms, workers),
            total=phantoms.slices,
            desc=f"drawing {phantoms.split.name.lower()} slices",
        )
    )
