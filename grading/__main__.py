"""Command line ``lumbar-grading``: train, measure, and look at the phantom.

Training and measuring need extras that the service does without, so they are
imported only when they are asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from grading.bundle import load_bundle, shipped_bundle_path
from grading.errors import BundleError
from grading.network import BACKBONES
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.sheet import write_sheet
from grading.phantom.slices import Split
from grading.preprocess import Preprocessing

DEFAULT_GRID_PIXELS = 96
DEFAULT_REGION_MM = 54.0
"""The canal with its recesses, up to 8 mm off centre, at 0.56 mm per pixel."""


class MissingExtraError(Exception):
    """A verb was asked for whose libraries are not installed."""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit status: 0, or 1 with a sentence on stderr."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (BundleError, MissingExtraError, OSError) as error:
        print(f"lumbar-grading: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lumbar-grading: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lumbar-grading", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_train(verbs.add_parser("train", help="train a bundle on the phantom"))
    _add_measure(verbs.add_parser("measure", help="measure a bundle on the phantom"))
    _add_sheet(verbs.add_parser("phantom-sheet", help="draw phantoms to look at"))
    return parser


def _add_train(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    verb.add_argument("--samples", type=_count, default=24_000, metavar="N")
    verb.add_argument("--epochs", type=_count, default=12, metavar="N")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--backbone", choices=BACKBONES, default=BACKBONES[0])
    verb.add_argument("--batch", type=_count, default=32, metavar="SLICES")
    verb.add_argument("--learning-rate", type=float, default=1e-3)
    verb.add_argument("--grid", type=_count, default=DEFAULT_GRID_PIXELS)
    verb.add_argument("--region-mm", type=float, default=DEFAULT_REGION_MM)
    verb.add_argument(
        "--minutes", type=float, help="end the training after so long, schedule and all"
    )
    verb.add_argument("--name", default="lumbar-phantom")
    verb.add_argument("--version", default="1")
    verb.add_argument("--workers", type=_count, default=os.cpu_count() or 1)
    verb.set_defaults(run=_train)


def _add_measure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "bundle",
        type=Path,
        nargs="?",
        default=shipped_bundle_path(),
        help="a bundle's folder; the shipped one if left out",
    )
    verb.add_argument("--slices", type=_count, default=2000, metavar="N")
    verb.add_argument("--seed", type=int, default=7)
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )
    verb.add_argument(
        "--prevalence",
        choices=[prevalence.value for prevalence in Prevalence],
        default="balanced",
    )
    verb.add_argument("--workers", type=_count, default=os.cpu_count() or 1)
    verb.add_argument(
        "--record", action="store_true", help="write the result into the card"
    )
    verb.set_defaults(run=_measure)


def _add_sheet(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("png", type=Path)
    verb.add_argument("--slices", type=_count, default=24, metavar="N")
    verb.add_argument("--seed", type=int, default=7)
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )
    verb.set_defaults(run=_sheet)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _train(arguments: argparse.Namespace) -> None:
    try:
        from grading.training.fit import Recipe
        from grading.training.train import Name, train_on_phantom
    except ModuleNotFoundError as error:
        raise _missing("train", error) from error

    recipe = Recipe(
        preprocessing=Preprocessing(arguments.region_mm, arguments.grid),
        backbone=arguments.backbone,
        epochs=arguments.epochs,
        batch_slices=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        minutes=arguments.minutes,
    )
    command = (
        f"lumbar-grading train --out FOLDER --samples {arguments.samples} "
        f"--epochs {recipe.epochs} --seed {recipe.seed} --backbone {recipe.backbone} "
        f"--batch {recipe.batch_slices} --learning-rate {recipe.learning_rate} "
        f"--grid {arguments.grid} --region-mm {arguments.region_mm}"
    )
    if recipe.minutes:
        command += f" --minutes {recipe.minutes:g}"
    train_on_phantom(
        arguments.out,
        Name(arguments.name, arguments.version, command),
        recipe,
        arguments.samples,
        arguments.workers,
    )
    print(f"bundle written to {arguments.out}")


def _measure(arguments: argparse.Namespace) -> None:
    try:
        from grading.training.samples import PhantomSet
        from grading.training.score import measure_on_phantom, record, table
    except ModuleNotFoundError as error:
        raise _missing("train,eval", error) from error

    bundle = load_bundle(arguments.bundle)
    phantoms = PhantomSet(
        seed=arguments.seed,
        split=Split.TEST,
        slices=arguments.slices,
        domain=Domain(arguments.domain),
        prevalence=Prevalence(arguments.prevalence),
    )
    scores = measure_on_phantom(bundle, phantoms, arguments.workers)
    print(table(scores, bundle))
    if arguments.record:
        record(bundle, scores, phantoms)


def _sheet(arguments: argparse.Namespace) -> None:
    domain = Domain(arguments.domain)
    write_sheet(arguments.png, arguments.slices, arguments.seed, domain)
    print(f"{arguments.slices} slices drawn to {arguments.png}")


def _missing(extra: str, error: ModuleNotFoundError) -> MissingExtraError:
    library = (error.name or "a library").partition(".")[0]
    return MissingExtraError(
        f"{library} is not installed: pip install 'lumbar-node[{extra}]'"
    )


if __name__ == "__main__":
    sys.exit(main())
