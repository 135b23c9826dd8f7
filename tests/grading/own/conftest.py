"""A labelled set, and a bundle that nobody has trained."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grading.bundle import Bundle, load_bundle, save_bundle
from grading.grades import Basis
from grading.network import MultiTaskResNet
from grading.training.heads import HEADS
from grading.training.manifest import Manifest, read_manifest
from tests.grading.own.labelled_sets import SPEC, write_set
from tests.grading.test_bundle import a_card


@pytest.fixture(scope="session")
def manifest_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="session")
def manifest(manifest_path: Path) -> Manifest:
    return read_manifest(manifest_path)


@pytest.fixture(scope="session")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return MultiTaskResNet("resnet18", HEADS).state_dict()


@pytest.fixture(scope="session")
def untrained(
    weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """A bundle that nobody has trained, which looks at 32 x 32 pixels."""
    folder = tmp_path_factory.mktemp("untrained") / "bundle"
    save_bundle(folder, weights, replace(a_card(Basis.UNEVALUATED), preprocessing=SPEC))
    return load_bundle(folder)


@pytest.fixture
def bundle(untrained: Bundle, tmp_path: Path) -> Bundle:
    """The untrained bundle, in a folder where its card may be changed."""
    shutil.copytree(untrained.path, tmp_path / "bundle")
    return replace(untrained, path=tmp_path / "bundle")
