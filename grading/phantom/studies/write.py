"""Write sets of studies: each whole or not at all, on as many cores as wanted.

A study is written into a folder that its name marks as unfinished and renamed when
it is complete, so that whoever looks sees whole studies only.
"""

from __future__ import annotations

import errno
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grading.grades import Grade
from grading.phantom.ranges import GENERATOR_VERSION, Domain, Prevalence
from grading.phantom.studies.drawn import DrawnStudy, StudyKey
from grading.phantom.studies.files import write_study
from grading.phantom.studies.identity import NOTICE

UNFINISHED = ".unfinished-"
"""What the name of a study's folder begins with while it is being written."""
README = "README.txt"
LARGEST_SEED = 2**63 - 1
"""A Patient ID holds 64 characters, and the seed is one of its parts."""

Draw = Callable[[StudyKey], DrawnStudy]
Triple = tuple[Grade, Grade, Grade]
"""LDH, LCCS, LNRC: the order of `Finding`."""


@dataclass(frozen=True, slots=True)
class SetRequest:
    """So many studies from one seed."""

    seed: int
    studies: int
    domain: Domain = Domain.INTERNAL
    prevalence: Prevalence = Prevalence.BALANCED

    def __post_init__(self) -> None:
        if self.studies < 1:
            raise ValueError(
                f"{self.studies} studies cannot be drawn: ask for 1 or more"
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed {self.seed} is not within 0 to {LARGEST_SEED}")

    def keys(self) -> list[StudyKey]:
        """Return what each study follows from."""
        return [
            StudyKey(self.seed, number, self.domain, self.prevalence)
            for number in range(1, self.studies + 1)
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One level's grades: asked for, and measured; None where no grade was."""

    wanted: Triple
    measured: Triple | None


@dataclass(frozen=True, slots=True)
class WrittenStudy:
    """What became of one study."""

    folder: Path
    images: int
    outcomes: tuple[Outcome, ...]


def write_studies(
    out: Path, request: SetRequest, draw: Draw, workers: int = 1
) -> Iterator[WrittenStudy]:
    """Draw a set of studies into an empty folder; yields each when it is whole.

    Every study follows from its own key, so neither the number of workers nor their
    pace changes a byte.

    Raises
    ------
    FileExistsError
        The folder holds something; before anything is drawn.
    OSError
        The disk is full or cannot be written; whole studies stay.
    ValueError
        No anatomy can show the grades asked for.
    """
    _refuse_occupied(out)
    return _written(out, request, draw, workers)


def _refuse_occupied(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: name a folder that is new or empty")
    if out.is_dir() and any(out.iterdir()):
        raise FileExistsError(
            f"the folder {out} is not empty: name a new one, or empty it first"
        )


def _written(
    out: Path, request: SetRequest, draw: Draw, workers: int
) -> Iterator[WrittenStudy]:
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        (out / README).write_text(_readme(request), "utf-8")
        with _working(workers) as each:
            yield from each(_Writer(out, draw), request.keys())
    except OSError as error:
        raise _explained(error, out, request.studies) from error
    finally:
        _clear(out, made)


class _Writer:
    """Draws and writes one study; may travel to another process."""

    def __init__(self, out: Path, draw: Draw) -> None:
        self._out, self._draw = out, draw

    def __call__(self, key: StudyKey) -> WrittenStudy:
        study = self._draw(key)
        folder = self._out / f"{key.number:05d}"
        unfinished = self._out / f"{UNFINISHED}{folder.name}"
        try:
            images = write_study(unfinished, study)
            unfinished.rename(folder)
        except BaseException:  # whatever happened, half a study is worth nothing
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return WrittenStudy(folder, images, tuple(_outcomes(study)))


def _outcomes(study: DrawnStudy) -> Iterator[Outcome]:
    for level, wanted in study.wanted.items():
        measured = study.measured.get(level)
        yield Outcome(
            (wanted.ldh, wanted.lccs, wanted.lnrc),
            measured.grades if measured else None,
        )


Each = Callable[[_Writer, list[StudyKey]], Iterator[WrittenStudy]]


@contextmanager
def _working(workers: int) -> Iterator[Each]:
    """Give a map over processes, or in this one where a single worker is asked for."""
    if workers == 1:
        yield map
        return
    # A forked worker shares the libraries that are loaded already and starts at once;
    # no thread of ours runs yet.
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, initializer=_leave_ctrl_c_to_parent)
    try:
        yield partial(_as_finished, pool, workers)
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a worker was killed, for lack of memory most likely: ask for fewer workers"
        ) from error
    finally:
        # Studies at work are finished or cleaned up by their workers.
        pool.shutdown(wait=True, cancel_futures=True)


def _as_finished(
    pool: ProcessPoolExecutor, workers: int, write: _Writer, keys: list[StudyKey]
) -> Iterator[WrittenStudy]:
    """Yield studies as they are whole; no more wait than work, so stopping is quick."""
    running: set[Future[WrittenStudy]] = set()
    for key in keys:
        if len(running) == workers:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
        running.add(pool.submit(write, key))
    yield from (one.result() for one in as_completed(running))


def _leave_ctrl_c_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _explained(error: OSError, out: Path, studies: int) -> OSError:
    """Return the error with what is left on the disk, and the cure where it is full."""
    left = f"{len(_whole(out))} of {studies} studies are whole and stay in {out}"
    if error.errno == errno.ENOSPC:
        cure = "make room and draw the set into a new folder"
        return OSError(f"no space left on the disk: {left}; {cure}")
    return OSError(f"{error}; {left}")


def _clear(out: Path, made: bool) -> None:
    """Remove what a killed worker left; without a single study, all that we made."""
    for unfinished in out.glob(f"{UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    if _whole(out):
        return
    (out / README).unlink(missing_ok=True)
    if made:
        out.rmdir()


def _whole(out: Path) -> list[Path]:
    """Return the folders of the complete studies."""
    return [
        path
        for path in out.iterdir()
        if path.is_dir() and not path.name.startswith(UNFINISHED)
    ]


def _readme(request: SetRequest) -> str:
    return f"""{NOTICE}.

Studies of a lumbar spine drawn by lumbar-node's phantom, generator version
{GENERATOR_VERSION}: {request.studies} from seed {request.seed},
domain {request.domain}, prevalence {request.prevalence}.
The same arguments give the same bytes.

Each folder is one study: a folder of DICOM files per series, and truth.json, whose
grades were measured on the geometry. Figures on these studies are checks of software
and say nothing about patients.
"""
