"""The verbs ``phantom`` and ``phantom-sheet``: studies and pictures to look at."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from grading.errors import UndrawableError
from grading.learning import count
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
