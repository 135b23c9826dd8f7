"""Fit the multi-task network to labelled slices."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import multiclass_f1_score

from grading.grades import Finding, Grade
from grading.network import MISSING_GRADE, Head, MultiTaskResNet, multi_task_loss
from grading.preprocess import Preprocessing
from grading.training.augment import augment
from grading.training.samples import LabelledSlice, Regions
from grading.training.settle import settle_statistics

HEADS = tuple(Head(finding.value, len(Grade)) for finding in Finding)
"""The paper's three, in the order of a labelled slice's grades."""

WARM_UP = 0.08
"""Share of the training in which the learning rate rises."""
FINAL_LEARNING_RATE = 0.002
"""Of the largest, at the end."""
GRADIENT_NORM = 5.0
SETTLING_BATCHES = 24
"""Recent batches that the running statistics are taken from before a validation."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""(slices, 1, grid, grid) float32 and (slices, 3) int64."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; goes into the bundle's card.

    The paper trains with Adam for 100 epochs in batches of 16, at a constant
    1e-3 with a weight decay of 1e-4. The defaults here get as far as a few
    epochs from random weights can: larger batches, a rate that rises and falls,
    and a decay that is decoupled and therefore larger.
    """

    preprocessing: Preprocessing
    backbone: str = "resnet50"
    epochs: int = 12
    batch_slices: int = 32
    learning_rate: float = 1e-3
    """The largest of the schedule."""
    weight_decay: float = 0.02
    rotation_deg: float = 8.0
    """On top of the phantom's own 10, so that the paper's 15 are covered."""
    shift_mm: float = 6.0
    """Largest shift of the region along each axis, on top of the phantom's own."""
    validation_batches: int = 200
    """Between two validations; fewer where an epoch has fewer."""
    seed: int = 1
    minutes: float | None = None
    """Ends the training, its learning-rate schedule included, before the epochs."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands, or ended."""

    samples_seen: int
    seconds: float
    validation_macro_f1: Mapping[str, float]


