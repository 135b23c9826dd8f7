"""Train both landmark networks and put them into a bundle."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import torch
from tqdm import tqdm

from grading.bundle import (
    Bundle,
    landmark_weights,
    save_bundle,
    weights_of_plane,
)
from grading.card import Card, without_evaluation
from grading.errors import UsageError
from grading.fields import Scalar
from grading.landmarks.card import LandmarkCard
from grading.landmarks.network import (
    AXIAL,
    AXIAL_POINTS,
    SAGITTAL,
    SAGITTAL_POINTS,
    LandmarkSpec,
)
from grading.phantom.slices import Split
from grading.provenance import Provenance
from grading.training.fit_landmarks import LandmarkRecipe, fit_landmarks
from grading.training.lessons.keep import read_patients, set_of
from grading.training.looks import Disturbance, Kept, keep_axial, keep_sagittal
from grading.training.machinery import processor

SAGITTAL_DISTURBANCE = Disturbance(
    rotation_deg=12.0, scale=(0.85, 1.2), shift_mm=30.0, flip=False
)
"""A spine lies along its image, and nobody scans it mirrored."""


@dataclass(frozen=True, slots=True)
class Plane:
    """What one of the networks is, and how its looks are disturbed."""

    spec: LandmarkSpec
    points: Sequence[str]
    disturbance: Disturbance


PLANES = {
    "axial": Plane(AXIAL, AXIAL_POINTS, Disturbance()),
    "sagittal": Plane(SAGITTAL, SAGITTAL_POINTS, SAGITTAL_DISTURBANCE),
}
LARGEST_SPREAD_MM = 6.0
"""Until `lumbar-grading believe` has chosen it on phantoms of another domain."""


@dataclass(frozen=True, slots=True)
class Known:
    """The kept images of one split."""

    axial: list[Kept]
    sagittal: list[Kept]
    patients: int

    def of(self, plane: str) -> list[Kept]:
        """Return the images of one plane."""
        return self.axial if plane == "axial" else self.sagittal


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


@dataclass(frozen=True, slots=True)
class Course:
    """Which networks are trained, and from where."""

    planes: Sequence[str] = tuple(PLANES)
    go_on: bool = False
    """From the bundle's own networks rather than random weights."""


def train_landmarks(
    bundle: Bundle, lessons: Path, recipe: LandmarkRecipe, course: Course, command: str
) -> Card:
    """Train landmark networks and write them into the bundle's folder; return its card.

    Raises
    ------
    BundleError
        The weights do not fit into the bundle.
    UsageError
        There are no lessons to learn from, or the bundle lacks a network that is to go
        on, or to stay.
    """
    _check(bundle, course)
    training = read_known(lessons, Split.TRAINING)
    validation = read_known(lessons, Split.VALIDATION)
    started = monotonic()
    weights = {**bundle.state_dict, **bundle.landmarks}
    errors_mm: dict[str, float] = {}
    looks_seen = 0
    for plane in course.planes:
        fitted = fit_landmarks(
            training.of(plane),
            validation.of(plane),
            PLANES[plane].spec,
            replace(recipe, disturbance=PLANES[plane].disturbance),
            bundle.path.with_name(bundle.path.name + ".log") / plane,
            weights_of_plane(bundle, plane) if course.go_on else None,
        )
        weights |= landmark_weights(plane, fitted.network)
        errors_mm |= fitted.errors_mm(PLANES[plane].points)
        looks_seen += fitted.looks_seen
    words = (
        f"{set_of(lessons / Split.TRAINING.name.lower())}: {len(training.axial)} axial "
        f"and {len(training.sagittal)} sagittal images of {training.patients} patients"
    )
    provenance = Provenance(
        command=command,
        labelled_slices=words,
        hardware=processor(),
        software=f"Python {platform.python_version()}, torch {torch.__version__}",
        seconds=round(monotonic() - started, 1),
        samples_seen=looks_seen,
        recipe=_described(recipe, course.planes),
    )
    before = bundle.card.landmarks
    if before and (course.go_on or len(course.planes) < len(PLANES)):
        # What was there stays a part of what is there now.
        errors_mm = {**before.errors_mm, **errors_mm}
        provenance = after(before.provenance, provenance)
    landmarks = LandmarkCard(
        axial=AXIAL,
        sagittal=SAGITTAL,
        largest_spread_mm=LARGEST_SPREAD_MM,
        provenance=provenance,
        errors_mm=errors_mm,
    )
    card = replace(without_evaluation(bundle.card), landmarks=landmarks)
    return save_bundle(bundle.path, weights, card)


def after(before: Provenance, now: Provenance) -> Provenance:
    """Return where weights come from that two trainings made, one after the other.

    What the trainings have in common is said once, and numbers of both are sums.
    """
    recipe = {
        **before.recipe,
        **{
            key: _then(before.recipe.get(key, value), value)
            for key, value in now.recipe.items()
        },
    }
    return Provenance(
        command=f"{before.command} && {now.command}",
        labelled_slices=(
            f"{now.labelled_slices}; before that: {before.labelled_slices}"
        ),
        hardware=str(_then(before.hardware, now.hardware)),
        software=str(_then(before.software, now.software)),
        seconds=round(before.seconds + now.seconds, 1),
        samples_seen=before.samples_seen + now.samples_seen,
        recipe=recipe,
    )


def _then(before: Scalar, now: Scalar) -> Scalar:
    return now if before == now else f"{before}, then {now}"


def _check(bundle: Bundle, course: Course) -> None:
    needed = course.planes if course.go_on else set(PLANES) - set(course.planes)
    for plane in needed:
        if not weights_of_plane(bundle, plane):
            raise UsageError(
                f"{bundle.path} has no {plane} landmark network yet: train both from "
                "random weights first"
            )


def _described(recipe: LandmarkRecipe, planes: Sequence[str]) -> dict[str, Scalar]:
    fields = asdict(recipe)
    del fields["disturbance"]
    return fields | {f"disturbance_{plane}": _disturbance(plane) for plane in planes}


def _disturbance(plane: str) -> str:
    parts = asdict(PLANES[plane].disturbance)
    return ", ".join(f"{key} {value}" for key, value in parts.items())
