"""The multi-task ResNet of Su et al. 2022 (Figure 5): one backbone, parallel heads.

The backbone is torchvision's ResNet without its classifier. One feature per
slice goes into one fully-connected layer per head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torchvision
from torch import nn

from grading.grades import Side

BACKBONES = ("resnet50", "resnet18")
"""The paper's, and a small one for tests and smoke trainings."""

SIDE_HEADS = {Side.RIGHT: "LNRC_RIGHT", Side.LEFT: "LNRC_LEFT"}
"""What the heads are called that grade each side's root by itself; a bundle may lack
them."""

MISSING_GRADE = -1
"""Stands in a target where nobody has graded that finding."""


@dataclass(frozen=True, slots=True)
class Head:
    """One output of the network."""

    name: str
    """A finding, or whatever else a bundle adds; letters, digits and underscores."""
    grades: int


class MultiTaskResNet(nn.Module):
    """One feature per slice, one fully-connected layer per head.

    The stem keeps torchvision's three input channels and receives the slice
    three times, so that any state dict of torchvision's ResNet fits into
    ``backbone`` by name.

    Raises
    ------
    ValueError
        The backbone is not one of `BACKBONES`, or there is no head, or two
        heads share a name.
    """

    def __init__(self, backbone: str, heads: Sequence[Head]) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"backbone {backbone!r} is not one of {BACKBONES}")
        names = [head.name for head in heads]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"heads need names of their own, got {names}")
        # Blocks that start as identities let a network without pretrained
        # weights learn from its first steps.
        resnet = getattr(torchvision.models, backbone)(
            weights=None, zero_init_residual=True
        )
        features = resnet.fc.in_features
        resnet.fc = nn.Identity()
        self.backbone = resnet
        self.heads = nn.ModuleDict(
            {head.name: nn.Linear(features, head.grades) for head in heads}
        )

    def forward(self, slices: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits (slices, grades) of each head.

        Parameters
        ----------
        slices
            (slices, 1, rows, columns) float32, as `grading.preprocess.crop` makes
            them.
        """
        return self.graded(self.features(slices))

    def features(self, slices: torch.Tensor) -> torch.Tensor:
        """Return the feature (slices, length) that all heads see."""
        found: torch.Tensor = self.backbone(slices.expand(-1, 3, -1, -1))
        return found

    def graded(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits (slices, grades) of each head."""
        return {name: head(features) for name, head in self.heads.items()}


def multi_task_loss(
    logits: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Sum the mean cross-entropy of each head over the heads.

    Parameters
    ----------
    logits
        (slices, grades) by head.
    targets
        (slices,) int64 by head; `MISSING_GRADE` takes no part, and a head
        without any grade in the batch adds zero.

    Raises
    ------
    KeyError
        A head has no targets.
    """
    losses = [_mean_cross_entropy(logits[name], targets[name]) for name in logits]
    return torch.stack(losses).sum()


def _mean_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    total = nn.functional.cross_entropy(
        logits.float(), target, ignore_index=MISSING_GRADE, reduction="sum"
    )
    # The mean of nothing would be NaN and would spoil the other heads' gradient.
    return total / (target != MISSING_GRADE).sum().clamp(min=1)
