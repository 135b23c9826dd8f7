"""The verbs ``phantom``, ``phantom-sheet`` and ``lessons``: what the phantom gives."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from grading.arguments import count, seed
from grading.errors import UndrawableError
from grading.phantom.ranges import Domain, Prevalence


def add_phantom(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``phantom``."""
    verb.add_argument("out", type=Path, metavar="OUT", help="a new or empty folder")
    verb.add_argument("--studies", type=count, required=True, metavar="N")
    verb.add_argument("--seed", type=int, required=True, metavar="S")
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )
    verb.add_argument(
        "--prevalence",
        choices=[prevalence.value for prevalence in Prevalence],
        default="balanced",
    )
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)


def add_sheet(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``phantom-sheet``."""
    verb.add_argument("png", type=Path)
    verb.add_argument("--slices", type=count, default=24, metavar="N")
    verb.add_argument("--seed", type=int, default=7)
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )


def add_lessons(verb: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lessons``."""
    verb.add_argument("out", type=Path, metavar="OUT")
    verb.add_argument("--patients", type=count, required=True, metavar="N")
    verb.add_argument(
        "--validation", type=count, default=24, metavar="N", help="more of them"
    )
    verb.add_argument("--seed", type=seed, default=1)
    verb.add_argument(
        "--domain", choices=[domain.value for domain in Domain], default="internal"
    )
    verb.add_argument("--workers", type=count, default=os.cpu_count() or 1)


def run_lessons(arguments: argparse.Namespace) -> str:
    """Draw patients to learn from and say where they lie.

    Those that a folder already holds are not drawn again, so that a drawing that was
    interrupted goes on.
    """
    from grading.phantom.slices import Split
    from grading.training.lessons.draw import PatientSet
    from grading.training.lessons.keep import draw_to

    drawn = 0
    for split, patients in (
        (Split.TRAINING, arguments.patients),
        (Split.VALIDATION, arguments.validation),
    ):
        wanted = PatientSet(arguments.seed, split, patients, Domain(arguments.domain))
        drawn += draw_to(arguments.out / split.name.lower(), wanted, arguments.workers)
    return f"{drawn} patients drawn to {arguments.out}"


def run_phantom(arguments: argparse.Namespace) -> str:
    """Write phantom studies and return what became of the table of grades.

    Raises
    ------
    UndrawableError
        No anatomy shows what was asked for, or the seed is none.
    """
    from tqdm import tqdm

    from grading.phantom.studies.draw import draw_study
    from grading.phantom.studies.summary import summary
    from grading.phantom.studies.write import SetRequest, write_studies

    # A polite end cleans up like Ctrl-C: no worker and no half study stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        request = SetRequest(
            seed=arguments.seed,
            studies=arguments.studies,
            domain=Domain(arguments.domain),
            prevalence=Prevalence(arguments.prevalence),
        )
        written = write_studies(arguments.out, request, draw_study, arguments.workers)
        return summary(tqdm(written, total=request.studies, unit="study"))
    except ValueError as error:
        raise UndrawableError(str(error)) from error


def run_sheet(arguments: argparse.Namespace) -> str:
    """Draw a contact sheet and say where it lies."""
    from grading.phantom.sheet import write_sheet

    domain = Domain(arguments.domain)
    write_sheet(arguments.png, arguments.slices, arguments.seed, domain)
    return f"{arguments.slices} slices drawn to {arguments.png}"
