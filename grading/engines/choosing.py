"""Which engine computes the grading network."""

from __future__ import annotations

import torch
from torch import nn

from grading.engines.engine import Engine, EngineName
from grading.engines.fused import fused
from grading.engines.on_onnx import Cache, onnx_engine, require_packages
from grading.engines.on_torch import TorchEngine

SHORT_FLOATS = False
"""Nobody has measured yet whether grades keep within the bounds of
`benchmarks/inference.py` in bfloat16 and float16; until then torch computes float32."""


def require(name: EngineName) -> None:
    """Refuse an engine that is not installed.

    Raises
    ------
    EngineError
        A package is missing.
    """
    if name == "onnx":
        require_packages()


def backbone_engine(
    backbone: nn.Module,
    grid_pixels: int,
    device: torch.device,
    name: EngineName,
    cache: Cache | None = None,
) -> Engine:
    """Return an engine that makes (slices, 1, grid, grid) into (slices, features).

    Parameters
    ----------
    backbone
        torchvision's, on the CPU in float32 and in evaluation mode.
    device
        Where torch computes; ONNX Runtime computes on the CPU.
    cache
        Where a network that had to be exported is kept; nowhere if None.

    Raises
    ------
    EngineError
        The engine is not installed, or computes something else.
    """
    network = fused(backbone)
    if name == "onnx":
        return onnx_engine(network, grid_pixels, cache)
    return TorchEngine(network, device, short=SHORT_FLOATS)
