"""What bundles that are tried beside each other find out only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from grading.bundle import Bundle, locator_of
from grading.engines.on_torch import device_named
from grading.grader import Grader
from grading.grades import SliceKey
from grading.landmarks.found import AxialFound, Locator, SagittalFound
from grading.series import Slice

Found = TypeVar("Found")


@dataclass(slots=True)
class _Last(Generic[Found]):
    """Looks at slices, and gives the same answer while they are the same."""

    look: Callable[[Sequence[Slice]], list[Found]]
    _keys: tuple[SliceKey, ...] = ()
    _found: list[Found] = field(default_factory=list)

    def __call__(self, slices: Sequence[Slice]) -> list[Found]:
        keys = tuple(one.header.key for one in slices)
        if keys != self._keys:
            self._keys, self._found = keys, self.look(slices)
        return [*self._found]


class Remembering:
    """A locator that remembers what it found on the study before it.

    Where landmarks lie takes longer to find out than grades, and bundles that are
    tried beside each other often share the networks that find it. Slices are told
    apart by their keys alone.
    """

    def __init__(self, locator: Locator) -> None:
        self._axial = _Last(locator.axial)
        self._sagittal = _Last(locator.sagittal)

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        """Look at axial slices, unless they were the last ones."""
        return self._axial(slices)

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        """Look at sagittal slices, unless they were the last ones."""
        return self._sagittal(slices)


def graders_beside(bundles: Sequence[Bundle]) -> list[Grader]:
    """Return a grader for each bundle; those with the same landmarks share a locator.

    They must grade one study after another, all of them the first before any grades
    the second, or they share nothing.
    """
    made: list[tuple[Bundle, Remembering | None]] = []
    for bundle in bundles:
        shared = [locator for other, locator in made if _same(bundle, other)]
        made.append((bundle, shared[0] if shared else _locator(bundle)))
    return [Grader(bundle, locator=locator) for bundle, locator in made]


def _locator(bundle: Bundle) -> Remembering | None:
    locator = locator_of(bundle, device_named("auto"))
    return Remembering(locator) if locator else None


def _same(one: Bundle, other: Bundle) -> bool:
    """Whether two bundles find the same landmarks."""
    here, there = one.card.landmarks, other.card.landmarks
    if here is None or there is None:
        return False
    if (here.axial, here.sagittal) != (there.axial, there.sagittal):
        return False
    return one.landmarks.keys() == other.landmarks.keys() and all(
        torch.equal(weights, other.landmarks[name])
        for name, weights in one.landmarks.items()
    )
