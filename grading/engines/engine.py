"""What an engine is: the seam between what is computed and how."""

from __future__ import annotations

from typing import Literal, Protocol

import torch

EngineName = Literal["torch", "onnx"]
"""ONNX Runtime needs packages of its own and computes on the CPU."""

LARGEST_BATCH = 64
"""A whole study in all but rare cases; what is larger could exceed the memory."""


class Engine(Protocol):
    """A network, ready to compute on a device of its own choice."""

    @property
    def words(self) -> str:
        """What computes, for a log: "torch on cuda in float16"."""
        ...

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the network's outputs, float32 on the CPU, a row for each image.

        Parameters
        ----------
        batch
            (images, channels, rows, columns) float32 on the CPU, at least one image.
        """
        ...
