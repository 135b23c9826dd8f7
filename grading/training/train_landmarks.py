"""Train both landmark networks and put them into a bundle."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import torch
from tqdm import tqdm

from grading.bundle import Bundle, landmark_weights, save_bundle
from grading.card import Card, without_evaluation
from grading.errors import UsageError
from grading.fields import Scalar
from grading.landmarks.card import LandmarkCard
from grading.landmarks.network import (
    AXIAL,
    AXIAL_POINTS,
    SAGITTAL,
    SAGITTAL_POINTS,
)
from grading.phantom.slices import Split
from grading.provenance import Provenance
from grading.training.fit_landmarks import LandmarkRecipe, fit_landmarks
from grading.training.lessons.keep import read_patients, set_of
from grading.training.looks import Disturbance, Kept, keep_axial, keep_sagittal
from grading.training.train import processor

SAGITTAL_DISTURBANCE = Disturbance(
    rotation_deg=12.0, scale=(0.85, 1.2), shift_mm=30.0, flip=False
)
"""A spine lies along its image, and nobody scans it mirrored."""
LARGEST_SPREAD_MM = 6.0
"""Until `lumbar-grading believe` has chosen it on phantoms of another domain."""


@dataclass(frozen=True, slots=True)
class Known:
    """The kept images of one split."""

    axial: list[Kept]
    sagittal: list[Kept]
    patients: int


def read_known(lessons: Path, split: Split) -> Known:
    """Read what one split's lessons teach about landmarks.

    Raises
    ------
    UsageError
        The folder holds none.
    """
    folder = lessons / split.name.lower()
    known = Known([], [], 0)
    for patient in tqdm(read_patients(folder), desc=f"{split.name.lower()} patients"):
        known.axial.extend(keep_axial(one, AXIAL) for one in patient.axial)
        known.sagittal.extend(keep_sagittal(one, SAGITTAL) for one in patient.sagittal)
        known = replace(known, patients=known.patients + 1)
    if not known.patients:
        raise UsageError(
            f"{folder} holds no lesson: write some with `lumbar-grading lessons`"
        )
    return known


def train_landmarks(
    bundle: Bundle, lessons: Path, recipe: LandmarkRecipe, command: str
) -> Card:
    """Train both networks and write them into the bundle's folder; return its card.

    Raises
    ------
    BundleError
        The weights do not fit into the bundle.
    UsageError
        There are no lessons to learn from.
    """
    training = read_known(lessons, Split.TRAINING)
    validation = read_known(lessons, Split.VALIDATION)
    started = monotonic()
    log = bundle.path.with_name(bundle.path.name + ".log")
    axial = fit_landmarks(
        training.axial, validation.axial, AXIAL, recipe, log / "axial"
    )
    sagittal_recipe = replace(recipe, disturbance=SAGITTAL_DISTURBANCE)
    sagittal = fit_landmarks(
        training.sagittal,
        validation.sagittal,
        SAGITTAL,
        sagittal_recipe,
        log / "sagittal",
    )
    errors_mm = axial.errors_mm(AXIAL_POINTS) | sagittal.errors_mm(SAGITTAL_POINTS)
    words = (
        f"{set_of(lessons / Split.TRAINING.name.lower())}: {len(training.axial)} axial "
        f"and {len(training.sagittal)} sagittal images of {training.patients} patients"
    )
    landmarks = LandmarkCard(
        axial=AXIAL,
        sagittal=SAGITTAL,
        largest_spread_mm=LARGEST_SPREAD_MM,
        provenance=Provenance(
            command=command,
            labelled_slices=words,
            hardware=processor(),
            software=f"Python {platform.python_version()}, torch {torch.__version__}",
            seconds=round(monotonic() - started, 1),
            samples_seen=axial.looks_seen + sagittal.looks_seen,
            recipe=_described(recipe),
        ),
        errors_mm=errors_mm,
    )
    card = replace(without_evaluation(bundle.card), landmarks=landmarks)
    weights = {**bundle.state_dict, **landmark_weights(axial.network, sagittal.network)}
    return save_bundle(bundle.path, weights, card)


def _described(recipe: LandmarkRecipe) -> dict[str, Scalar]:
    fields = asdict(recipe)
    disturbance = fields.pop("disturbance")
    return fields | {
        "disturbance": ", ".join(f"{key} {value}" for key, value in disturbance.items())
    }
