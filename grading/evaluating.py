"""The verb ``evaluate``: predictions, readers and bundles in, a report out.

Libraries that the service does without are imported when the verb needs them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from grading.errors import UsageError

if TYPE_CHECKING:
    from grading.evaluation.report.reports import Report

DEFAULT_RESAMPLES = 2000
LEAST_RESAMPLES = 100
"""Two or three resamples then lie beyond each end of an interval."""
DEFAULT_SEED = 1
PARTS = ("train", "validation", "test")


def add_evaluate(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    verb.add_argument(
        "predictions",
        type=Path,
        nargs="?",
        metavar="PREDICTIONS",
        help="a table of predictions (CSV), or a bundle's folder with --manifest",
    )
    verb.add_argument(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("A", "B"),
        help="two of them, side by side",
    )
    verb.add_argument(
        "--readers", type=Path, metavar="CSV", help="two readers and an adjudicator"
    )
    verb.add_argument("--manifest", type=Path, metavar="FILE", help="by `import`")
    verb.add_argument(
        "--data-root", type=Path, metavar="FOLDER", help="where the images lie now"
    )
    verb.add_argument("--part", choices=PARTS, default="test", help="of the manifest")
    verb.add_argument(
        "--out", type=Path, metavar="FOLDER", help="for the report; replaces an old one"
    )
    verb.add_argument("--resamples", type=_resamples, default=DEFAULT_RESAMPLES)
    verb.add_argument("--seed", type=_seed, default=DEFAULT_SEED)
    verb.add_argument(
        "--paper",
        action="store_true",
        help="print Tables 3 and 4 of the paper from their recovered counts",
    )


def run_evaluate(arguments: argparse.Namespace) -> str:
    """Evaluate what the arguments name; return what is to be printed.

    Raises
    ------
    UsageError
        The arguments do not fit together.
    CasesError
        A table, a manifest or an image cannot be used.
    OSError
        A file cannot be read, or the report not written.
    """
    if arguments.paper:
        from grading.evaluation.paper import reproduce

        return reproduce()
    _check(arguments)
    from grading.evaluation.report.folder import PAGE_NAME, check_folder, write_folder

    check_folder(arguments.out)
    with tempfile.TemporaryDirectory() as scratch:
        report = _report(arguments, Path(scratch))
    write_folder(arguments.out, report.files)
    return f"{report.text}\n\nreport written to {arguments.out / PAGE_NAME}"


def _check(arguments: argparse.Namespace) -> None:
    named = bool(arguments.predictions) + bool(arguments.compare)
    if named > 1 or not (named or arguments.readers):
        raise UsageError(
            "name a table of predictions or a bundle, or two after --compare, or "
            "readers' grades after --readers"
        )
    tables = arguments.compare or [arguments.predictions]
    if arguments.manifest and not any(path and path.is_dir() for path in tables):
        raise UsageError("--manifest goes with a bundle: name the bundle's folder")
    if arguments.out is None:
        raise UsageError("say where the report is to be written: --out FOLDER")


def _report(arguments: argparse.Namespace, scratch: Path) -> Report:
    from grading.evaluation.evaluate import Sampling
    from grading.evaluation.readers import read_readings
    from grading.evaluation.report import reports

    sampling = Sampling(arguments.resamples, arguments.seed)
    if not (arguments.compare or arguments.predictions):
        return reports.readers_report(read_readings(arguments.readers), sampling)
    readings = read_readings(arguments.readers) if arguments.readers else None
    named = arguments.compare or [arguments.predictions]
    # Two bundles' folders may have the same name.
    letters = ("a-", "b-") if arguments.compare else ("",)
    first, *second = (
        _table(
            path, arguments, scratch / f"predictions-{letter}{path.resolve().name}.csv"
        )
        for path, letter in zip(named, letters, strict=True)
    )
    if second:
        report = reports.comparison_report(first, second[0], readings, sampling)
    else:
        report = reports.evaluation_report(first, readings, sampling)
    tables = [first, *second]
    made = {it.name: it.read_text("utf-8") for it in tables if it.parent == scratch}
    return reports.Report(report.files | made, report.text)


def _table(named: Path, arguments: argparse.Namespace, made: Path) -> Path:
    """Return a table of predictions; where a bundle is named, ``made`` anew."""
    if not named.is_dir():
        return named
    if arguments.manifest is None:
        raise UsageError(
            f"{named} is a folder; to evaluate a bundle, name the labelled images "
            "after --manifest"
        )
    from grading.bundle import load_bundle
    from grading.training.manifest import Part, read_manifest
    from grading.training.predict import predictions, write_cases

    bundle = load_bundle(named)
    manifest = read_manifest(arguments.manifest, arguments.data_root)
    images = manifest.part(Part(arguments.part))
    if not images:
        raise UsageError(
            f"{arguments.manifest} has no image in its part '{arguments.part}'; "
            "name another with --part"
        )
    write_cases(made, bundle, predictions(bundle, manifest, images))
    return made


def _resamples(text: str) -> int:
    resamples = int(text)
    if resamples < LEAST_RESAMPLES:
        raise argparse.ArgumentTypeError(f"{text} is below {LEAST_RESAMPLES}")
    return resamples


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return seed
