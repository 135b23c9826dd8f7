"""Fit a landmark network to kept images."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, RandomSampler

from grading.landmarks.heatmaps import single_peaks
from grading.landmarks.network import (
    OUTPUT_STRIDE,
    LandmarkNetwork,
    LandmarkSpec,
    as_input,
)
from grading.training.looks import UNKNOWN, Disturbance, Kept, Looks, disturbed
from grading.training.machinery import silence_advice
from grading.training.rate import schedule

TARGET_MM = 3.0
"""Standard deviation of the hill that a heatmap has at its point."""
FOCUS = 2.0
"""Exponent by which easy pixels count less where a heatmap has many places."""
FLAG_WEIGHT = 0.5
GRADIENT_NORM = 5.0
STILL = Disturbance(
    rotation_deg=0.0,
    scale=(1.0, 1.0),
    shift_mm=0.0,
    flip=False,
    gamma=(1.0, 1.0),
    bias=0.0,
    remap_share=0.0,
    noise=0.0,
    blur_mm=0.0,
    patches=0.0,
)
"""No disturbance: what a validation sees."""


@dataclass(frozen=True, slots=True)
class LandmarkRecipe:
    """How a landmark network is trained; goes into the bundle's card."""

    steps: int
    batch_looks: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    validation_steps: int = 400
    """Between two validations."""
    seed: int = 1
    minutes: float | None = None
    """Ends the training, its schedule included, before the steps."""
    disturbance: Disturbance = field(default_factory=Disturbance)


class _Listed(Dataset[Kept]):
    """Kept images as they are."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self._kept = kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Kept:
        return self._kept[index]


class LandmarkFitting(LightningModule):
    """A landmark network with its loss, optimiser and schedule."""

    def __init__(self, spec: LandmarkSpec, recipe: LandmarkRecipe) -> None:
        super().__init__()
        self.network = LandmarkNetwork(spec)
        self.looks_seen = 0
        self._medians_mm: dict[int, float] = {}
        self._spec = spec
        self._recipe = recipe
        self._started = time.monotonic()
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._validated: list[torch.Tensor] = []

    def errors_mm(self, names: Sequence[str]) -> dict[str, float]:
        """Return the median error on the validation images of each single point.

        A point that none of them shows, and places of which there are many, have none.

        Parameters
        ----------
        names
            Of all heatmaps, in order.
        """
        single = names[self._spec.many :]
        return {single[i]: median for i, median in self._medians_mm.items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with decoupled weight decay."""
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self._recipe.learning_rate,
            weight_decay=self._recipe.weight_decay,
        )

    def transfer_batch_to_device(
        self, batch: list[Kept], device: torch.device, dataloader_idx: int
    ) -> list[Kept]:
        """Leave images where they are: they are cut and disturbed on the CPU."""
        return batch

    def on_train_batch_start(self, batch: list[Kept], batch_idx: int) -> None:
        """Set the learning rate from the share of the training that is over."""
        share = self.global_step / self._recipe.steps
        if self._recipe.minutes:
            elapsed = time.monotonic() - self._started
            share = max(share, elapsed / (60 * self._recipe.minutes))
            self.trainer.should_stop = self.trainer.should_stop or share >= 1
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self._recipe.learning_rate * schedule(share)

    def training_step(self, batch: list[Kept], batch_idx: int) -> torch.Tensor:
        """Return the loss of one disturbed batch."""
        looks = disturbed(batch, self._spec, self._recipe.disturbance, self._generator)
        heatmaps, flags = self.network(as_input(looks.pixels, self._spec.pitch_mm))
        loss = landmark_loss(heatmaps, flags, looks, self._spec)
        self.looks_seen += len(batch)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: list[Kept], batch_idx: int) -> None:
        """Collect how far points of single places are missed, in mm."""
        looks = disturbed(batch, self._spec, STILL, self._generator)
        heatmaps, _ = self.network(as_input(looks.pixels, self._spec.pitch_mm))
        many = self._spec.many
        for maps, points in zip(heatmaps, looks.points, strict=True):
            found = single_peaks(maps[many:].float())
            at = torch.tensor([[peak.column, peak.row] for peak in found])
            missed = (at - points[many:, 0]).norm(dim=1) * self._spec.pitch_mm
            self._validated.append(missed)

    def on_validation_epoch_end(self) -> None:
        """Log the median and the 95th percentile of each point's error."""
        missed = torch.stack(self._validated)
        self._validated.clear()
        for i, column in enumerate(missed.T):
            known = column[column.isfinite()]
            if len(known):
                median = float(known.median())
                worst = float(known.quantile(0.95))
                self._medians_mm[i] = median
                self.log(f"p{i}_median_mm", median, prog_bar=True)
                self.log(f"p{i}_95_mm", worst, prog_bar=True)


