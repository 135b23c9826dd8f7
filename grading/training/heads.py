"""Which heads a training has, and which grades teach each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from grading.grades import Finding, Grade
from grading.network import SIDE_HEADS, Head
from grading.training.samples import TARGETS, LabelledSlice

HEADS = tuple(Head(finding.value, len(Grade)) for finding in Finding)
"""The paper's three."""
SIDES = tuple(Head(name, len(Grade)) for name in SIDE_HEADS.values())
"""Where somebody graded each root by itself."""


def heads_for(slices: Sequence[LabelledSlice]) -> tuple[Head, ...]:
    """Return the heads that these slices can teach: sides only where graded."""
    sided = any(root is not None for one in slices for root in one.roots)
    return (*HEADS, *SIDES) if sided else HEADS


def kept_heads(
    start: Mapping[str, torch.Tensor], taught: Sequence[Head]
) -> tuple[Head, ...]:
    """Return the sides' heads that nobody teaches and that weights to start from have.

    They grade as before only as long as the backbone stays what it was.
    """
    return tuple(
        head
        for head in SIDES
        if head not in taught and f"heads.{head.name}.weight" in start
    )


def by_head(grades: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return (slices,) grades of each target from (slices, targets)."""
    return {name: grades[:, i] for i, name in enumerate(TARGETS)}


def mirrored_grades(grades: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Return grades whose roots have changed places where a slice was mirrored."""
    right, left = (TARGETS.index(name) for name in SIDE_HEADS.values())
    order = list(range(len(TARGETS)))
    order[right], order[left] = left, right
    return torch.where(mirrored[:, None], grades[:, order], grades)
