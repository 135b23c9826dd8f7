"""Compute with ONNX Runtime on the CPU, from the same weights.

torch exports the network when it is first needed; that takes many seconds, so the
file is kept. It is no second set of weights: whatever it computes is compared with
torch before it is used, and a file that computes something else is made anew.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from grading.engines.engine import LARGEST_BATCH
from grading.errors import EngineError

log = logging.getLogger(__name__)

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
INPUT = "regions"
CHECKED_IMAGES = 2
LARGEST_DIFFERENCE = 1e-3
"""Between two engines in float32, of the largest output; rounding makes 1e-6."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Where an exported network is kept."""

    folder: Path
    """Made if it is missing; holds one network, that of the last bundle."""
    weights_sha256: str

    @property
    def path(self) -> Path:
        """The file, named by all that it depends on."""
        return self.folder / f"{self.weights_sha256}-torch-{torch.__version__}.onnx"


def require_packages() -> None:
    """Refuse to go on without the packages of this engine.

    Raises
    ------
    EngineError
        Names those that are missing, and where they are to be had.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise EngineError(
            f"the engine 'onnx' needs {', '.join(missing)}: install "
            "'lumbar-node[serve-onnx]', or set `[model] engine = \"torch\"`"
        )


class OnnxEngine:
    """An `Engine` of an exported network."""

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # The administrator limits both in one way: OMP_NUM_THREADS or CPUAffinity.
        options.intra_op_num_threads = torch.get_num_threads()
        self._session: Any = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    @property
    def words(self) -> str:
        """What computes, for a log."""
        return "ONNX Runtime on cpu in float32"

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs for a batch."""
        rows = [
            torch.from_numpy(self._session.run(None, {INPUT: part.numpy()})[0])
            for part in torch.split(batch, LARGEST_BATCH)
        ]
        return (torch.cat(rows),)


def onnx_engine(
    network: nn.Module, grid_pixels: int, cache: Cache | None
) -> OnnxEngine:
    """Return an engine that computes what a network computes.

    Parameters
    ----------
    network
        On the CPU in float32; takes (slices, 1, grid, grid), returns one tensor.

    Raises
    ------
    EngineError
        A package is missing, or ONNX Runtime computes something else than torch.
    """
    require_packages()
    random = torch.Generator().manual_seed(1)
    shape = (CHECKED_IMAGES, 1, grid_pixels, grid_pixels)
    probe = torch.rand(shape, generator=random)
    kept = _kept(cache, network, probe)
    if kept is not None:
        return kept
    log.info("exporting the network for ONNX Runtime")
    model = _export(network, grid_pixels)
    engine = OnnxEngine(model)
    if not _agrees(engine, network, probe):
        raise EngineError(
            "ONNX Runtime computes something else than torch on this machine; set "
            '`[model] engine = "torch"`'
        )
    if cache is not None:
        _keep(cache, model)
    return engine


def _kept(
    cache: Cache | None, network: nn.Module, probe: torch.Tensor
) -> OnnxEngine | None:
    """Return the engine of a kept file, None where there is none or it is unfit."""
    if cache is None or not cache.path.exists():
        return None
    try:
        engine = OnnxEngine(cache.path.read_bytes())
        if _agrees(engine, network, probe):
            return engine
        reason = "computes something else than the bundle"
    except Exception as error:  # noqa: BLE001 (ONNX Runtime's errors have no base)
        reason = f"cannot be used ({type(error).__name__})"
    log.warning("%s %s; exporting the network anew", cache.path, reason)
    return None


@torch.inference_mode()
def _agrees(engine: OnnxEngine, network: nn.Module, probe: torch.Tensor) -> bool:
    (found,), expected = engine(probe), network(probe)
    if found.shape != expected.shape:
        return False
    bound = LARGEST_DIFFERENCE * float(expected.abs().max().clamp(min=1))
    return bool(((found - expected).abs() <= bound).all())


def _export(network: nn.Module, grid_pixels: int) -> bytes:
    # Two slices, because a batch of one would be exported as one for ever.
    example = torch.zeros(2, 1, grid_pixels, grid_pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own use of torch
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            dynamic_shapes=({0: torch.export.Dim("slices")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise EngineError('torch exported nothing; set `[model] engine = "torch"`')
    model: bytes = program.model_proto.SerializeToString()
    return model


def _keep(cache: Cache, model: bytes) -> None:
    """Keep a file whole or not at all, and drop those of earlier bundles.

    A full disk costs the next start some seconds and nothing else.
    """
    partial = cache.path.with_suffix(f".{os.getpid()}.partial")
    try:
        cache.folder.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(model)
        partial.replace(cache.path)
        for other in cache.folder.glob("*.onnx"):
            if other != cache.path:
                other.unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        log.warning(
            "%s: the exported network cannot be kept: %s", cache.folder, error.strerror
        )
