"""Compute with torch: the GPU as long as its memory suffices, else the CPU."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import nn

from grading.engines.engine import LARGEST_BATCH

log = logging.getLogger(__name__)

CPU = torch.device("cpu")


def device_named(name: str) -> torch.device:
    """Return a device by torch's name for it; ``auto`` is the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def computes_bfloat16() -> bool:
    """Tell whether the processor has instructions for bfloat16.

    Elsewhere it is emulated, ten times slower than single precision. A torch that
    cannot tell what its processor can is taken for one that cannot.
    """
    asked = getattr(torch.cpu, "get_capabilities", dict)
    processor: Mapping[str, object] = asked()
    return bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))


def short_precision(device: torch.device) -> torch.dtype:
    """Return the shortest floats that the device computes fast and well enough.

    A GPU's float16 keeps three bits more than bfloat16, and a bundle's weights are
    stored in float16 anyway.
    """
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if computes_bfloat16() else torch.float32


class TorchEngine:
    """An `Engine` of a torch module.

    Parameters
    ----------
    network
        Returns a tensor or a tuple of tensors, a row for each image. It is moved and
        converted in place.
    short
        Compute in `short_precision` instead of float32.
    largest
        Images in one batch, at most.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        *,
        short: bool = False,
        largest: int = LARGEST_BATCH,
    ) -> None:
        self._network = network.eval().to(memory_format=torch.channels_last)
        self._device = device
        # What falls back keeps every bit on its way to the CPU and home again.
        self._precisions = {device: short_precision(device)} if short else {}
        self._largest = largest
        self._return_to_device()

    @property
    def words(self) -> str:
        """What computes, for a log."""
        precision = str(self._precision(self._device)).removeprefix("torch.")
        return f"torch on {self._device} in {precision}"

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs for a batch.

        Where the GPU's memory does not suffice, smaller batches are tried, then the
        CPU.
        """
        size = min(len(batch), self._largest)
        while True:
            try:
                return self._in_batches(batch, size, self._device)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
            if size == 1:
                return self._on_the_cpu(batch)
            size = (size + 1) // 2
            log.warning("the GPU's memory does not suffice: batches of %d now", size)

    def _on_the_cpu(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        log.warning("the GPU's memory does not hold one image: computing on the CPU")
        self._move(CPU)
        try:
            return self._in_batches(batch, self._largest, CPU)
        finally:
            self._return_to_device()

    def _return_to_device(self) -> None:
        """Go back to the GPU, or stay on the CPU where it has no room any more."""
        try:
            self._move(self._device)
        except torch.OutOfMemoryError:
            self._device = CPU
            self._move(CPU)
            log.warning(
                "the GPU's memory does not hold the network: on the CPU from now on"
            )

    def _move(self, device: torch.device) -> None:
        self._network.to(device, self._precision(device))

    def _precision(self, device: torch.device) -> torch.dtype:
        return self._precisions.get(device, torch.float32)

    @torch.inference_mode()
    def _in_batches(
        self, batch: torch.Tensor, size: int, device: torch.device
    ) -> tuple[torch.Tensor, ...]:
        rows = []
        for part in torch.split(batch, size):
            found = self._network(part.to(device, self._precision(device)))
            outputs = found if isinstance(found, tuple) else (found,)
            rows.append([output.float().cpu() for output in outputs])
        return tuple(torch.cat(output) for output in zip(*rows, strict=True))
