"""Train a bundle on the phantom or on a manifest: draw or read, fit, keep."""

from __future__ import annotations

import platform
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from grading.bundle import locator_of, save_bundle
from grading.card import Card, check_place
from grading.errors import BundleError
from grading.evaluation.delimited import CasesError
from grading.fields import Scalar
from grading.grades import Basis, Grade
from grading.network import Head, MultiTaskResNet
from grading.phantom.slices import Split
from grading.provenance import Provenance
from grading.regions import region_finder
from grading.training.checkpoint import CHECKPOINT_NAME, check_resumable
from grading.training.fit import fit
from grading.training.fitting import SETTLING_BATCHES, Progress
from grading.training.heads import HEADS, heads_for
from grading.training.images import RegionPlacer, training_slices
from grading.training.machinery import GRADIENT_NORM, Machinery, hardware
from grading.training.manifest import (
    Manifest,
    Origin,
    Part,
    sha256_of,
)
from grading.training.phantoms import Phantom, check_room, slices_to_learn
from grading.training.recipe import Recipe, described
from grading.training.samples import LabelledSlice
from grading.training.starting import Start

ONE_DEVICE = Machinery()
ALL_RECIPES: dict[str, Scalar] = {
    "gradient_norm": GRADIENT_NORM,
    "running_statistics": (
        f"settled on {SETTLING_BATCHES} batches, not turned, before validation"
    ),
}
"""What no recipe chooses, for the card."""
VALIDATION_SLICES = 400
"""Enough to see a macro-F1 move by 0.03; validated every few minutes on a CPU."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a new bundle is called."""

    name: str
    version: str
    command: str
    """What was typed, for the card."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a network learns from."""

    training: Sequence[LabelledSlice]
    validation: Sequence[LabelledSlice]
    words: str
    """What the slices are, for the card."""
    basis: Basis
    start: Start | None = None
    """Which weights the training starts from; random ones where None."""

    @property
    def origin(self) -> str:
        """Return what is learned from, and after what, for the card."""
        if self.start is None:
            return self.words
        return f"{self.words}; started from {self.start.words}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A manifest and the file that it was read from."""

    path: Path
    manifest: Manifest


