"""What a training runs on and where it notes how it goes; none of it is learned."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from grading.engines.on_torch import computes_bfloat16
from grading.errors import UsageError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""In Lightning's words."""
GRADIENT_NORM = 5.0
MOST_READERS = 8
"""Processes that cut slices for one device; more than a GPU could ask of them."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """On how many devices of how many hosts, and in what arithmetic."""

    devices: int = 1
    """Of each host; GPUs where there are any, else processes on its CPU."""
    hosts: int = 1
    precision: Precision | None = None
    """What suits the device where None."""
    resume: bool = False
    """Go on with a training that was stopped."""

    @property
    def processes(self) -> int:
        """Return how many share each batch."""
        return self.devices * self.hosts

    @property
    def arithmetic(self) -> Precision:
        """Return the precision that is used."""
        return self.precision or usual_precision()

    def share_of(self, batch_slices: int) -> int:
        """Return how many slices of a batch each device gets.

        Raises
        ------
        UsageError
            They cannot be shared out evenly.
        """
        if batch_slices % self.processes:
            raise UsageError(
                f"--batch {batch_slices} cannot be shared by {self.processes} devices: "
                "take a multiple"
            )
        return batch_slices // self.processes

    def readers(self) -> int:
        """Return how many processes cut slices: none on a CPU, which has other work.

        The slices are in memory already, and each reader sees the same memory.
        """
        if not torch.cuda.is_available():
            return 0
        return min(MOST_READERS, (os.cpu_count() or 1) // self.devices)


def usual_precision() -> Precision:
    """Return bfloat16 on a GPU and where the processor computes in it."""
    fast = torch.cuda.is_available() or computes_bfloat16()
    return "bf16-mixed" if fast else "32-true"


def make_trainer(
    machinery: Machinery,
    log_folder: Path,
    validation_batches: int,
    heads_alone: bool,
    callbacks: Sequence[Callback],
) -> Trainer:
    """Return what runs a training: one pass over an order that holds all epochs.

    Parameters
    ----------
    heads_alone
        Some weights get no gradient for a part of the training.
    """
    run = run_name(log_folder) if machinery.resume else ""
    distributed = "ddp_find_unused_parameters_true" if heads_alone else "ddp"
    return Trainer(
        accelerator="auto",
        devices=machinery.devices,
        num_nodes=machinery.hosts,
        strategy=distributed if machinery.processes > 1 else "auto",
        # Each process takes its own part of the order.
        use_distributed_sampler=False,
        max_epochs=1,
        val_check_interval=validation_batches,
        precision=machinery.arithmetic,
        gradient_clip_val=GRADIENT_NORM,
        logger=[
            CSVLogger(log_folder, name=None, version=run),
            TensorBoardLogger(log_folder, name=None, version=run),
        ],
        callbacks=[TQDMProgressBar(refresh_rate=10), *callbacks],
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def run_name(log_folder: Path) -> str:
    """Return what the logs of a resumed training are called: nothing is overwritten."""
    number = 1
    while (log_folder / f"resumed-{number}").exists():
        number += 1
    return f"resumed-{number}"


def silence_advice() -> None:
    """Keep Lightning from advertising and from advising more loader workers.

    Samples are cut in the training process on purpose: the slices are in memory
    already, and on a CPU workers would take the cores that the network needs. That
    the order goes on where it was stopped is ours to see to (`Order`), and all
    processes validate the same slices.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for advice in (
        "does not have many workers",
        "logging interval",
        "TensorBoard",
        "ended before the epoch ended",
        "sync_dist=True",
    ):
        warnings.filterwarnings("ignore", message=f".*{advice}.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


def hardware(machinery: Machinery) -> str:
    """Say what trained, without saying which machine."""
    words = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    return f"{machinery.processes} x {words}" if machinery.processes > 1 else words


def processor() -> str:
    """Say which kind of CPU trained."""
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} of {os.cpu_count()} cores"
