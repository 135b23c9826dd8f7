"""Weights that a training starts from: a bundle's, or those of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from grading.bundle import Bundle
from grading.errors import BundleError
from grading.network import MultiTaskResNet

UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
    SafetensorError,
    UnpicklingError,
)
"""What torch and safetensors raise at a file that is empty, cut off or foreign."""


@dataclass(frozen=True, slots=True)
class Start:
    """Weights to start from: a bundle's, or a file's."""

    weights: Mapping[str, torch.Tensor]
    words: str
    """What they are, for the card."""
    bundle: Bundle | None = None


def start_from_bundle(bundle: Bundle) -> Start:
    """Return the weights of a bundle to start from."""
    card = bundle.card
    words = (
        f"{card.name} {card.version}, weights {card.weights_sha256}, which learned "
        f"from: {card.provenance.labelled_slices}"
    )
    return Start(bundle.state_dict, words, bundle)


def start_from_file(path: Path) -> Start:
    """Return the weights of a torchvision ResNet's state dict to start from.

    Raises
    ------
    BundleError
        The file cannot be read as one.
    """
    try:
        if path.suffix == ".safetensors":
            found: object = load_file(path)
        else:
            # Nothing but tensors is unpickled.
            found = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        # Not torch's own words: they advise to unpickle whatever the file holds.
        reason = isinstance(error, OSError) and error.strerror
        raise BundleError(
            f"{path} is not a state dict ({reason or type(error).__name__}); save it "
            "with torch.save or as safetensors"
        ) from error
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in found.items()
    ):
        raise BundleError(
            f"{path} holds more or other than tensors by name; save the `state_dict()` "
            "of the network alone"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Start(dict(found), f"a ResNet's weights, file sha256 {digest}")


def begin_from(network: MultiTaskResNet, start: Mapping[str, torch.Tensor]) -> None:
    """Load the weights that a network shares with another; other heads stay random.

    Parameters
    ----------
    start
        By the names of `MultiTaskResNet`, or those of torchvision's ResNet.

    Raises
    ------
    BundleError
        They are not those of this backbone.
    """
    own = network.state_dict()
    named = {
        name if name.startswith(("backbone.", "heads.")) else f"backbone.{name}": tensor
        for name, tensor in start.items()
    }
    fitting = {
        name: tensor
        for name, tensor in named.items()
        if name in own and own[name].shape == tensor.shape
    }
    missing = [
        name for name in own if name.startswith("backbone.") and name not in fitting
    ]
    if missing:
        raise BundleError(
            f"the weights to start from have no fitting {missing[0]}: they are of "
            "another backbone; name it with --backbone"
        )
    network.load_state_dict(own | fitting)
