"""What a recipe is chosen from: losses, mixing, averages, two steps, MRI's faults."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import SequentialSampler

from grading.errors import UsageError
from grading.grades import Grade
from grading.learning import _command, _recipe, add_train
from grading.network import MISSING_GRADE, MultiTaskResNet, multi_task_loss
from grading.preprocess import Preprocessing
from grading.training.augment import augment, unchanged
from grading.training.augmentation import PAPER, Augmentation, changed, words_of
from grading.training.averaging import WeightAverage, kept_share
from grading.training.fit import fit
from grading.training.heads import HEADS, SIDES, by_head
from grading.training.intensities import curves_of, rescaled, through
from grading.training.k_space import scanned_again
from grading.training.loss import Mixed, earth_mover_loss, mix, mixed_loss
from grading.training.order import Order
from grading.training.rate import schedule
from grading.training.recipe import Recipe
from grading.training.samples import LabelledSlice, Regions

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
STILL = Augmentation(0.0, (1.0, 1.0), flip=False, gamma=(1.0, 1.0), noise=0.0)
SMALL = Recipe(SPEC, backbone="resnet18", epochs=1, batch_slices=2)
EVERYTHING = Augmentation(
    curves=0.5,
    resolution=0.5,
    blur_pixels=1.0,
    sharpen=0.5,
    ghost=0.2,
    coil=0.4,
    cutout=0.5,
)


@pytest.fixture
def few() -> list[LabelledSlice]:
    """Return four slices of noise, which are enough to move weights."""
    pixels = np.random.default_rng(0).uniform(0, 900, (4, 80, 80)).astype(np.float32)
    return [
        LabelledSlice(one, (1.0, 1.0), (Grade(number),) * 3)
        for number, one in enumerate(pixels)
    ]


def slices_of(count: int = 4, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, side, side, generator=generator)


def weights_after(
    few: list[LabelledSlice],
    recipe: Recipe,
    folder: Path,
    start: dict[str, torch.Tensor] | None = None,
) -> list[dict[str, torch.Tensor]]:
    """Return what a training has kept, one state after the other."""
    kept: list[dict[str, torch.Tensor]] = []

    def keep(network: MultiTaskResNet, _: object) -> None:
        kept.append({k: v.clone() for k, v in network.state_dict().items()})

    fit(few, few, recipe, folder, keep, start)
    return kept


def test_running_statistics_are_settled_on_slices_as_they_are_served(
    few: list[LabelledSlice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(
        "grading.training.fitting.settle_statistics",
        lambda _network, batches: seen.extend(batches),
    )
    darker = replace(STILL, gamma=(3.0, 3.0))

    weights_after(few, replace(SMALL, augmentation=darker, shift_mm=0.0), tmp_path)

    served = torch.stack([Regions(few, SPEC)[i][0] for i in range(len(few))])
    assert seen
    for batch in seen:
        torch.testing.assert_close(batch.mean(), served.mean(), rtol=0.05, atol=0)


def test_a_grade_further_from_the_truth_costs_more() -> None:
    target = torch.zeros(1, dtype=torch.int64)

    costs = [
        float(earth_mover_loss(100 * torch.eye(4)[[grade]], target)) for grade in Grade
    ]

    assert costs == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-6)


def test_an_ungraded_slice_takes_no_part_in_the_ordinal_term() -> None:
    logits = torch.randn(3, 4)
    target = torch.tensor([2, MISSING_GRADE, 1])

    found = earth_mover_loss(logits, target)

    assert torch.isclose(found, earth_mover_loss(logits[[0, 2]], target[[0, 2]]))
    nobody = torch.full((3,), MISSING_GRADE)
    assert float(earth_mover_loss(logits, nobody)) == 0


@given(own=st.floats(0, 1))
def test_a_mixed_loss_is_between_those_of_both_partners_grades(own: float) -> None:
    logits = {head.name: torch.randn(2, 4) for head in HEADS}
    # The second slice lacks two grades, and gives the first one what it has.
    grades = torch.tensor([[0, 1, 2, -1, -1], [3, -1, -1, -1, -1]])
    partners = torch.tensor([1, 0])

    found = mixed_loss(logits, grades, Mixed(torch.empty(0), partners, own), 0.0)

    first = multi_task_loss(logits, by_head(grades))
    second = multi_task_loss(logits, by_head(grades[partners]))
    assert torch.isclose(found, own * first + (1 - own) * second)


def test_blended_slices_hold_so_much_of_themselves_as_the_loss_counts() -> None:
    torch.manual_seed(0)
    slices = slices_of()

    found = mix(slices, replace(SMALL, mixup=1.0))

    assert found is not None
    wanted = found.own * slices + (1 - found.own) * slices[found.partners]
    assert torch.equal(found.slices, wanted)
    assert 0 < found.own < 1


@pytest.mark.parametrize("seed", range(5))
def test_a_square_cut_in_covers_what_the_loss_counts(seed: int) -> None:
    torch.manual_seed(seed)
    slices = torch.arange(6.0).view(6, 1, 1, 1).expand(-1, 1, 32, 32)

    found = mix(slices, replace(SMALL, cutmix=1.0))

    assert found is not None
    for number, (one, partner) in enumerate(
        zip(found.slices, found.partners.tolist(), strict=True)
    ):
        own = float((one == number).float().mean())
        assert own == pytest.approx(1.0 if partner == number else found.own)
        assert set(one.unique().tolist()) <= {number, partner}


def test_nothing_is_mixed_unless_the_recipe_says_so() -> None:
    assert mix(slices_of(), SMALL) is None


def test_an_average_follows_the_weights_at_the_pace_of_its_samples() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, samples=64)
    nn.init.zeros_(network.weight)
    average.follow(network, samples_seen=6400, samples=16)

    nn.init.ones_(network.weight)
    for _ in range(4):
        average.follow(network, samples_seen=6400, samples=16)

    (found,) = average.network.parameters()
    assert float(found) == pytest.approx(1 - 1 / math.e)
    assert not found.requires_grad


def test_a_young_average_forgets_the_random_weights_it_began_with() -> None:
    assert kept_share(10_000, samples_seen=32, samples=32) < 1e-4
    assert kept_share(10_000, samples_seen=200_000, samples=32) == pytest.approx(
        math.exp(-0.0032)
    )


def test_what_is_kept_of_a_training_is_its_average(
    few: list[LabelledSlice], tmp_path: Path
) -> None:
    (last,) = weights_after(few, SMALL, tmp_path / "last")

    averaging = replace(SMALL, average_samples=20.0)
    (averaged,) = weights_after(few, averaging, tmp_path / "averaged")

    name = "backbone.conv1.weight"
    assert last.keys() == averaged.keys()
    assert not torch.equal(last[name], averaged[name])
    assert torch.allclose(last[name], averaged[name], atol=0.05)
    # Settled on the batches, not left as a fresh network's.
    assert (averaged["backbone.bn1.running_var"] != 1).all()


def test_the_second_step_moves_the_heads_alone_and_keeps_those_nobody_teaches(
    few: list[LabelledSlice], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    start = MultiTaskResNet("resnet18", (*HEADS, *SIDES)).state_dict()

    (kept,) = weights_after(few, replace(SMALL, second_step=1.0), tmp_path, dict(start))

    assert kept.keys() == start.keys()
    taught = {f"heads.{head.name}" for head in HEADS}
    for name, weights in kept.items():
        stays = name.rpartition(".")[0] not in taught
        assert torch.equal(weights, start[name]) == stays, name


def test_an_order_changes_as_soon_as_the_second_step_begins() -> None:
    order = Order(SequentialSampler(range(6)), SequentialSampler(range(6)), slices=8)
    found = iter(order)

    before = list(islice(found, 4))
    order.second_began = True

    assert (before, list(found)) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_the_second_step_has_a_rise_and_a_fall_of_its_own() -> None:
    rates = [schedule(share / 100, second_step=0.2) for share in range(101)]

    assert rates[79] < 0.01
    assert rates[80] == 0.01
    assert max(rates[80:]) == pytest.approx(1.0, abs=0.05)
    assert rates[100] < 0.01


@pytest.mark.parametrize(
    "part", ["resolution=0.8", "blur_pixels=3", "sharpen=2", "ghost=0.5"]
)
def test_a_worse_scan_keeps_the_mean_and_changes_each_slice(part: str) -> None:
    torch.manual_seed(0)
    slices = slices_of()

    found = scanned_again(slices, changed(STILL, [part]))

    torch.testing.assert_close(found.mean(dim=(1, 2, 3)), slices.mean(dim=(1, 2, 3)))
    assert all(
        (one - other).abs().max() > 1e-3
        for one, other in zip(found, slices, strict=True)
    )


def test_nothing_asked_of_k_space_leaves_a_slice_as_it_is() -> None:
    torch.testing.assert_close(scanned_again(slices_of(), STILL), slices_of())


def test_a_blur_takes_contrast_and_its_opposite_adds_it() -> None:
    torch.manual_seed(0)
    slices = slices_of()

    blurred = scanned_again(slices, changed(STILL, ["blur_pixels=3"]))
    sharper = scanned_again(slices, changed(STILL, ["sharpen=2"]))

    assert blurred.std() < slices.std() < sharper.std()


def test_a_rising_curve_keeps_the_order_of_intensities() -> None:
    ramp = torch.linspace(0, 1, 32).expand(3, 1, 4, -1)

    found = through(ramp, curves_of(torch.rand(3, 6)))

    assert (found.diff(dim=-1) >= 0).all()
    torch.testing.assert_close(found[..., 0], torch.zeros(3, 1, 4))
    torch.testing.assert_close(found[..., -1], torch.ones(3, 1, 4))


def test_a_rescaled_slice_fills_the_window_whatever_its_gain() -> None:
    slices = slices_of()

    torch.testing.assert_close(
        rescaled(slices, 1.0, 99.0), rescaled(3 * slices + 5, 1.0, 99.0)
    )


def test_a_flat_slice_stays_flat() -> None:
    assert not rescaled(torch.full((1, 1, 8, 8), 0.7), 1.0, 99.0).any()
    assert not unchanged(torch.full((1, 1, 84, 84), 1000.0), SPEC).any()


def test_everything_at_once_keeps_shape_and_range_wherever_the_batch_lies() -> None:
    torch.manual_seed(0)

    found = augment(slices_of(side=84), EVERYTHING, SPEC).slices

    assert found.shape == (4, 1, 32, 32)
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() <= 1
    batch = torch.empty(2, 1, 84, 84, device="meta")
    elsewhere = augment(batch, EVERYTHING, SPEC).slices
    assert elsewhere.device.type == "meta"


def test_a_patch_is_blotted_out_of_the_share_that_is_asked_for() -> None:
    torch.manual_seed(0)
    wide = slices_of(200, side=84)
    slices = unchanged(wide, SPEC)

    found = augment(wide, replace(STILL, cutout=0.25), SPEC).slices

    touched = [
        not torch.allclose(a, b, atol=1e-5) for a, b in zip(found, slices, strict=True)
    ]
    assert 30 <= sum(touched) <= 70


@pytest.mark.parametrize("how", [EVERYTHING, PAPER, Augmentation(gamma=(0.5, 1.8))])
def test_words_make_the_same_augmentation_again(how: Augmentation) -> None:
    assert changed(Augmentation(), words_of(how, Augmentation())) == how


@pytest.mark.parametrize(
    "word", ["coil", "coil=x", "coil=-1", "gamma=1", "colour=1", "flip=2"]
)
def test_a_word_that_changes_nothing_is_refused_by_name(word: str) -> None:
    with pytest.raises(UsageError, match=f"--augment {word}: "):
        changed(Augmentation(), [word])


def test_the_cards_command_makes_the_same_recipe_again() -> None:
    parser = argparse.ArgumentParser()
    add_train(parser)
    options = (
        "--out x --lessons y --recipe paper --weight-decay 0 --ordinal 2 --mixup 0.5 "
        "--cutmix 0.25 --second-step 0.2 --average-samples 20000 --shift-mm 3 "
        "--balance 1 --augment coil=0.3 gamma=0.5:1.8 flip=1 --seed 4"
    )
    given = parser.parse_args(options.split())

    recipe = _recipe(given, None)

    words = _command(given, recipe).removeprefix("lumbar-grading train ")
    assert _recipe(parser.parse_args(words.split()), None) == recipe
    assert (recipe.ordinal, recipe.second_step, recipe.cutmix) == (2.0, 0.2, 0.25)
    assert recipe.augmentation == replace(PAPER, coil=0.3, gamma=(0.5, 1.8), flip=True)
