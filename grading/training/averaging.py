"""Weights averaged over a training's last samples: steadier than any single step's."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn

YOUNG = 0.1
"""Share of the samples seen so far that an average reaches back at most: early on it
would still be of the random weights that the training began with."""


class WeightAverage(nn.Module):
    """A second network whose weights follow the first one's.

    Its running statistics are the first one's and must be settled before use.
    """

    def __init__(self, network: nn.Module, samples: float) -> None:
        super().__init__()
        self._samples = samples
        self._kept = 0.0
        self._averaged = AveragedModel(network, multi_avg_fn=self._average)
        # Nothing learns here, and nothing waits for its gradients.
        self._averaged.requires_grad_(requires_grad=False)

    @property
    def network(self) -> nn.Module:
        """Return the network with the averaged weights."""
        module: nn.Module = self._averaged.module
        return module

    def follow(self, network: nn.Module, samples_seen: int, samples: int) -> None:
        """Take in the weights after a step that learned from some samples."""
        self._kept = kept_share(self._samples, samples_seen, samples)
        self._averaged.update_parameters(network)

    def _average(
        self,
        averaged: PARAM_LIST,
        current: PARAM_LIST,
        steps: torch.Tensor | int,
    ) -> None:
        average = get_ema_multi_avg_fn(self._kept)  # type: ignore[no-untyped-call]
        average(averaged, current, steps)


def kept_share(average_samples: float, samples_seen: int, samples: int) -> float:
    """Return what is kept of an average when a step's weights are taken in.

    What is older than ``average_samples`` counts less than 1/e, whatever the batch.
    """
    reach = min(average_samples, YOUNG * samples_seen)
    return math.exp(-samples / reach)
