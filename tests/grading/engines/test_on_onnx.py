"""The same bundle through ONNX Runtime, and what may go wrong with its file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from grading.bundle import Bundle
from grading.engines import on_onnx
from grading.engines.fused import fused
from grading.engines.on_onnx import Cache, OnnxEngine, onnx_engine
from grading.errors import EngineError
from grading.grader import Grader
from grading.network import MultiTaskResNet
from tests.grading.tiny_bundle import SPEC, tiny_bundle

GRID = SPEC.grid_pixels


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def exported(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds the exported bundle."""
    folder = tmp_path_factory.mktemp("engine")
    Grader(bundle, engine="onnx", engine_folder=folder)
    return folder


@pytest.fixture
def kept(exported: Path, bundle: Bundle, tmp_path: Path) -> Cache:
    """Return a copy of the exported bundle that a test may spoil."""
    shutil.copytree(exported, tmp_path / "engine")
    return Cache(tmp_path / "engine", bundle.card.weights_sha256)


def backbone(bundle: Bundle, seed: int | None = None) -> nn.Module:
    """Return the bundle's backbone as it is exported, or one with other weights."""
    torch.manual_seed(seed or 0)
    network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
    if seed is None:
        network.load_state_dict(bundle.state_dict)
    return fused(network.eval().backbone)


def test_onnx_runtime_grades_as_torch_does_for_any_number_of_slices(
    bundle: Bundle, exported: Path
) -> None:
    torch_ = Grader(bundle, "cpu")
    onnx = Grader(bundle, engine="onnx", engine_folder=exported)

    for count in (1, 3, 70):
        slices = list(torch.rand(count, 1, GRID, GRID))
        expected, found = torch_.probabilities(slices), onnx.probabilities(slices)
        assert set(found) == {"LDH", "LCCS", "LNRC"}
        for name, rows in expected.items():
            assert found[name] == [pytest.approx(row, abs=1e-4) for row in rows]
    assert onnx.engine_words == "ONNX Runtime on cpu in float32"


def test_a_bundle_is_exported_once(
    bundle: Bundle, kept: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(on_onnx, "_export")

    engine = onnx_engine(backbone(bundle), GRID, kept)

    assert engine(torch.rand(2, 1, GRID, GRID))[0].shape == (2, 512)


def test_a_damaged_file_is_made_anew(
    bundle: Bundle,
    kept: Cache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole[:1000])
    monkeypatch.setattr(on_onnx, "_export", lambda network, grid: whole)

    onnx_engine(backbone(bundle), GRID, kept)

    assert "exporting the network anew" in caplog.text
    assert kept.path.read_bytes() == whole
    assert [path.name for path in kept.folder.iterdir()] == [kept.path.name]


def test_a_file_that_computes_something_else_never_grades(
    bundle: Bundle,
    kept: Cache,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = kept.path.read_bytes()
    monkeypatch.setattr(on_onnx, "_export", lambda network, grid: wrong)

    with pytest.raises(EngineError, match='set `\\[model\\] engine = "torch"`'):
        onnx_engine(backbone(bundle, seed=9), GRID, kept)

    assert "computes something else than the bundle" in caplog.text


def test_the_file_of_an_earlier_bundle_is_dropped(
    bundle: Bundle, kept: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = kept.path.read_bytes()
    monkeypatch.setattr(on_onnx, "_export", lambda network, grid: model)
    later = Cache(kept.folder, "0" * 64)

    onnx_engine(backbone(bundle), GRID, later)

    assert list(kept.folder.iterdir()) == [later.path]


def test_a_folder_that_cannot_be_written_costs_only_the_next_start(
    bundle: Bundle,
    kept: Cache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = kept.path.read_bytes()
    monkeypatch.setattr(on_onnx, "_export", lambda network, grid: model)
    file = tmp_path / "file"
    file.touch()

    engine = onnx_engine(backbone(bundle), GRID, Cache(file / "engine", "0" * 64))

    assert isinstance(engine, OnnxEngine)
    assert "cannot be kept" in caplog.text


def test_an_engine_that_is_not_installed_is_named_with_its_cure(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_onnx, "PACKAGES", ("onnx", "no_such_package"))

    with pytest.raises(EngineError, match=r"needs no_such_package: install .*serve-on"):
        Grader(bundle, engine="onnx")