def landmark_loss(
    heatmaps: torch.Tensor, flags: torch.Tensor, looks: Looks, spec: LandmarkSpec
) -> torch.Tensor:
    """Return the mean loss of heatmaps and flags over what is known.

    A heatmap of one place is a distribution over its pixels and is compared by
    cross-entropy; one of many places answers for each pixel, with a focal loss
    (Lin et al. 2017, in the form of Zhou et al. 2019 for hills).
    """
    hills = targets(looks.points, spec)
    many = spec.many
    loss = heatmaps.new_zeros(())
    if many:
        loss = loss + _focal(heatmaps[:, :many].float(), hills[:, :many])
    loss = loss + _distribution(heatmaps[:, many:].float(), hills[:, many:])
    known = looks.flags != UNKNOWN
    if bool(known.any()):
        loss = loss + FLAG_WEIGHT * functional.binary_cross_entropy_with_logits(
            flags.float()[known], looks.flags[known]
        )
    return loss


def targets(points: torch.Tensor, spec: LandmarkSpec) -> torch.Tensor:
    """Return the hills, (looks, points, rows, columns), 1 at their tops.

    Parameters
    ----------
    points
        (looks, points, places, 2): x and y in pixels of the look; NaN is no place.
    """
    side = spec.grid_pixels // OUTPUT_STRIDE
    at = torch.arange(side) * OUTPUT_STRIDE + (OUTPUT_STRIDE - 1) / 2
    width = TARGET_MM / spec.pitch_mm
    x, y = points[..., 0, None], points[..., 1, None]
    across = torch.exp(-0.5 * ((at - x) / width) ** 2)
    down = torch.exp(-0.5 * ((at - y) / width) ** 2)
    hills = down[..., :, None] * across[..., None, :]
    return hills.nan_to_num(0.0).amax(dim=2)


def _distribution(logits: torch.Tensor, hills: torch.Tensor) -> torch.Tensor:
    mass = hills.flatten(2)
    total = mass.sum(dim=2)
    known = total > 1e-3
    if not bool(known.any()):
        return logits.sum() * 0.0
    wanted = mass / total.clamp(min=1e-3)[..., None]
    said = functional.log_softmax(logits.flatten(2), dim=2)
    # Less the entropy of the hill itself, so that a perfect answer costs nothing.
    per_point = functional.kl_div(said, wanted, reduction="none").sum(dim=2)
    return per_point[known].mean()


def _focal(logits: torch.Tensor, hills: torch.Tensor) -> torch.Tensor:
    height = torch.sigmoid(logits)
    top = (hills > 0.8).float()
    right = top * (1 - height) ** FOCUS * functional.logsigmoid(logits)
    wrong = (
        (1 - top) * (1 - hills) ** 4 * height**FOCUS * functional.logsigmoid(-logits)
    )
    return -(right + wrong).sum() / top.sum().clamp(min=1.0)


def fit_landmarks(
    kept: Sequence[Kept],
    validation: Sequence[Kept],
    spec: LandmarkSpec,
    recipe: LandmarkRecipe,
    log_folder: Path,
    start: Mapping[str, torch.Tensor] | None = None,
) -> LandmarkFitting:
    """Train a landmark network on the CPU, and measure it.

    Parameters
    ----------
    log_folder
        Receives ``metrics.csv``.
    start
        Weights to go on from; random ones where None.
    """
    seed_everything(recipe.seed, workers=True, verbose=False)
    fitting = LandmarkFitting(spec, recipe)
    if start is not None:
        fitting.network.load_state_dict(start)
    listed = _Listed(kept)
    count = recipe.steps * recipe.batch_looks
    training: DataLoader[Kept] = DataLoader(
        listed,
        batch_size=recipe.batch_looks,
        sampler=RandomSampler(listed, replacement=True, num_samples=count),
        collate_fn=list,
    )
    validating: DataLoader[Kept] = DataLoader(
        _Listed(validation),
        batch_size=32,
        collate_fn=list,
    )
    with warnings.catch_warnings():
        silence_advice()
        trainer = Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            val_check_interval=min(recipe.validation_steps, recipe.steps),
            gradient_clip_val=GRADIENT_NORM,
            logger=CSVLogger(log_folder, name=None, version=""),
            callbacks=[TQDMProgressBar(refresh_rate=20)],
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(fitting, training, validating)
        trainer.validate(fitting, validating, verbose=False)
    return fitting
