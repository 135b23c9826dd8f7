"""Fewer steps, the same result."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from grading.engines.fused import fused


def test_a_fused_backbone_computes_what_the_backbone_computes() -> None:
    torch.manual_seed(3)
    backbone = torchvision.models.resnet50(weights=None)
    backbone.fc = nn.Identity()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.get_buffer("running_mean"), -0.5, 0.5)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
    slices = torch.rand(3, 1, 32, 32)

    network = fused(backbone.eval())

    with torch.inference_mode():
        expected = backbone(slices.expand(-1, 3, -1, -1))
        torch.testing.assert_close(network(slices), expected, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(one, nn.BatchNorm2d) for one in network.modules())
