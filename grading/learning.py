"""The verb ``train``.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grading import own_data
from grading.arguments import count, not_negative, positive, seed, share
from grading.errors import UsageError

if TYPE_CHECKING:
    from grading.bundle import Bundle
    from grading.preprocess import Preprocessing
    from grading.training.recipe import Recipe

DEFAULT_GRID_PIXELS = 96
DEFAULT_REGION_MM = {"best": 44.0, "paper": 54.0}
"""By recipe: the canal with its recesses, up to 3 mm off centre at 0.46 mm per pixel,
or up to 8 mm at 0.56; as far as each recipe shifts it."""


CHOSEN = (
    "weight_decay",
    "shift_mm",
    "balance",
    "second_step",
    "ordinal",
    "mixup",
    "cutmix",
    "average_samples",
)
"""Fields of a recipe with an option of the same name, which the card's command names
where it was given."""


def add_train(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``."""
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    own_data.add_manifest(verb, required=False)
    begin = verb.add_mutually_exclusive_group()
    begin.add_argument(
        "--from-bundle", type=Path, metavar="BUNDLE", help="start from its weights"
    )
    begin.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="start from a torchvision ResNet's state dict",
    )
    verb.add_argument(
        "--lessons",
        type=Path,
        metavar="FOLDER",
        help="phantom patients that `lessons` wrote; drawn anew if left out",
    )
    verb.add_argument(
        "--patients", type=count, default=1600, metavar="N", help="drawn anew"
    )
    verb.add_argument("--recipe", choices=["best", "paper"], default="best")
    verb.add_argument("--epochs", type=count, metavar="N")
    verb.add_argument("--seed", type=seed, default=1)
    verb.add_argument("--backbone", metavar="NAME", help="resnet50 or resnet18")
    verb.add_argument("--batch", type=count, metavar="SLICES")
    verb.add_argument("--learning-rate", type=positive)
    verb.add_argument("--grid", type=count, metavar="PIXELS")
    verb.add_argument("--region-mm", type=positive)
    verb.add_argument(
        "--minutes",
        type=positive,
        help="end the training after so long, schedule and all",
    )
    _add_recipe(verb)
    _add_engine(verb)
    verb.add_argument("--name", help="lumbar-phantom or lumbar-own if left out")
    verb.add_argument("--version", default="1")
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)


def _add_recipe(verb: argparse.ArgumentParser) -> None:
    """Add what a recipe is chosen from; what is left out is as the recipe says."""
    add = verb.add_argument
    add("--weight-decay", type=not_negative)
    add("--shift-mm", type=not_negative, help="largest shift of the region")
    add("--balance", type=share, help="0 to 1: rare grades more often")
    add(
        "--second-step",
        type=share,
        metavar="SHARE",
        help="of the training, in which the heads alone learn from balanced grades",
    )
    add(
        "--ordinal",
        type=not_negative,
        metavar="WEIGHT",
        help="of a loss that knows how far apart two grades are",
    )
    add("--mixup", type=share, metavar="SHARE", help="of the batches that are blended")
    add(
        "--cutmix",
        type=share,
        metavar="SHARE",
        help="of the other batches with a square of another slice in each",
    )
    add(
        "--average-samples",
        type=not_negative,
        metavar="N",
        help="keep weights that are averaged over so many samples",
    )
    add(
        "--augment",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="change how slices are changed: coil=0.3 gamma=0.5:1.8",
    )


def _add_engine(verb: argparse.ArgumentParser) -> None:
    """Add on what a training runs."""
    verb.add_argument(
        "--resume",
        action="store_true",
        help="go on with a training that was stopped; repeat its options",
    )
    verb.add_argument("--devices", type=count, default=1, metavar="N")
    verb.add_argument("--hosts", type=count, default=1, metavar="N")
    verb.add_argument(
        "--precision",
        choices=["32-true", "bf16-mixed", "16-mixed"],
        help="what suits the device if left out",
    )