class Fitting(LightningModule):
    """The network with its loss, optimiser and learning-rate schedule."""

    def __init__(self, network: MultiTaskResNet, recipe: Recipe, steps: int) -> None:
        super().__init__()
        self.network = network
        self.samples_seen = 0
        self.validated_at = 0
        """Samples seen when it was last validated."""
        self.validation_macro_f1: dict[str, float] = {}
        self._recipe = recipe
        self._steps = steps
        self._started = time.monotonic()
        self._recent: deque[torch.Tensor] = deque(maxlen=SETTLING_BATCHES)
        self._validated: list[tuple[dict[str, torch.Tensor], torch.Tensor]] = []

    @property
    def progress(self) -> Progress:
        """Return where the training stands."""
        return Progress(
            self.samples_seen,
            time.monotonic() - self._started,
            dict(self.validation_macro_f1),
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with decoupled weight decay."""
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self._recipe.learning_rate,
            weight_decay=self._recipe.weight_decay,
        )

    def on_train_start(self) -> None:
        """Start the clock that the schedule may follow."""
        self._started = time.monotonic()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate from the share of the training that is over."""
        share = self.global_step / self._steps
        if self._recipe.minutes:
            elapsed = time.monotonic() - self._started
            share = max(share, elapsed / (60 * self._recipe.minutes))
            self.trainer.should_stop = self.trainer.should_stop or share >= 1
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self._recipe.learning_rate * schedule(share)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the loss of one augmented batch."""
        slices, grades = batch
        self.samples_seen += len(slices)
        slices = augment(slices, self._recipe.rotation_deg)
        slices = slices.contiguous(memory_format=torch.channels_last)
        self._recent.append(slices)
        logits = self.network(slices)
        loss = multi_task_loss(logits, _by_head(grades))
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def on_validation_start(self) -> None:
        """Settle the running statistics on what was last learned from."""
        if self._recent:
            with self.trainer.precision_plugin.forward_context():
                settle_statistics(self.network, self._recent)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the logits of one batch."""
        slices, grades = batch
        self._validated.append((self.network(slices), grades))

    def on_validation_epoch_end(self) -> None:
        """Log loss and macro-F1 over all validation slices."""
        logits = {
            head.name: torch.cat([one[head.name].float() for one, _ in self._validated])
            for head in HEADS
        }
        targets = _by_head(torch.cat([grades for _, grades in self._validated]))
        self._validated.clear()
        self.validated_at = self.samples_seen
        self.log("validation_loss", multi_task_loss(logits, targets), prog_bar=True)
        for head in HEADS:
            if bool((targets[head.name] == MISSING_GRADE).all()):
                continue  # nothing to be right about
            score = multiclass_f1_score(
                logits[head.name],
                targets[head.name],
                head.grades,
                average="macro",
                ignore_index=MISSING_GRADE,
            )
            self.validation_macro_f1[head.name] = float(score)
            self.log(f"macro_f1_{head.name}", score, prog_bar=True)
        self.log("samples_seen", float(self.samples_seen))


def schedule(share: float) -> float:
    """Return the learning rate, over its largest, after a share of the training."""
    if share < WARM_UP:
        return max(share / WARM_UP, 0.01)
    fallen = min(1.0, (share - WARM_UP) / (1 - WARM_UP))
    cosine = (1 + math.cos(math.pi * fallen)) / 2
    return FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine


class AfterValidation(Callback):
    """Hand out the network after each validation, so that it can be kept."""

    def __init__(self, keep: Callable[[MultiTaskResNet, Progress], None]) -> None:
        self._keep = keep

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the network as it is."""
        if isinstance(pl_module, Fitting) and not trainer.sanity_checking:
            self._keep(pl_module.network, pl_module.progress)


def fit(
    slices: Sequence[LabelledSlice],
    validation: Sequence[LabelledSlice],
    recipe: Recipe,
    log_folder: Path,
    keep: Callable[[MultiTaskResNet, Progress], None],
    start: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Train a network from random weights, or from those that ``start`` gives.

    Parameters
    ----------
    log_folder
        Receives ``metrics.csv``.
    keep
        Called after each validation, the last one at the end of the training, so
        that a training that is stopped has still left something.
    """
    seed_everything(recipe.seed, workers=True, verbose=False)
    network = MultiTaskResNet(recipe.backbone, HEADS)
    if start is not None:
        network.load_state_dict(dict(start))
    network.to(memory_format=torch.channels_last)
    spec = recipe.preprocessing
    training = DataLoader(
        Regions(slices, spec, recipe.shift_mm),
        batch_size=recipe.batch_slices,
        shuffle=True,
        drop_last=len(slices) > recipe.batch_slices,
    )
    validating = DataLoader(Regions(validation, spec), batch_size=recipe.batch_slices)
    fitting = Fitting(network, recipe, steps=len(training) * recipe.epochs)
    with warnings.catch_warnings():
        silence_advice()
        trainer = Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=recipe.epochs,
            val_check_interval=min(recipe.validation_batches, len(training)),
            precision="bf16-mixed",
            gradient_clip_val=GRADIENT_NORM,
            logger=CSVLogger(log_folder, name=None, version=""),
            callbacks=[TQDMProgressBar(refresh_rate=10), AfterValidation(keep)],
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(fitting, training, validating)
        if fitting.validated_at != fitting.samples_seen:
            trainer.validate(fitting, validating, verbose=False)


def _by_head(grades: torch.Tensor) -> dict[str, torch.Tensor]:
    return {head.name: grades[:, i] for i, head in enumerate(HEADS)}


def silence_advice() -> None:
    """Keep Lightning from advertising and from advising more loader workers.

    Samples are cut in the training process on purpose: the slices are in memory
    already, and on a CPU workers would take the cores that the network needs.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*logging interval.*")
    warnings.filterwarnings("ignore", message=".*TensorBoard.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
