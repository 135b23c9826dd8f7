"""Look at the pixels of labelled images: unreadable, empty, or seen before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from grading.errors import NotGradable
from grading.series import decode
from grading.training.importing.labels import LeftOut
from grading.training.importing.matching import Candidate


@dataclass(frozen=True, slots=True)
class Decoded:
    """A candidate whose pixels were decoded."""

    candidate: Candidate
    fingerprint: str
    """The same for the same pixels, in whatever transfer syntax."""


def look(folder: Path, candidates: Iterable[Candidate]) -> Iterator[Decoded | LeftOut]:
    """Decode every candidate, a file at a time."""
    by_file = sorted(candidates, key=lambda one: (one.image.file, one.image.key.frame))
    for file, members in groupby(by_file, key=lambda one: one.image.file):
        ds = pydicom.dcmread(folder / file)
        for candidate in members:
            try:
                pixels = decode(ds, candidate.image.key.frame)
            except NotGradable as error:
                yield candidate.left_out(str(error))
                continue
            if not np.ptp(pixels):
                yield candidate.left_out("all pixels are alike")
            else:
                yield Decoded(candidate, fingerprint(pixels))


def fingerprint(pixels: NDArray[np.float32]) -> str:
    """Return a hash of shape and stored values, ``(rows, columns)``."""
    shape = np.array(pixels.shape, np.int64).tobytes()
    return hashlib.sha256(shape + np.ascontiguousarray(pixels).tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Distinct:
    """Images of which each has its own pixels."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    shared: frozenset[frozenset[str]]
    """Sets of people under whom the same pixels were found."""


def without_copies(seen: Iterable[Decoded]) -> Distinct:
    """Keep one of the images that have the same pixels.

    Where they have different grades none is kept: nobody knows which is right.
    """
    by_pixels: dict[str, list[Candidate]] = {}
    for one in seen:
        by_pixels.setdefault(one.fingerprint, []).append(one.candidate)
    kept: list[Candidate] = []
    left_out: list[LeftOut] = []
    shared: set[frozenset[str]] = set()
    for copies in by_pixels.values():
        people = frozenset(one.person for one in copies)
        if len(people) > 1:
            shared.add(people)
        kept.extend(_agreed(copies))
        left_out.extend(_copies(copies, several_people=len(people) > 1))
    return Distinct(tuple(kept), tuple(left_out), frozenset(shared))


def _agreed(copies: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the first of the copies, or nothing where their grades differ."""
    grades = [dict(one.label.grades) for one in copies]
    return copies[:1] if all(one == grades[0] for one in grades) else ()


def _copies(copies: Sequence[Candidate], *, several_people: bool) -> Iterator[LeftOut]:
    whose = " of another patient" if several_people else ""
    if not _agreed(copies):
        files = ", ".join(one.image.file for one in copies)
        for one in copies:
            yield one.left_out(f"the same pixels have other grades{whose}: {files}")
        return
    for one in copies[1:]:
        yield one.left_out(f"the same pixels{whose} as {copies[0].image.file}")
