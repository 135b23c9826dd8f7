"""Bring batch normalisation's running statistics up to date with the weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


@torch.no_grad()
def settle_statistics(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Replace the running statistics by their mean over some batches.

    While the learning rate is high the weights outrun the moving average, and a
    network that has learned much still grades at random in evaluation mode. The
    weights, and the mode that the network is in, stay as they are.
    """
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain mean over all batches
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
