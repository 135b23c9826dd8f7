"""The verbs ``train``, ``landmarks``, ``measure`` and ``trial``.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grading import own_data
from grading.arguments import count, positive, seed, share
from grading.errors import UsageError
from grading.phantom.ranges import Domain, Prevalence

if TYPE_CHECKING:
    from grading.bundle import Bundle
    from grading.preprocess import Preprocessing
    from grading.training.recipe import Recipe
    from grading.training.trial import StudyTrial

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


def add_landmarks(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``landmarks``."""
    verb.add_argument("bundle", type=Path, help="the bundle that receives them")
    verb.add_argument("--lessons", type=Path, required=True, metavar="FOLDER")
    verb.add_argument("--steps", type=count, default=6000, metavar="N")
    verb.add_argument("--batch", type=count, default=16, metavar="LOOKS")
    verb.add_argument("--seed", type=seed, default=1)
    verb.add_argument(
        "--minutes",
        type=positive,
        help="end each training after so long",
    )


def add_measure(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``measure``."""
    verb.add_argument(
        "bundle",
        type=Path,
        nargs="?",
        help="a bundle's folder; the shipped one if left out",
    )
    verb.add_argument("--slices", type=count, default=2000, metavar="N")
    verb.add_argument("--seed", type=int, default=7)
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )
    verb.add_argument(
        "--prevalence",
        choices=[prevalence.value for prevalence in Prevalence],
        default="balanced",
    )
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)
    verb.add_argument(
        "--record", action="store_true", help="write the result into the card"
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


def run_landmarks(arguments: argparse.Namespace) -> str:
    """Train a bundle's landmark networks and say how near they come."""
    from grading.bundle import load_bundle
    from grading.training.fit_landmarks import LandmarkRecipe
    from grading.training.train_landmarks import train_landmarks

    recipe = LandmarkRecipe(
        steps=arguments.steps,
        batch_looks=arguments.batch,
        seed=arguments.seed,
        minutes=arguments.minutes,
    )
    minutes = f" --minutes {recipe.minutes:g}" if recipe.minutes else ""
    command = (
        "lumbar-grading landmarks BUNDLE --lessons FOLDER "
        f"--steps {recipe.steps} --batch {recipe.batch_looks} --seed {recipe.seed}"
        f"{minutes}"
    )
    bundle = load_bundle(arguments.bundle)
    card = train_landmarks(bundle, arguments.lessons, recipe, command)
    found = card.landmarks.errors_mm if card.landmarks else {}
    errors = ", ".join(f"{name} {value:.1f} mm" for name, value in found.items())
    return (
        f"landmarks written to {arguments.bundle}; median errors: {errors}. Calibrate "
        "and evaluate anew: regions lie elsewhere now."
    )


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


def run_measure(arguments: argparse.Namespace) -> str:
    """Measure a bundle on phantom slices and return the table."""
    from grading.bundle import load_bundle, shipped_bundle_path
    from grading.phantom.slices import Split
    from grading.training.samples import PhantomSet
    from grading.training.score import measure_on_phantom, record, table

    bundle = load_bundle(arguments.bundle or shipped_bundle_path())
    phantoms = PhantomSet(
        seed=arguments.seed,
        split=Split.TEST,
        slices=arguments.slices,
        domain=Domain(arguments.domain),
        prevalence=Prevalence(arguments.prevalence),
    )
    scores = measure_on_phantom(bundle, phantoms, arguments.workers)
    if arguments.record:
        record(bundle, scores, phantoms)
    return table(scores, bundle)


def add_trial(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``trial``."""
    from grading.phantom.sets import SETS

    verb.add_argument(
        "bundles",
        type=Path,
        nargs="*",
        metavar="BUNDLE",
        help="folders of bundles; the shipped one if left out",
    )
    verb.add_argument("--set", choices=[one.name for one in SETS], required=True)
    verb.add_argument("--studies", type=count, metavar="N", help="the first of the set")
    verb.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="receives one table per bundle, named like its folder",
    )
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)


def run_trial(arguments: argparse.Namespace) -> str:
    """Grade whole phantom studies of a fixed set and say where things were found.

    Raises
    ------
    UsageError
        The folder of the tables is not there, or two bundles want one table.
    """
    from tqdm import tqdm

    from grading.bundle import load_bundle, shipped_bundle_path
    from grading.phantom.sets import find_set
    from grading.training.trial import try_set

    if not arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out}: make the folder first")
    bundles = [
        load_bundle(path) for path in arguments.bundles or [shipped_bundle_path()]
    ]
    if len({bundle.path.name for bundle in bundles}) < len(bundles):
        raise UsageError("two folders of bundles have one name: rename one of them")
    studies = find_set(arguments.set)
    number = min(arguments.studies or studies.studies, studies.studies)
    tried = list(
        tqdm(try_set(bundles, studies, number, arguments.workers), total=number)
    )
    return "\n\n".join(
        _outcome(bundle, trials, f"{number} studies of {studies.name}", arguments.out)
        for bundle, trials in zip(bundles, zip(*tried, strict=True), strict=True)
    )


def _outcome(
    bundle: Bundle, trials: Sequence[StudyTrial], studied: str, folder: Path
) -> str:
    """Write a bundle's table, and say what it found where."""
    from grading.grades import FIRST_LINES
    from grading.training.trial import describe_placings, write_trial

    table = folder / f"{bundle.path.name}.csv"
    write_trial(table, bundle, trials)
    refused = sum(bool(trial.refused) for trial in trials)
    return "\n".join(
        (
            FIRST_LINES[bundle.card.basis],
            f"{bundle.path.name}: {studied}, {refused} of them not gradable",
            describe_placings([one for trial in trials for one in trial.placings]),
            f"grades and truth: {table}; next: lumbar-grading evaluate",
        )
    )
