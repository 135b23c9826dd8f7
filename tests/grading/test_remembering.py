"""Bundles that are tried beside each other look for the same landmarks once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.bundle import load_bundle, shipped_bundle_path
from grading.grades import AxialMarks
from grading.landmarks.found import AxialFound, SagittalFound
from grading.series import Slice
from grading.training.believe import bare_slice
from grading.training.remembering import Remembering, graders_beside


@dataclass
class Counting:
    """Finds nothing anywhere, and counts how often it was asked."""

    looks: int = 0

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        self.looks += 1
        return [AxialFound(AxialMarks(), None, self.looks) for _ in slices]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        self.looks += 1
        return [SagittalFound((), None) for _ in slices]


def slices_of(study: str) -> list[Slice]:
    pixels = np.zeros((4, 4), np.float32)
    return [bare_slice(pixels, (1.0, 1.0), f"{study}.{i}") for i in range(3)]


def test_the_same_slices_are_looked_at_once() -> None:
    locator = Remembering(counting := Counting())

    found = [locator.axial(slices_of("1")), locator.axial(slices_of("1"))]
    locator.sagittal(slices_of("1"))
    locator.sagittal(slices_of("1"))

    assert counting.looks == 2
    assert found[0] == found[1]


def test_other_slices_and_another_order_are_looked_at_anew() -> None:
    locator = Remembering(counting := Counting())

    locator.axial(slices_of("1"))
    locator.axial(slices_of("2"))
    locator.axial(slices_of("2")[::-1])

    assert counting.looks == 3


def test_only_bundles_with_the_same_landmark_networks_share_what_they_find() -> None:
    bundle = load_bundle(shipped_bundle_path())
    name = next(iter(bundle.landmarks))
    changed = {**bundle.landmarks, name: bundle.landmarks[name] + 1}
    other = replace(bundle, landmarks=changed)

    one, same, another = graders_beside([bundle, bundle, other])

    assert one.locator is same.locator
    assert one.locator is not another.locator
