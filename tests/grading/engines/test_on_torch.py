"""torch on a GPU whose memory may not suffice, and in short floats."""

from __future__ import annotations

import logging
from typing import Self

import pytest
import torch
from torch import nn

from grading.engines.engine import LARGEST_BATCH
from grading.engines.on_torch import TorchEngine, computes_bfloat16, short_precision

CPU = torch.device("cpu")
GPU = torch.device("cuda")


class ShortOfMemory(nn.Module):
    """A network on a GPU that holds so many images, or moved off it."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images = images
        self.on_cpu = False
        self.batches: list[int] = []

    def to(self, *where: object, **how: object) -> Self:
        # The device is called "cpu" here; only the second move there leaves the GPU.
        self.on_cpu = bool(where) and len(self.batches) > 0 and not self.on_cpu
        return self

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(batch))
        if len(batch) > self.images and not self.on_cpu:
            raise torch.OutOfMemoryError("out of memory")
        return batch * 2


@pytest.mark.parametrize(
    ("images", "batches"),
    [(8, [5]), (3, [5, 3, 2]), (1, [5, 3, 2, 1, 1, 1, 1, 1]), (0, [5, 3, 2, 1, 5])],
)
def test_where_memory_does_not_suffice_batches_shrink_and_then_the_cpu_computes(
    caplog: pytest.LogCaptureFixture, images: int, batches: list[int]
) -> None:
    network = ShortOfMemory(images)
    engine = TorchEngine(network, CPU)
    five = torch.rand(5, 1, 4, 4)

    (found,) = engine(five)

    assert network.batches == batches
    assert not network.on_cpu
    assert torch.equal(found, five * 2)
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert bool(warnings) is (images < 5)
    assert any("on the CPU" in r.getMessage() for r in warnings) is (images == 0)


def test_a_study_is_one_batch_and_an_endless_one_is_not() -> None:
    network = ShortOfMemory(LARGEST_BATCH)
    engine = TorchEngine(network, CPU)

    engine(torch.rand(20, 1, 4, 4))
    engine(torch.rand(LARGEST_BATCH + 1, 1, 4, 4))

    assert network.batches == [20, LARGEST_BATCH, 1]


class NoRoom(nn.Module):
    """A network that no GPU has room for."""

    def to(self, *where: object, **how: object) -> Self:
        if GPU in where:
            raise torch.OutOfMemoryError("out of memory")
        return self

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch


def test_a_network_that_the_gpu_does_not_hold_stays_on_the_cpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = TorchEngine(NoRoom(), GPU)

    (found,) = engine(torch.ones(1, 1, 2, 2))

    assert torch.equal(found, torch.ones(1, 1, 2, 2))
    assert engine.words == "torch on cpu in float32"
    assert "on the CPU from now on" in caplog.text


@pytest.mark.parametrize(
    ("has", "precision"),
    [
        ({}, torch.float32),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_short_floats_are_those_that_the_device_has(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], precision: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)

    assert short_precision(CPU) is precision
    assert computes_bfloat16() is (precision is torch.bfloat16)
    assert short_precision(GPU) is torch.float16


def test_short_floats_come_back_long_and_change_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("grading.engines.on_torch.computes_bfloat16", lambda: True)
    torch.manual_seed(1)
    exact = nn.Linear(64, 8)
    short = nn.Linear(64, 8)
    short.load_state_dict(exact.state_dict())
    batch = torch.rand(3, 64)

    (found,) = TorchEngine(short, CPU, short=True)(batch)

    assert found.dtype is torch.float32
    with torch.inference_mode():
        difference = (found - exact(batch)).abs().max()
    assert 0 < difference < 0.02


class OnPaper(nn.Module):
    """A network whose moves are only written down."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[tuple[object, ...]] = []

    def to(self, *where: object, **how: object) -> Self:
        self.moves.append(where)
        return self

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if self.moves[-1][0] == GPU:
            raise torch.OutOfMemoryError("out of memory")
        return batch


def test_weights_that_leave_the_gpu_for_a_study_lose_no_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Through bfloat16 they would come home with three bits less.
    monkeypatch.setattr("grading.engines.on_torch.computes_bfloat16", lambda: True)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *where: self)
    network = OnPaper()

    TorchEngine(network, GPU, short=True)(torch.ones(1, 1, 2, 2))

    assert network.moves == [
        (),
        (GPU, torch.float16),
        (CPU, torch.float32),
        (GPU, torch.float16),
    ]
