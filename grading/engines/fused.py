"""The same network in fewer steps."""

from __future__ import annotations

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse


def fused(backbone: nn.Module) -> nn.Module:
    """Return a ResNet for grey slices whose convolutions include the normalisations.

    In service a normalisation is a fixed scale and shift, and three equal channels
    weighed by three kernels are one channel weighed by their sum: nothing changes but
    the rounding.

    Parameters
    ----------
    backbone
        torchvision's, in evaluation mode, with a stem of three channels.

    Returns
    -------
    nn.Module
        A copy that takes (slices, 1, rows, columns).
    """
    network = fuse(backbone)
    stem = network.get_submodule("conv1")
    if not isinstance(stem, nn.Conv2d):
        raise TypeError(f"the stem is a {type(stem).__name__}, not a convolution")
    network.conv1 = _for_one_channel(stem)
    return network


def _for_one_channel(stem: nn.Conv2d) -> nn.Conv2d:
    narrow = nn.Conv2d(
        1,
        stem.out_channels,
        kernel_size=stem.kernel_size,  # type: ignore[arg-type]
        stride=stem.stride,  # type: ignore[arg-type]
        padding=stem.padding,  # type: ignore[arg-type]
    )
    with torch.no_grad():
        narrow.weight.copy_(stem.weight.sum(dim=1, keepdim=True))
        if stem.bias is not None and narrow.bias is not None:
            narrow.bias.copy_(stem.bias)
    return narrow.eval()
