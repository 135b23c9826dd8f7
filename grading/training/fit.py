"""Fit the multi-task network to labelled slices."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from lightning.pytorch import seed_everything
from torch.utils.data import DataLoader

from grading.network import MultiTaskResNet
from grading.training.checkpoint import (
    CHECKPOINT_NAME,
    AfterValidation,
    Told,
    check_told,
)
from grading.training.fitting import Fitting, Progress
from grading.training.heads import heads_for, kept_heads
from grading.training.machinery import Machinery, make_trainer, silence_advice
from grading.training.order import Order, order_for
from grading.training.recipe import Recipe
from grading.training.samples import LabelledSlice, Regions, Surroundings
from grading.training.starting import begin_from

ONE_DEVICE = Machinery()


def fit(
    slices: Sequence[LabelledSlice],
    validation: Sequence[LabelledSlice],
    recipe: Recipe,
    log_folder: Path,
    keep: Callable[[MultiTaskResNet, Progress], None],
    start: Mapping[str, torch.Tensor] | None = None,
    *,
    machinery: Machinery = ONE_DEVICE,
    told: Told | None = None,
) -> None:
    """Train a network from random weights, or from those that ``start`` gives.

    Parameters
    ----------
    log_folder
        Receives ``metrics.csv``, TensorBoard's events and, while the training is not
        over, the checkpoint to resume it from.
    keep
        Called after each validation, the last one at the end of the training, so
        that a training that is stopped has still left something.
    told
        What must be the same where ``machinery`` resumes a training.

    Raises
    ------
    UsageError
        The checkpoint is of another training, or devices cannot share a batch.
    """
    checkpoint = log_folder / CHECKPOINT_NAME
    if machinery.resume:
        check_told(checkpoint, told or {})
    seed_everything(recipe.seed, workers=True, verbose=False)
    network = _network(slices, recipe, start or {})
    order = order_for(slices, recipe, machinery.processes)
    training = _training_loader(slices, recipe, machinery, order)
    validating = DataLoader(
        Regions(validation, recipe.preprocessing), batch_size=recipe.batch_slices
    )
    fitting = Fitting(network, recipe, len(training), order)
    # As often as the recipe says, and at least once in an epoch.
    often = min(recipe.validation_batches, -(-len(training) // recipe.epochs))
    with warnings.catch_warnings():
        silence_advice()
        after = AfterValidation(keep, checkpoint, told or {})
        heads_alone = recipe.second_step > 0
        trainer = make_trainer(machinery, log_folder, often, heads_alone, [after])
        going_on = str(checkpoint) if machinery.resume else None
        trainer.fit(
            fitting, training, validating, ckpt_path=going_on, weights_only=True
        )
        if fitting.validated_at != fitting.samples_seen:
            trainer.validate(fitting, validating, verbose=False)
        if trainer.is_global_zero:
            checkpoint.unlink(missing_ok=True)


def _network(
    slices: Sequence[LabelledSlice], recipe: Recipe, start: Mapping[str, torch.Tensor]
) -> MultiTaskResNet:
    """Return the network to train: the heads that are taught, those that stay true."""
    taught = heads_for(slices)
    kept = kept_heads(start, taught) if recipe.second_step == 1 else ()
    network = MultiTaskResNet(recipe.backbone, (*taught, *kept))
    if start:
        begin_from(network, start)
    for head in kept:
        network.heads[head.name].requires_grad_(requires_grad=False)
    return network.to(memory_format=torch.channels_last)


def _training_loader(
    slices: Sequence[LabelledSlice], recipe: Recipe, machinery: Machinery, order: Order
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    readers = machinery.readers()
    return DataLoader(
        Surroundings(slices, recipe.preprocessing, recipe.shift_mm),
        batch_size=machinery.share_of(recipe.batch_slices),
        sampler=order,
        drop_last=order.slices > recipe.batch_slices,
        num_workers=readers,
        pin_memory=readers > 0,
    )
