"""The network while it is fitted: loss, optimiser, schedule, validation."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torchmetrics.functional.classification import multiclass_f1_score

from grading.grades import Grade
from grading.network import MISSING_GRADE, MultiTaskResNet, multi_task_loss
from grading.training.augment import augment, unchanged
from grading.training.averaging import WeightAverage
from grading.training.heads import by_head, mirrored_grades
from grading.training.loss import mix, mixed_loss
from grading.training.order import Order
from grading.training.rate import schedule
from grading.training.recipe import Recipe
from grading.training.settle import settle_statistics

SETTLING_BATCHES = 24
"""Recent batches that the running statistics are taken from before a validation: as
the service would cut them, were its region as far off."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""(slices, 1, side, side) float32 and (slices, targets) int64: of `Surroundings` to
learn from, of `Regions` to validate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, or ended."""

    samples_seen: int
    seconds: float
    validation_macro_f1: Mapping[str, float]


class Fitting(LightningModule):
    """The network with its loss, optimiser and learning-rate schedule."""

    def __init__(
        self, network: MultiTaskResNet, recipe: Recipe, steps: int, order: Order
    ) -> None:
        super().__init__()
        self.network = network
        self.average: WeightAverage | None = None
        if recipe.average_samples:
            self.average = WeightAverage(network, recipe.average_samples)
        self.samples_seen = 0
        self.validated_at = 0
        """Samples seen when it was last validated."""
        self.validation_macro_f1: dict[str, float] = {}
        self._recipe = recipe
        self._steps = steps
        self._order = order
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._recent: deque[torch.Tensor] = deque(maxlen=SETTLING_BATCHES)
        self._validated: list[tuple[dict[str, torch.Tensor], torch.Tensor]] = []

    @property
    def graded(self) -> MultiTaskResNet:
        """Return the network that is validated and kept."""
        if self.average is None:
            return self.network
        return cast(MultiTaskResNet, self.average.network)

    @property
    def progress(self) -> Progress:
        """Return where the training stands."""
        return Progress(
            self.samples_seen, self._seconds, dict(self.validation_macro_f1)
        )

    @property
    def _seconds(self) -> float:
        """Return how long it has trained, before it was stopped too."""
        return self._seconds_before + time.monotonic() - self._started

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, its weight decay as the recipe says."""
        adam = torch.optim.AdamW if self._recipe.decoupled_decay else torch.optim.Adam
        return adam(
            self.network.parameters(),
            lr=self._recipe.learning_rate,
            weight_decay=self._recipe.weight_decay,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note how far the training has come."""
        checkpoint["samples_seen"] = self.samples_seen
        checkpoint["seconds"] = self._seconds
        checkpoint["second_began"] = self._order.second_began

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there: same schedule, and the slices not yet shown."""
        self.samples_seen = self.validated_at = checkpoint["samples_seen"]
        self._seconds_before = checkpoint["seconds"]
        self._order.shown = self.samples_seen
        self._order.second_began = checkpoint["second_began"]

    def on_train_start(self) -> None:
        """Start the clock that the schedule may follow."""
        self._started = time.monotonic()
        # Each process changes its slices in its own way, and not as before a stop.
        seed = self._recipe.seed + self.samples_seen * self.trainer.world_size
        torch.manual_seed(seed + self.global_rank)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate from the share of the training that is over."""
        recipe = self._recipe
        share = self._share()
        self.trainer.should_stop = self.trainer.should_stop or share >= 1
        if share >= 1 - recipe.second_step and not self._order.second_began:
            self._begin_second_step()
        rate = 1.0 if recipe.steady_rate else schedule(share, recipe.second_step)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = recipe.learning_rate * rate

    def _share(self) -> float:
        """Return how much of the training is over, by steps or by the clock."""
        share = self.global_step / self._steps
        if self._recipe.minutes:
            share = max(share, self._seconds / (60 * self._recipe.minutes))
            # Every process must turn and stop at the same step.
            share = self.trainer.strategy.broadcast(share)
        return share

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the loss of one augmented batch."""
        slices, grades = batch
        self.samples_seen += len(slices) * self.trainer.world_size
        spec = self._recipe.preprocessing
        if not self._order.second_began:
            self._recent.append(unchanged(slices, spec))
        changed = augment(slices, self._recipe.augmentation, spec)
        grades = mirrored_grades(grades, changed.mirrored)
        mixed = mix(changed.slices, self._recipe)
        slices = mixed.slices if mixed else changed.slices
        slices = slices.contiguous(memory_format=torch.channels_last)
        logits = self._logits(slices)
        loss = mixed_loss(logits, grades, mixed, self._recipe.ordinal)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def _logits(self, slices: torch.Tensor) -> dict[str, torch.Tensor]:
        if not self._order.second_began:
            return self.network(slices)  # type: ignore[no-any-return]  # nn.Module
        self.network.backbone.eval()
        with torch.no_grad():
            features = self.network.features(slices)
        return self.network.graded(features)

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:
        """Let the averaged weights follow."""
        if self.average is not None:
            samples = len(batch[0]) * self.trainer.world_size
            self.average.follow(self.network, self.samples_seen, samples)

    def on_validation_start(self) -> None:
        """Settle the running statistics on what was last learned from."""
        # In the second step they are those that the heads learn behind.
        if not self._order.second_began:
            self._settle()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the logits of one batch."""
        slices, grades = batch
        self._validated.append((self.graded(slices), grades))

    def on_validation_epoch_end(self) -> None:
        """Log loss and macro-F1 over all validation slices."""
        logits = {
            name: torch.cat([one[name].float() for one, _ in self._validated])
            for name in self.network.heads
        }
        targets = by_head(torch.cat([grades for _, grades in self._validated]))
        self._validated.clear()
        self.validated_at = self.samples_seen
        self.log("validation_loss", multi_task_loss(logits, targets), prog_bar=True)
        for name in self.network.heads:
            if bool((targets[name] == MISSING_GRADE).all()):
                continue  # nothing to be right about
            score = multiclass_f1_score(
                logits[name],
                targets[name],
                len(Grade),
                average="macro",
                ignore_index=MISSING_GRADE,
            )
            self.validation_macro_f1[name] = float(score)
            self.log(f"macro_f1_{name}", score, prog_bar=True)
        self.log("samples_seen", float(self.samples_seen))

    def _begin_second_step(self) -> None:
        """Leave the backbone as it is, the averaged one if there is one."""
        self._settle()
        self._order.second_began = True
        self.network.load_state_dict(self.graded.state_dict())

    def _settle(self) -> None:
        if self._recent:
            with self.trainer.precision_plugin.forward_context():
                settle_statistics(self.graded, self._recent)
