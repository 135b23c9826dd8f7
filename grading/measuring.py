"""The verbs ``measure`` and ``trial``.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grading.arguments import DEFAULT_ACCURACY, count, positive_share
from grading.errors import UsageError
from grading.phantom.ranges import Domain, Prevalence

if TYPE_CHECKING:
    from grading.bundle import Bundle
    from grading.training.trial import StudyTrial


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
    verb.add_argument(
        "--calibrate",
        action="store_true",
        help="then fit temperatures and thresholds on the set, and write the bundles",
    )
    verb.add_argument(
        "--settle-shares",
        action="store_true",
        help="likewise, and move the heads towards the set's shares of grades",
    )
    verb.add_argument(
        "--accuracy",
        type=positive_share,
        default=DEFAULT_ACCURACY,
        help="wanted among the grades that need no reader (%(default)s)",
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
    fits = arguments.calibrate or arguments.settle_shares
    if fits and not arguments.bundles:
        raise UsageError(
            "fitting writes into a bundle: name yours, not the shipped one"
        )
    bundles = [
        load_bundle(path) for path in arguments.bundles or [shipped_bundle_path()]
    ]
    if len({bundle.path.name for bundle in bundles}) < len(bundles):
        raise UsageError("two folders of bundles have one name: rename one of them")
    studies = find_set(arguments.set)
    if fits and studies.name.startswith("test"):
        raise UsageError(f"{studies.name} measures bundles: fit on `calibration`")
    number = min(arguments.studies or studies.studies, studies.studies)
    tried = list(
        tqdm(try_set(bundles, studies, number, arguments.workers), total=number)
    )
    return "\n\n".join(
        _outcome(bundle, trials, f"{number} studies of {studies.name}", arguments)
        for bundle, trials in zip(bundles, zip(*tried, strict=True), strict=True)
    )


def _outcome(
    bundle: Bundle,
    trials: Sequence[StudyTrial],
    studied: str,
    arguments: argparse.Namespace,
) -> str:
    """Write a bundle's table, and say what it found where."""
    from grading.grades import FIRST_LINES
    from grading.training.slice_trials import describe_slices
    from grading.training.trial import write_trial

    table = arguments.out / f"{bundle.path.name}.csv"
    write_trial(table, bundle, trials)
    next_step = f"grades and truth: {table}; next: lumbar-grading evaluate"
    if arguments.calibrate or arguments.settle_shares:
        next_step = _calibrate(bundle, trials, studied, arguments)
    refused = sum(bool(trial.refused) for trial in trials)
    return "\n".join(
        (
            FIRST_LINES[bundle.card.basis],
            f"{bundle.path.name}: {studied}, {refused} of them not gradable",
            describe_slices([one for trial in trials for one in trial.slices]),
            next_step,
        )
    )


def _calibrate(
    bundle: Bundle,
    trials: Sequence[StudyTrial],
    studied: str,
    arguments: argparse.Namespace,
) -> str:
    """Calibrate a bundle on what it said, and say what was fitted."""
    from grading.card import read_card
    from grading.phantom.ranges import GENERATOR_VERSION
    from grading.training.calibrate import table
    from grading.training.calibrate_on_trials import Wish, calibrate_on_trials

    wish = Wish(arguments.accuracy, shares=arguments.settle_shares)
    words = f"{studied}, phantom {GENERATOR_VERSION}"
    fitted = calibrate_on_trials(bundle, trials, wish, words)
    card = read_card(bundle.path)
    return (
        f"{table({head: one.calibration for head, one in fitted.items()})}\n"
        f"written to {bundle.path}, which is now {card.name} {card.version}; the table "
        "of grades is of before: try and evaluate anew"
    )