def train_on_phantom(
    folder: Path,
    name: Name,
    recipe: Recipe,
    phantom: Phantom,
    start: Start | None = None,
    machinery: Machinery = ONE_DEVICE,
) -> None:
    """Write a bundle to ``folder``, and again after each validation.

    Raises
    ------
    BundleError
        The weights do not fit into a bundle, something else lies in its place, or the
        weights to start from are of another network, or heads are kept that saw
        another preprocessing.
    UsageError
        A folder of lessons holds none, the region is larger than what is kept of a
        phantom's slice, or there is nothing to resume.
    """
    _check(folder, start, recipe, machinery)
    check_room(recipe)
    training, patients = slices_to_learn(phantom, Split.TRAINING)
    validation, _ = slices_to_learn(phantom, Split.VALIDATION)
    lessons = Lessons(
        training,
        validation[:: max(1, len(validation) // VALIDATION_SLICES)],
        words=(
            f"{phantom.words}: {len(training)} slices through discs of {patients} "
            "patients"
        ),
        basis=_basis(Origin.PHANTOM, start),
        start=start,
    )
    train(folder, name, recipe, lessons, machinery)


def train_on_manifest(
    folder: Path,
    name: Name,
    recipe: Recipe,
    labelled: Labelled,
    start: Start | None = None,
    machinery: Machinery = ONE_DEVICE,
) -> None:
    """Write a bundle that has learned from a manifest's training part.

    Raises
    ------
    BundleError
        The weights do not fit into a bundle, something else lies in its place, or the
        weights to start from are of another network, or heads are kept that saw
        another preprocessing.
    CasesError
        Training or validation part are empty, or an image cannot be read.
    UsageError
        There is nothing to resume.
    """
    _check(folder, start, recipe, machinery)
    placing = _placing(start)
    training = _read(labelled, Part.TRAINING, recipe, placing, recipe.shift_mm)
    validation = _read(labelled, Part.VALIDATION, recipe, placing)
    manifest = labelled.manifest
    patients = len({image.patient for image in manifest.part(Part.TRAINING)})
    lessons = Lessons(
        training,
        validation,
        words=(
            f"images of {manifest.origin}: {len(training)} slices of {patients} "
            f"patients, manifest sha256 {sha256_of(labelled.path)}"
        ),
        basis=_basis(manifest.origin, start),
        start=start,
    )
    train(folder, name, recipe, lessons, machinery)


def train(
    folder: Path,
    name: Name,
    recipe: Recipe,
    lessons: Lessons,
    machinery: Machinery = ONE_DEVICE,
) -> None:
    """Write a bundle to ``folder``, and again after each validation."""
    start = lessons.start.bundle if lessons.start else None
    taught = {head.name for head in heads_for(lessons.training)}

    def keep(network: MultiTaskResNet, progress: Progress) -> None:
        heads = tuple(Head(name, len(Grade)) for name in network.heads)
        card = replace(
            describe(name, recipe, lessons, progress, machinery), heads=heads
        )
        weights = dict(network.state_dict())
        if start:
            # What did not take part goes on as it is: landmarks, and other heads.
            card = replace(card, landmarks=start.card.landmarks)
            card = _with_kept(card, start.card, set(network.heads) - taught)
            weights |= start.landmarks
        save_bundle(folder, weights, card)

    fit(
        lessons.training,
        lessons.validation,
        recipe,
        log_folder(folder),
        keep,
        lessons.start.weights if lessons.start else None,
        machinery=machinery,
        told={
            **described(recipe),
            "backbone": recipe.backbone,
            "preprocessing": str(recipe.preprocessing),
            "lessons": lessons.origin,
        },
    )


def _with_kept(card: Card, before: Card, kept: Collection[str]) -> Card:
    """Return the card with the calibration of heads that nobody taught anything."""
    return replace(
        card,
        calibration=dict(card.calibration)
        | {head: one for head, one in before.calibration.items() if head in kept},
        thresholds=dict(card.thresholds)
        | {head: one for head, one in before.thresholds.items() if head in kept},
    )


def log_folder(folder: Path) -> Path:
    """Return where a bundle's training notes how it goes, beside the bundle."""
    return folder.with_name(folder.name + ".log")


def describe(
    name: Name,
    recipe: Recipe,
    lessons: Lessons,
    progress: Progress,
    machinery: Machinery = ONE_DEVICE,
) -> Card:
    """Return the card of a network as far as the training has come."""
    return Card(
        name=name.name,
        version=name.version,
        basis=lessons.basis,
        backbone=recipe.backbone,
        heads=HEADS,
        preprocessing=recipe.preprocessing,
        calibration={head.name: 1.0 for head in HEADS},
        provenance=Provenance(
            command=name.command,
            labelled_slices=lessons.origin,
            hardware=hardware(machinery),
            software=(
                f"Python {platform.python_version()}, torch {torch.__version__}, "
                f"{machinery.arithmetic}"
            ),
            seconds=round(progress.seconds, 1),
            samples_seen=progress.samples_seen,
            recipe=described(recipe) | ALL_RECIPES,
        ),
    )


def _placing(start: Start | None) -> RegionPlacer | None:
    """Return what places regions in the bundle to start from, and in the new one."""
    bundle = start.bundle if start else None
    locator = locator_of(bundle, torch.device("cpu")) if bundle else None
    if bundle is None or locator is None:
        return None
    return RegionPlacer(locator, region_finder(bundle.card))


def _read(
    labelled: Labelled,
    part: Part,
    recipe: Recipe,
    placing: RegionPlacer | None,
    shift_mm: float = 0.0,
) -> list[LabelledSlice]:
    """Read one part of a manifest, which must not be empty."""
    images = labelled.manifest.part(part)
    if not images:
        raise CasesError(
            labelled.path,
            None,
            f"no patient is in its {part} part; import more patients, or fill the "
            "column `part` of the table of grades",
        )
    slices = training_slices(
        labelled.manifest, images, recipe.preprocessing, shift_mm, placing
    )
    return list(tqdm(slices, total=len(images), desc=f"reading the {part} part"))


def _check(
    folder: Path, start: Start | None, recipe: Recipe, machinery: Machinery
) -> None:
    """Refuse what cannot end well, before the work begins."""
    check_place(folder)
    _check_start(start, recipe)
    machinery.share_of(recipe.batch_slices)
    if machinery.resume:
        check_resumable(log_folder(folder) / CHECKPOINT_NAME)


def _check_start(start: Start | None, recipe: Recipe) -> None:
    if start is None:
        return
    if start.bundle is None:
        return
    card = start.bundle.card
    if card.backbone != recipe.backbone:
        raise BundleError(
            f"{start.bundle.path} is a {card.backbone}; to start from it, train a "
            f"{card.backbone}"
        )
    if recipe.second_step == 1 and card.preprocessing != recipe.preprocessing:
        raise BundleError(
            f"{start.bundle.path} sees {card.preprocessing}, the training "
            f"{recipe.preprocessing}; give both the same, or do without --second-step "
            "1, which leaves the backbone as it is: it would see what it never learned"
        )


def _basis(origin: Origin, start: Start | None) -> Basis:
    """Return the basis of what has learned grades from images of this origin.

    Weights of a file come without a word of labelled images: the phantom's line, which
    promises least, then stands.
    """
    before = start.bundle.card.basis if start and start.bundle else Basis.PHANTOM
    phantoms_only = origin is Origin.PHANTOM and before is Basis.PHANTOM
    return Basis.PHANTOM if phantoms_only else Basis.UNEVALUATED
