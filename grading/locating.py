"""The verbs ``landmarks`` and ``believe``.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from grading.arguments import count, positive, seed
from grading.grades import FIRST_LINES


def add_landmarks(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``landmarks``."""
    verb.add_argument("bundle", type=Path, help="the bundle that receives them")
    verb.add_argument("--lessons", type=Path, required=True, metavar="FOLDER")
    verb.add_argument("--steps", type=count, default=6000, metavar="N")
    verb.add_argument("--batch", type=count, default=16, metavar="LOOKS")
    verb.add_argument("--seed", type=seed, default=1)
    verb.add_argument(
        "--plane", choices=["axial", "sagittal"], help="train this network alone"
    )
    verb.add_argument(
        "--go-on",
        action="store_true",
        help="start from the bundle's own networks, not from random weights",
    )
    verb.add_argument(
        "--learning-rate", type=positive, help="the largest of the schedule"
    )
    verb.add_argument(
        "--minutes",
        type=positive,
        help="end each training after so long",
    )


def run_landmarks(arguments: argparse.Namespace) -> str:
    """Train a bundle's landmark networks and say how near they come."""
    from grading.bundle import load_bundle
    from grading.training.fit_landmarks import LandmarkRecipe
    from grading.training.train_landmarks import PLANES, Course, train_landmarks

    recipe = LandmarkRecipe(
        steps=arguments.steps,
        batch_looks=arguments.batch,
        seed=arguments.seed,
        minutes=arguments.minutes,
    )
    if arguments.learning_rate:
        recipe = replace(recipe, learning_rate=arguments.learning_rate)
    planes = (arguments.plane,) if arguments.plane else tuple(PLANES)
    words = (
        "lumbar-grading landmarks BUNDLE --lessons FOLDER",
        f"--steps {recipe.steps} --batch {recipe.batch_looks} --seed {recipe.seed}",
        f"--learning-rate {recipe.learning_rate:g}",
        f"--plane {arguments.plane}" if arguments.plane else "",
        "--go-on" if arguments.go_on else "",
        f"--minutes {recipe.minutes:g}" if recipe.minutes else "",
    )
    card = train_landmarks(
        load_bundle(arguments.bundle),
        arguments.lessons,
        recipe,
        Course(planes, arguments.go_on),
        " ".join(word for word in words if word),
    )
    found = card.landmarks.errors_mm if card.landmarks else {}
    errors = ", ".join(f"{name} {value:.1f} mm" for name, value in found.items())
    return (
        f"{FIRST_LINES[card.basis]}\n"
        f"landmarks written to {arguments.bundle}; median errors: {errors}. Calibrate "
        "and evaluate anew: regions lie elsewhere now."
    )


def add_believe(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``believe``."""
    verb.add_argument("bundle", type=Path, help="the bundle that is measured")
    verb.add_argument(
        "--lessons",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="by `lessons --domain external`; its validation patients are looked at",
    )


def run_believe(arguments: argparse.Namespace) -> str:
    """Choose from which spread on a bundle's landmarks are not believed."""
    from grading.bundle import load_bundle
    from grading.training.believe import choose_spread

    card = choose_spread(load_bundle(arguments.bundle), arguments.lessons)
    landmarks = card.landmarks
    belief = landmarks.belief if landmarks else None
    if landmarks is None or belief is None:
        raise ValueError("a spread was chosen")
    return (
        f"{FIRST_LINES[card.basis]}\n"
        f"spread up to {landmarks.largest_spread_mm:g} mm is believed: "
        f"{belief.share_believed:.1%} of {belief.slices} slices, of which "
        f"{belief.share_gross:.1%} are off by over {belief.gross_mm:g} mm; so are "
        f"{belief.gross_rejected} slices that are not believed"
    )
