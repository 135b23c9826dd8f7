"""Who serves for what: training, validation and test, by patient.

A patient's part follows from a hash of who it is, so it stays the same when the
archive grows, on any machine and in any order. Parts are therefore near 70, 15 and
15 percent of the patients, not exactly, and a handful of patients may leave one empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from grading.training.manifest import Part

TRAINING_SHARE = 0.70
VALIDATION_SHARE = 0.15
SALT = "lumbar-split/1"
"""Another one would send patients to other parts."""


def part_of(person: str) -> Part:
    """Return the part of a patient."""
    place = _place(person)
    if place < TRAINING_SHARE:
        return Part.TRAINING
    if place < TRAINING_SHARE + VALIDATION_SHARE:
        return Part.VALIDATION
    return Part.TEST


def _place(person: str) -> float:
    """Return where a patient lies from 0 to 1, evenly spread."""
    text = f"{SALT}\0{person}".encode(errors="surrogateescape")
    digest = hashlib.sha256(text).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def united(people: Iterable[str], groups: Iterable[frozenset[str]]) -> dict[str, str]:
    """Return one speaker for each person: people of one group have the same.

    Groups that share somebody are one group. The speaker is the first by name, so
    the order in which groups are found does not matter.
    """
    speaker = {person: person for person in people}

    def speaker_of(person: str) -> str:
        while speaker[person] != person:
            # Halves the way, so that a long chain is walked once only.
            speaker[person] = speaker[speaker[person]]
            person = speaker[person]
        return person

    for group in groups:
        together = {speaker_of(person) for person in group}
        speaker |= dict.fromkeys(together, min(together))
    return {person: speaker_of(person) for person in speaker}
