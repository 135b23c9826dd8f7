"""What a training minimises, and how slices are mixed with their losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from grading.network import MISSING_GRADE, multi_task_loss
from grading.training.heads import by_head
from grading.training.recipe import Recipe

Targets = Mapping[str, torch.Tensor]
"""(slices,) int64 by head."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A batch whose slices hold something of one another."""

    slices: torch.Tensor
    partners: torch.Tensor
    """(slices,) int64: whose slice each holds something of."""
    own: float
    """Share of each slice that is still its own."""


def earth_mover_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how far probability lies from the true grade, squared: 0 to 1.

    The squared earth mover's distance between ordered classes (Hou, Yu, Samaras
    2016): to take a grade 0 for a 3 costs three times what it costs to take it for
    a 1. The mean over the slices that somebody graded; 0 where there is none.

    Parameters
    ----------
    logits
        (slices, grades).
    target
        (slices,) int64, `MISSING_GRADE` where nobody graded.
    """
    reached = logits.float().softmax(dim=1).cumsum(dim=1)[:, :-1]
    steps = torch.arange(reached.shape[1], device=target.device)
    wanted = (target[:, None] <= steps).float()
    known = target != MISSING_GRADE
    squared = ((reached - wanted) ** 2).mean(dim=1)
    return (squared * known).sum() / known.sum().clamp(min=1)


def training_loss(
    logits: Mapping[str, torch.Tensor], targets: Targets, ordinal: float
) -> torch.Tensor:
    """Return the sum over the heads: cross-entropy, and the ordinal term's share."""
    loss = multi_task_loss(logits, targets)
    if ordinal:
        moved = [earth_mover_loss(logits[name], targets[name]) for name in logits]
        loss = loss + ordinal * torch.stack(moved).sum()
    return loss


def mixed_loss(
    logits: Mapping[str, torch.Tensor],
    grades: torch.Tensor,
    mixed: Mixed | None,
    ordinal: float,
) -> torch.Tensor:
    """Return the loss against a batch's grades, and in part against its partners'.

    Each part leaves out what nobody graded in it.

    Parameters
    ----------
    grades
        (slices, targets) int64.
    """
    loss = training_loss(logits, by_head(grades), ordinal)
    if mixed is None:
        return loss
    others = training_loss(logits, by_head(grades[mixed.partners]), ordinal)
    return mixed.own * loss + (1 - mixed.own) * others


def mix(slices: torch.Tensor, recipe: Recipe) -> Mixed | None:
    """Mix a batch, by the chance that the recipe leaves it; None where it stays.

    Parameters
    ----------
    slices
        (slices, 1, rows, columns).
    """
    # From the host's generator: it decides what runs, not what is in the tensors.
    blend, cut, own = torch.rand(3).tolist()
    partners = torch.randperm(len(slices), device=slices.device)
    if blend < recipe.mixup:
        return Mixed(own * slices + (1 - own) * slices[partners], partners, own)
    if cut < recipe.cutmix:
        return _cut_in(slices, partners, own)
    return None


def _cut_in(slices: torch.Tensor, partners: torch.Tensor, own: float) -> Mixed:
    """Put a square of its partner into each slice, at the same place in all."""
    place = torch.rand(2).tolist()
    half = math.sqrt(1 - own) / 2
    along, across = (
        ((torch.arange(length) + 0.5) / length - at).abs() < half
        for length, at in zip(slices.shape[-2:], place, strict=True)
    )
    inside = along[:, None] & across[None, :]
    # The square may reach over the edge: what counts is what it covers.
    covered = float(inside.float().mean())
    inside = inside.to(slices.device)
    return Mixed(torch.where(inside, slices[partners], slices), partners, 1 - covered)
