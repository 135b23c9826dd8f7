"""A training that was stopped goes on, and says where it cannot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grading.__main__ import main
from grading.errors import UsageError
from grading.grades import Grade
from grading.network import MultiTaskResNet
from grading.preprocess import Preprocessing
from grading.training.checkpoint import CHECKPOINT_NAME, Told, check_told
from grading.training.fit import fit
from grading.training.fitting import Progress
from grading.training.machinery import Machinery
from grading.training.order import order_for
from grading.training.recipe import Recipe
from grading.training.samples import LabelledSlice

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
RECIPE = Recipe(
    SPEC,
    backbone="resnet18",
    epochs=2,
    batch_slices=2,
    validation_batches=2,
    average_samples=20.0,
    second_step=0.5,
)
TOLD: Told = {"seed": 1, "lessons": "noise"}


class PowerCut(BaseException):
    """Ends a training as nothing inside it can foresee."""


@pytest.fixture
def noise() -> list[LabelledSlice]:
    pixels = np.random.default_rng(0).uniform(0, 900, (4, 80, 80)).astype(np.float32)
    return [
        LabelledSlice(one, (1.0, 1.0), (Grade(number),) * 3)
        for number, one in enumerate(pixels)
    ]


@pytest.fixture
def stopped(
    noise: list[LabelledSlice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the logs of a training that had a power cut near its end."""
    monkeypatch.setattr("grading.training.checkpoint.SECONDS_BETWEEN", 0.0)

    def stop(_: MultiTaskResNet, progress: Progress) -> None:
        if progress.samples_seen == 8:
            raise PowerCut

    with pytest.raises(PowerCut):
        fit(noise, noise, RECIPE, tmp_path, stop, told=TOLD)
    return tmp_path


def test_a_training_that_was_stopped_goes_on_to_its_end(
    noise: list[LabelledSlice], stopped: Path
) -> None:
    checkpoint = stopped / CHECKPOINT_NAME
    before = torch.load(checkpoint, weights_only=True)
    with pytest.raises(UsageError, match="had seed 1, this one has 2"):
        check_told(checkpoint, {**TOLD, "seed": 2})
    kept: list[Progress] = []
    going_on = Machinery(resume=True)

    def keep(_: MultiTaskResNet, progress: Progress) -> None:
        kept.append(progress)

    fit(noise, noise, RECIPE, stopped, keep, machinery=going_on, told=TOLD)

    assert before["samples_seen"] == 4
    assert [progress.samples_seen for progress in kept] == [8]
    assert kept[0].seconds > before["seconds"]
    # Nothing was logged over, and there is nothing left to go on with.
    assert "8.0" in (stopped / "resumed-1" / "metrics.csv").read_text()
    assert "4.0" in (stopped / "metrics.csv").read_text()
    assert list(stopped.glob("events.out.tfevents.*"))
    assert not checkpoint.exists()


def test_what_was_shown_before_a_stop_is_not_shown_again(
    noise: list[LabelledSlice],
) -> None:
    whole = list(order_for(noise, RECIPE))

    resumed = order_for(noise, RECIPE)
    resumed.shown = 3

    assert list(resumed) == whole[3:]
    assert Counter(whole[:4]) == Counter(whole[4:]) == Counter(range(4))


def test_a_checkpoint_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_NAME).write_text("cut off")

    with pytest.raises(UsageError, match="is no checkpoint of a training"):
        check_told(tmp_path / CHECKPOINT_NAME, TOLD)


def test_where_nothing_was_stopped_nothing_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "bundle"), "--lessons", str(tmp_path)]

    status = main(["train", *options, "--resume"])

    assert status == 1
    assert "resume.ckpt is not there" in capsys.readouterr().err


def test_a_batch_that_devices_cannot_share_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "bundle"), "--lessons", str(tmp_path)]

    status = main(["train", *options, "--batch", "32", "--devices", "3"])

    assert status == 1
    assert "--batch 32 cannot be shared by 3 devices" in capsys.readouterr().err


def test_several_processes_share_an_order(
    noise: list[LabelledSlice], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(order_for(noise, replace(RECIPE, balance=0.5)))
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    parts = []

    for rank in range(2):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        parts.append(list(order_for(noise, replace(RECIPE, balance=0.5), processes=2)))

    assert parts == [whole[0::2], whole[1::2]]