def run_train(arguments: argparse.Namespace) -> str:
    """Train a bundle and say where it lies.

    Raises
    ------
    UsageError
        No network has the backbone asked for, or manifest and lessons are both named.
    """
    from grading.bundle import load_bundle
    from grading.network import BACKBONES
    from grading.training.machinery import Machinery
    from grading.training.manifest import read_manifest
    from grading.training.phantoms import Phantom
    from grading.training.starting import start_from_bundle, start_from_file
    from grading.training.train import (
        Labelled,
        Name,
        train_on_manifest,
        train_on_phantom,
    )

    if arguments.backbone not in (None, *BACKBONES):
        known = " or ".join(BACKBONES)
        raise UsageError(f"--backbone {arguments.backbone}: must be {known}")
    if arguments.manifest and arguments.lessons:
        raise UsageError("--manifest and --lessons: a training learns from one of them")
    bundle = load_bundle(arguments.from_bundle) if arguments.from_bundle else None
    recipe = _recipe(arguments, bundle)
    start = start_from_bundle(bundle) if bundle else None
    if arguments.weights:
        start = start_from_file(arguments.weights)
    default_name = "lumbar-own" if arguments.manifest else "lumbar-phantom"
    name = Name(
        arguments.name or default_name,
        arguments.version,
        command=_command(arguments, recipe),
    )
    machinery = Machinery(
        arguments.devices, arguments.hosts, arguments.precision, arguments.resume
    )
    if arguments.manifest:
        manifest = read_manifest(arguments.manifest, arguments.data_root)
        labelled = Labelled(arguments.manifest, manifest)
        train_on_manifest(arguments.out, name, recipe, labelled, start, machinery)
    else:
        phantom = Phantom(
            arguments.patients, arguments.seed, arguments.workers, arguments.lessons
        )
        train_on_phantom(arguments.out, name, recipe, phantom, start, machinery)
    return f"bundle written to {arguments.out}" + _lost(bundle, arguments.out)


def _lost(start: Bundle | None, out: Path) -> str:
    """Say which heads of the bundle to start from the new one lacks, and why."""
    from grading.card import read_card

    heads = {head.name for head in read_card(out).heads}
    before = [head.name for head in start.card.heads] if start else []
    lost = [name for name in before if name not in heads]
    if not lost:
        return ""
    return (
        f"; without {' and '.join(lost)}, which nobody graded there: `--second-step 1` "
        "trains the other heads alone and keeps them"
    )


def _recipe(arguments: argparse.Namespace, bundle: Bundle | None) -> Recipe:
    """Return the recipe asked for, with what was given in its place."""
    from grading.training.augmentation import changed

    given = {
        "backbone": arguments.backbone or (bundle.card.backbone if bundle else None),
        "epochs": arguments.epochs,
        "batch_slices": arguments.batch,
        "learning_rate": arguments.learning_rate,
        "minutes": arguments.minutes,
        **{name: getattr(arguments, name) for name in CHOSEN},
    }
    asked = {name: value for name, value in given.items() if value is not None}
    usual = _usual_recipe(arguments.recipe, _preprocessing(arguments, bundle))
    augmentation = changed(usual.augmentation, arguments.augment)
    return replace(usual, seed=arguments.seed, augmentation=augmentation, **asked)


def _usual_recipe(name: str, preprocessing: Preprocessing) -> Recipe:
    from grading.training.recipe import best_recipe, paper_recipe

    return (paper_recipe if name == "paper" else best_recipe)(preprocessing)


def _command(arguments: argparse.Namespace, recipe: Recipe) -> str:
    """Return what would train the bundle again; no path of this machine in it."""
    from grading.training.augmentation import words_of

    usual = _usual_recipe(arguments.recipe, recipe.preprocessing)
    augmented = words_of(recipe.augmentation, usual.augmentation)
    labelled = f"--patients {arguments.patients}"
    if arguments.lessons:
        labelled = "--lessons FOLDER"
    words = (
        f"lumbar-grading train --out FOLDER --recipe {arguments.recipe}",
        "--manifest MANIFEST" if arguments.manifest else labelled,
        "--from-bundle BUNDLE" if arguments.from_bundle else "",
        "--weights FILE" if arguments.weights else "",
        *_chosen(recipe, usual),
        f"--augment {' '.join(augmented)}" if augmented else "",
        f"--epochs {recipe.epochs} --seed {recipe.seed} --backbone {recipe.backbone}",
        f"--batch {recipe.batch_slices} --learning-rate {recipe.learning_rate}",
        f"--grid {recipe.preprocessing.grid_pixels}",
        f"--region-mm {recipe.preprocessing.region_size_mm}",
        f"--minutes {recipe.minutes:g}" if recipe.minutes else "",
    )
    return " ".join(word for word in words if word)


def _chosen(recipe: Recipe, usual: Recipe) -> list[str]:
    """Return the options that make one recipe of another."""
    values = {name: getattr(recipe, name) for name in CHOSEN}
    return [
        f"--{name.replace('_', '-')} {value:g}"
        for name, value in values.items()
        if value != getattr(usual, name)
    ]


def _preprocessing(
    arguments: argparse.Namespace, start: Bundle | None
) -> Preprocessing:
    """Return what was asked for, else that of the bundle to start from."""
    from grading.preprocess import Preprocessing

    given = {
        "region_size_mm": arguments.region_mm,
        "grid_pixels": arguments.grid,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    region_mm = DEFAULT_REGION_MM[arguments.recipe]
    default = Preprocessing(region_mm, DEFAULT_GRID_PIXELS)
    return replace(start.card.preprocessing if start else default, **asked)
