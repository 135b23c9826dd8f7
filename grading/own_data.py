"""The verbs for a hospital's own images: import, train, calibrate, attest.

Libraries that the service does without are imported when a verb needs them.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grading.arguments import DEFAULT_ACCURACY, positive_share
from grading.evaluation.delimited import CasesError

if TYPE_CHECKING:
    from grading.training.importing.importer import Labeller


def add_import(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``import``."""
    verb.add_argument("archive", type=Path, metavar="ARCHIVE", help="DICOM below it")
    verb.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    labels = verb.add_mutually_exclusive_group(required=True)
    labels.add_argument(
        "--grades", type=Path, metavar="CSV", help="a row per slice or per level"
    )
    labels.add_argument(
        "--rsna-grades", type=Path, metavar="CSV", help="train.csv of RSNA 2024"
    )
    labels.add_argument(
        "--reports", action="store_true", help="verified reports in the archive"
    )
    labels.add_argument(
        "--phantom-truth", action="store_true", help="truth.json beside the studies"
    )
    verb.add_argument(
        "--rsna-points",
        type=Path,
        metavar="CSV",
        help="train_label_coordinates.csv, with --rsna-grades",
    )
    verb.add_argument(
        "--boxes", type=Path, metavar="FILE", help="rectangles, as CSV or JSON"
    )
    verb.add_argument("--site", default="", help="for rows that name none")


def run_import(arguments: argparse.Namespace) -> str:
    """Import an archive."""
    from grading.training.importing.importer import import_archive
    from grading.training.importing.summary import summary

    imported, remarks = import_archive(
        arguments.archive,
        arguments.out,
        _labeller(arguments),
        arguments.boxes,
        arguments.site,
    )
    written = f"manifest and table of what was left out written to {arguments.out}"
    return "\n".join([*remarks, summary(imported), "", written])


def _labeller(arguments: argparse.Namespace) -> Labeller:
    from grading.training.importing import importer

    if arguments.grades:
        return importer.from_table(arguments.grades)
    if arguments.reports:
        return importer.from_reports
    if arguments.phantom_truth:
        return importer.from_phantom_truth
    if arguments.rsna_points is None:
        raise CasesError(
            arguments.rsna_grades,
            None,
            "give --rsna-points as well: they tell which images show a level",
        )
    return importer.from_rsna(arguments.rsna_grades, arguments.rsna_points)


def add_manifest(verb: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the arguments by which every verb names labelled images."""
    verb.add_argument(
        "--manifest", type=Path, required=required, metavar="FILE", help="by `import`"
    )
    verb.add_argument(
        "--data-root", type=Path, metavar="FOLDER", help="where the images lie now"
    )


def add_calibrate(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``calibrate``."""
    verb.add_argument("bundle", type=Path, metavar="BUNDLE")
    add_manifest(verb, required=True)
    verb.add_argument(
        "--accuracy",
        type=positive_share,
        default=DEFAULT_ACCURACY,
        help="wanted among the grades that need no reader (%(default)s)",
    )


def run_calibrate(arguments: argparse.Namespace) -> str:
    """Fit temperatures and thresholds and write them into the bundle's card."""
    from grading.bundle import load_bundle
    from grading.card import write_card
    from grading.training import calibrate
    from grading.training.importing.summary import ORIGINS
    from grading.training.manifest import read_manifest

    bundle = load_bundle(arguments.bundle)
    manifest = read_manifest(arguments.manifest, arguments.data_root)
    fitted = calibrate.calibrate(bundle, manifest, arguments.accuracy)
    card = calibrate.calibrated(bundle.card, fitted)
    write_card(bundle.path, card)
    now = f"the bundle is now {card.name} {card.version}"
    lines = [
        ORIGINS[manifest.origin],
        calibrate.table(fitted),
        f"fitted on the validation part; {now}",
    ]
    if bundle.card.evaluation:
        lines.append("The site's evaluation no longer holds: evaluate and attest anew.")
    return "\n".join(lines)


def add_attest(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``attest``."""
    verb.add_argument("bundle", type=Path, metavar="BUNDLE")
    verb.add_argument("--evaluation", type=Path, required=True, metavar="report.json")
    verb.add_argument("--person", required=True, help="who answers for it")
    verb.add_argument("--data", required=True, help="which patients, in words")
    verb.add_argument("--date", type=date.fromisoformat, help="today if left out")


def run_attest(arguments: argparse.Namespace) -> str:
    """Write a site's evaluation into the bundle's card."""
    from grading.bundle import load_bundle
    from grading.card import write_card
    from grading.training.attest import Attestation, attested

    bundle = load_bundle(arguments.bundle)
    on = arguments.date or datetime.now(UTC).date()
    attestation = Attestation(arguments.person, arguments.data, on)
    card = attested(bundle.card, arguments.evaluation, attestation)
    write_card(bundle.path, card)
    covered = card.evaluation.figures if card.evaluation else {}
    others = [head.name for head in card.heads if head.name not in covered]
    uncovered = f"\nNot covered by this evaluation: {', '.join(others)}."
    return (
        f"{card.name} {card.version} now has the basis '{card.basis}': this is the "
        f"word of {attestation.person}, bound to weights {card.weights_sha256[:12]}. "
        f"Nobody else has checked it.{uncovered if others else ''}"
    )
