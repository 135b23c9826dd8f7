"""Where the weights of a network come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grading.fields import Fields, Scalar


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the weights come from."""

    command: str
    """What would train them again, up to the machine's arithmetic."""
    labelled_slices: str
    """What they learned from, with the seeds and the generator's version."""
    hardware: str
    software: str
    seconds: float
    samples_seen: int
    recipe: Mapping[str, Scalar]


def read_provenance(fields: Fields) -> Provenance:
    """Read where weights come from."""
    provenance = Provenance(
        command=fields.text("command"),
        labelled_slices=fields.text("labelled_slices"),
        hardware=fields.text("hardware"),
        software=fields.text("software"),
        seconds=fields.number("seconds"),
        samples_seen=fields.whole("samples_seen"),
        recipe=fields.fields("recipe").scalars(),
    )
    fields.end()
    return provenance
