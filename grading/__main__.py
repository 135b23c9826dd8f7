"""Command line ``lumbar-grading``: phantoms, own data, training and evaluation.

Nothing heavy is imported before a verb asks for it: training and evaluation need
extras that the service does without, and torch takes most of a gigabyte.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from grading import drawing, evaluating, learning, locating, measuring, own_data
from grading.errors import BundleError, UndrawableError, UsageError
from grading.evaluation.delimited import CasesError


class MissingExtraError(Exception):
    """A verb was asked for whose libraries are not installed."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One word of the command line."""

    name: str
    help: str
    add: Callable[[argparse.ArgumentParser], None]
    """Add its arguments."""
    run: Callable[[argparse.Namespace], str]
    """Do the work and return what is to be printed."""
    extras: str
    """Of pip, where a library is missing."""


VERBS = (
    Verb("train", "train a bundle", learning.add_train, learning.run_train, "train"),
    Verb(
        "landmarks",
        "train a bundle's landmark networks",
        locating.add_landmarks,
        locating.run_landmarks,
        "train",
    ),
    Verb(
        "lessons",
        "draw phantom patients to learn from",
        drawing.add_lessons,
        drawing.run_lessons,
        "train",
    ),
    Verb(
        "measure",
        "measure a bundle on the phantom",
        measuring.add_measure,
        measuring.run_measure,
        "train,eval",
    ),
    Verb(
        "believe",
        "choose when a bundle's landmarks are believed",
        locating.add_believe,
        locating.run_believe,
        "train,eval",
    ),
    Verb(
        "trial",
        "grade whole phantom studies of a fixed set",
        measuring.add_trial,
        measuring.run_trial,
        "train,eval",
    ),
    Verb(
        "phantom",
        "write phantom studies as DICOM",
        drawing.add_phantom,
        drawing.run_phantom,
        "eval",
    ),
    Verb(
        "phantom-sheet",
        "draw phantoms to look at",
        drawing.add_sheet,
        drawing.run_sheet,
        "eval",
    ),
    Verb(
        "import",
        "label an archive's images",
        own_data.add_import,
        own_data.run_import,
        "train,eval",
    ),
    Verb(
        "calibrate",
        "fit a bundle's confidence",
        own_data.add_calibrate,
        own_data.run_calibrate,
        "train,eval",
    ),
    Verb(
        "attest",
        "put a site's word into a bundle",
        own_data.add_attest,
        own_data.run_attest,
        "train,eval",
    ),
    Verb(
        "evaluate",
        "compare grades with a reference",
        evaluating.add_evaluate,
        evaluating.run_evaluate,
        "train,eval",
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit status: 0, or 1 with a sentence on stderr."""
    verb = (parsed := _parser().parse_args(arguments)).verb
    try:
        print(_run(verb, parsed))
    except (
        BundleError,
        CasesError,
        MissingExtraError,
        UndrawableError,
        UsageError,
        OSError,
    ) as error:
        print(f"lumbar-grading: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lumbar-grading: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lumbar-grading", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        one = verbs.add_parser(verb.name, help=verb.help)
        verb.add(one)
        one.set_defaults(verb=verb)
    return parser


def _run(verb: Verb, arguments: argparse.Namespace) -> str:
    try:
        with warnings.catch_warnings():
            # pydicom's repeat values of headers, where a patient's name may stand,
            # and name whoever called it as their source.
            warnings.simplefilter("ignore", UserWarning)
            return verb.run(arguments)
    except ModuleNotFoundError as error:
        library = (error.name or "a library").partition(".")[0]
        raise MissingExtraError(
            f"{library} is not installed: pip install 'lumbar-node[{verb.extras}]'"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
