"""The verbs ``measure`` and ``trial``.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grading.arguments import count
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
        "--settle-shares",
        action="store_true",
        help="then fit the bundles to the set's shares of grades, and write them",
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
    if arguments.settle_shares and studies.name.startswith("test"):
        raise UsageError(f"{studies.name} measures bundles: settle on `calibration`")
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
    from grading.phantom.ranges import GENERATOR_VERSION
    from grading.training.settle_shares import settle_shares
    from grading.training.slice_trials import describe_slices
    from grading.training.trial import write_trial

    table = arguments.out / f"{bundle.path.name}.csv"
    write_trial(table, bundle, trials)
    settled = ""
    if arguments.settle_shares:
        card = settle_shares(bundle, trials, f"{studied}, {GENERATOR_VERSION}")
        settled = f"written to {bundle.path}: temperatures {dict(card.calibration)}"
    refused = sum(bool(trial.refused) for trial in trials)
    return "\n".join(
        (
            FIRST_LINES[bundle.card.basis],
            f"{bundle.path.name}: {studied}, {refused} of them not gradable",
            describe_slices([one for trial in trials for one in trial.slices]),
            settled or f"grades and truth: {table}; next: lumbar-grading evaluate",
        )
    )
