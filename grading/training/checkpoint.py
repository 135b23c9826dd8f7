"""A training that was stopped goes on: what it must be told again, and from where."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from grading.errors import UsageError
from grading.fields import Scalar
from grading.network import MultiTaskResNet
from grading.training.fitting import Fitting, Progress
from grading.training.starting import UNREADABLE

CHECKPOINT_NAME = "resume.ckpt"
SECONDS_BETWEEN = 60.0
"""Two checkpoints, each several times the size of a bundle."""
TOLD = "told"
"""Key of what the training was told, in the checkpoint."""

Told = Mapping[str, Scalar]
"""Recipe and data: what must be the same for a training to go on."""


class AfterValidation(Callback):
    """After a validation keep the network, then all that the training needs.

    The checkpoint holds weights, averaged weights, the optimiser's state, samples and
    seconds so far, and is at most a few validations old.
    """

    def __init__(
        self,
        keep: Callable[[MultiTaskResNet, Progress], None],
        checkpoint: Path,
        told: Told,
    ) -> None:
        self._keep = keep
        self._checkpoint = checkpoint
        self._told = told
        self._written = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the network as it is."""
        if not isinstance(pl_module, Fitting):
            return
        if trainer.is_global_zero:
            self._keep(pl_module.graded, pl_module.progress)
        due = time.monotonic() - self._written >= SECONDS_BETWEEN
        if trainer.state.fn is TrainerFn.FITTING and trainer.strategy.broadcast(due):
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        """Write the checkpoint, whole or not at all."""
        partial = self._checkpoint.with_suffix(".partial")
        # All processes take part, one writes.
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.replace(self._checkpoint)
        self._written = time.monotonic()

    def on_save_checkpoint(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Note what the training was told."""
        checkpoint[TOLD] = dict(self._told)


def check_resumable(path: Path) -> None:
    """Check that there is something to go on with, before lessons are read.

    Raises
    ------
    UsageError
        There is nothing.
    """
    if not path.exists():
        raise UsageError(
            f"--resume: {path} is not there, so no training was stopped after its "
            "first validation, or it has ended since; leave --resume out"
        )


def check_told(path: Path, told: Told) -> None:
    """Check that a training that goes on is the one that was stopped.

    Raises
    ------
    UsageError
        It was told something else, or the checkpoint cannot be read.
    """
    try:
        # Nothing but tensors and plain values is unpickled.
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        before = dict(found[TOLD])
    except UNREADABLE as error:
        raise UsageError(
            f"--resume: {path} is no checkpoint of a training "
            f"({type(error).__name__}); leave --resume out to begin anew"
        ) from error
    for name in sorted(before.keys() | told.keys()):
        if before.get(name) != told.get(name):
            raise UsageError(
                f"--resume: the training that was stopped had {name} "
                f"{before.get(name)}, this one has {told.get(name)}; repeat its options"
            )
