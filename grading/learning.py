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
from grading.arguments import count, positive, seed, share
from grading.errors import UsageError

if TYPE_CHECKING:
    from grading.bundle import Bundle
    from grading.preprocess import Preprocessing
    from grading.training.recipe import Recipe

DEFAULT_GRID_PIXELS = 96
DEFAULT_REGION_MM = 54.0
"""The canal with its recesses, up to 8 mm off centre, at 0.56 mm per pixel."""


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
    verb.add_argument("--balance", type=share, help="0 to 1: rare grades more often")
    verb.add_argument("--grid", type=count, metavar="PIXELS")
    verb.add_argument("--region-mm", type=positive)
    verb.add_argument(
        "--minutes",
        type=positive,
        help="end the training after so long, schedule and all",
    )
    verb.add_argument("--name", help="lumbar-phantom or lumbar-own if left out")
    verb.add_argument("--version", default="1")
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)


def run_train(arguments: argparse.Namespace) -> str:
    """Train a bundle and say where it lies.

    Raises
    ------
    UsageError
        No network has the backbone asked for, or manifest and lessons are both named.
    """
    from grading.bundle import load_bundle
    from grading.network import BACKBONES
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
    if arguments.manifest:
        manifest = read_manifest(arguments.manifest, arguments.data_root)
        labelled = Labelled(arguments.manifest, manifest)
        train_on_manifest(arguments.out, name, recipe, labelled, start)
    else:
        phantom = Phantom(
            arguments.patients, arguments.seed, arguments.workers, arguments.lessons
        )
        train_on_phantom(arguments.out, name, recipe, phantom, start)
    return f"bundle written to {arguments.out}"


def _recipe(arguments: argparse.Namespace, bundle: Bundle | None) -> Recipe:
    """Return the recipe asked for, with what was given in its place."""
    from grading.network import BACKBONES
    from grading.training.recipe import Recipe, paper_recipe

    make = paper_recipe if arguments.recipe == "paper" else Recipe
    given = {
        "backbone": arguments.backbone or (bundle.card.backbone if bundle else None),
        "epochs": arguments.epochs,
        "batch_slices": arguments.batch,
        "learning_rate": arguments.learning_rate,
        "balance": arguments.balance,
        "minutes": arguments.minutes,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    recipe = make(_preprocessing(arguments, bundle))
    return replace(recipe, **{"backbone": BACKBONES[0], "seed": arguments.seed} | asked)


def _command(arguments: argparse.Namespace, recipe: Recipe) -> str:
    """Return what would train the bundle again; no path of this machine in it."""
    labelled = f"--patients {arguments.patients}"
    if arguments.lessons:
        labelled = "--lessons FOLDER"
    words = (
        f"lumbar-grading train --out FOLDER --recipe {arguments.recipe}",
        "--manifest MANIFEST" if arguments.manifest else labelled,
        "--from-bundle BUNDLE" if arguments.from_bundle else "",
        "--weights FILE" if arguments.weights else "",
        f"--balance {recipe.balance:g}" if recipe.balance else "",
        f"--epochs {recipe.epochs} --seed {recipe.seed} --backbone {recipe.backbone}",
        f"--batch {recipe.batch_slices} --learning-rate {recipe.learning_rate}",
        f"--grid {recipe.preprocessing.grid_pixels}",
        f"--region-mm {recipe.preprocessing.region_size_mm}",
        f"--minutes {recipe.minutes:g}" if recipe.minutes else "",
    )
    return " ".join(word for word in words if word)


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
    default = Preprocessing(DEFAULT_REGION_MM, DEFAULT_GRID_PIXELS)
    return replace(start.card.preprocessing if start else default, **asked)
