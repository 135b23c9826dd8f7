"""A small bundle that nobody trained."""

from __future__ import annotations

from pathlib import Path

import torch

from grading.bundle import Bundle, load_bundle, save_bundle
from grading.card import Card
from grading.grades import Basis, Finding
from grading.network import Head, MultiTaskResNet
from grading.preprocess import Preprocessing
from grading.provenance import Provenance

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
HEADS = tuple(Head(finding.value, 4) for finding in Finding)


def tiny_bundle(folder: Path, *further: str) -> Bundle:
    """Save and load a bundle with the three findings' heads and those named."""
    torch.manual_seed(5)
    heads = (*HEADS, *(Head(name, 4) for name in further))
    network = MultiTaskResNet("resnet18", heads)
    provenance = Provenance("nobody trained it", "none", "none", "none", 0.0, 0, {})
    card = Card(
        name="tiny",
        version="1",
        basis=Basis.PHANTOM,
        backbone="resnet18",
        heads=heads,
        preprocessing=SPEC,
        calibration={"LDH": 2.0},
        provenance=provenance,
        results=(),
    )
    save_bundle(folder, network.state_dict(), card)
    return load_bundle(folder)
