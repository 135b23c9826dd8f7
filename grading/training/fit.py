"""Fit the multi-task network to labelled slices."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, RandomSampler, Sampler, WeightedRandomSampler
from torchmetrics.functional.classification import multiclass_f1_score

from grading.grades import Finding, Grade
from grading.network import (
    MISSING_GRADE,
    SIDE_HEADS,
    Head,
    MultiTaskResNet,
    multi_task_loss,
)
from grading.training.augment import augment
from grading.training.recipe import Recipe
from grading.training.samples import TARGETS, LabelledSlice, Regions
from grading.training.settle import settle_statistics
from grading.training.starting import begin_from

HEADS = tuple(Head(finding.value, len(Grade)) for finding in Finding)
"""The paper's three."""
SIDES = tuple(Head(name, len(Grade)) for name in SIDE_HEADS.values())
"""Where somebody graded each root by itself."""

WARM_UP = 0.08
"""Share of the training in which the learning rate rises."""
FINAL_LEARNING_RATE = 0.002
"""Of the largest, at the end."""
GRADIENT_NORM = 5.0
SETTLING_BATCHES = 24
"""Recent batches that the running statistics are taken from before a validation."""

Batch = tuple[torch.Tensor, torch.Tensor]
"""(slices, 1, grid, grid) float32 and (slices, targets) int64, as `Regions` gives
them."""


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
        """Return Adam, its weight decay as the recipe says."""
        adam = torch.optim.AdamW if self._recipe.decoupled_decay else torch.optim.Adam
        return adam(
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
        factor = 1.0 if self._recipe.steady_rate else schedule(share)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self._recipe.learning_rate * factor

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the loss of one augmented batch."""
        slices, grades = batch
        self.samples_seen += len(slices)
        changed = augment(slices, self._recipe.augmentation)
        grades = mirrored_grades(grades, changed.mirrored)
        slices = changed.slices.contiguous(memory_format=torch.channels_last)
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
            name: torch.cat([one[name].float() for one, _ in self._validated])
            for name in self.network.heads
        }
        targets = _by_head(torch.cat([grades for _, grades in self._validated]))
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
    network = MultiTaskResNet(recipe.backbone, heads_for(slices))
    if start is not None:
        begin_from(network, start)
    network.to(memory_format=torch.channels_last)
    spec = recipe.preprocessing
    training = DataLoader(
        Regions(slices, spec, recipe.shift_mm),
        batch_size=recipe.batch_slices,
        sampler=sampler_for(slices, recipe),
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
            precision=_precision(),
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


def heads_for(slices: Sequence[LabelledSlice]) -> tuple[Head, ...]:
    """Return the heads that these slices can teach: sides only where graded."""
    sided = any(root is not None for one in slices for root in one.roots)
    return (*HEADS, *SIDES) if sided else HEADS


def sampler_for(slices: Sequence[LabelledSlice], recipe: Recipe) -> Sampler[int]:
    """Return the order of a training: at random, rare grades more often."""
    if not recipe.balance:
        return RandomSampler(slices)
    weights = torch.ones(len(slices), dtype=torch.float64)
    for column in zip(*(one.grades for one in slices), strict=True):
        # What nobody graded is no rare grade.
        counts = Counter(grade for grade in column if grade is not None)
        rarity = [
            1.0 if grade is None else max(counts.values()) / counts[grade]
            for grade in column
        ]
        weights = torch.maximum(weights, torch.tensor(rarity, dtype=torch.float64))
    weights = weights**recipe.balance
    return WeightedRandomSampler(weights.tolist(), len(slices))


def _precision() -> Literal["bf16-mixed", "32-true"]:
    """Return bfloat16 on a GPU and where the processor computes in it.

    Elsewhere it is emulated, ten times slower than single precision. A torch that
    cannot tell what its processor can is taken for one that cannot.
    """
    asked = getattr(torch.cpu, "get_capabilities", dict)
    processor: Mapping[str, object] = asked()
    fast = processor.get("avx512_bf16") or processor.get("amx_bf16")
    return "bf16-mixed" if fast or torch.cuda.is_available() else "32-true"


def _by_head(grades: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: grades[:, i] for i, name in enumerate(TARGETS)}


def mirrored_grades(grades: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Return grades whose roots have changed places where a slice was mirrored."""
    right, left = (TARGETS.index(name) for name in SIDE_HEADS.values())
    order = list(range(len(TARGETS)))
    order[right], order[left] = left, right
    return torch.where(mirrored[:, None], grades[:, order], grades)


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
