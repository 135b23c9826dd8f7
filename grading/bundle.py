"""Load, save and verify a bundle: a folder of weights with a card.

Weights are stored in half precision, in files small enough for any code host.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from grading.card import Card, WeightFile, check_place, read_card, write_card
from grading.errors import BundleError
from grading.grades import Basis, ModelIdentity
from grading.landmarks.locator import HeatmapLocator
from grading.landmarks.network import LandmarkNetwork
from grading.network import MultiTaskResNet

LARGEST_FILE_BYTES = 16_000_000
LARGEST_BUNDLE_BYTES = 50_000_000

LANDMARKS = "landmarks."
"""Before the names of the landmark networks' weights."""
RUNNING_STATISTICS = ("running_mean", "running_var")
"""Kept in float32: a variance can exceed what half precision holds."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, its weights ready to load."""

    card: Card
    state_dict: Mapping[str, torch.Tensor]
    """Float32, by the names of `grading.network.MultiTaskResNet`."""
    path: Path
    landmarks: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Float32, by the names of `grading.landmarks.network.LandmarkNetwork` after
    ``landmarks.axial.`` or ``landmarks.sagittal.``; empty where there are none."""

    @property
    def identity(self) -> ModelIdentity:
        """Which bundle this is, for whoever reads its grades."""
        return ModelIdentity(
            name=self.card.name,
            version=self.card.version,
            sha256=self.card.weights_sha256,
            basis=self.card.basis,
        )


def shipped_bundle_path() -> Path:
    """Return the folder of the bundle that comes with this package."""
    return Path(str(resources.files("grading") / "bundles" / "phantom"))


def accept(bundle: Bundle, accept_phantom: bool) -> None:
    """Refuse a bundle that nobody has agreed to.

    Raises
    ------
    BundleError
        No site's evaluation speaks for it, and the configuration does not accept
        that.
    """
    basis = bundle.card.basis
    if basis is not Basis.SITE and not accept_phantom:
        raise BundleError(
            f"bundle '{bundle.card.name}' in {bundle.path} {_OBJECTIONS[basis]}. To "
            "run with it nevertheless, set `[model] accept_phantom_bundle = true`"
        )


_OBJECTIONS = {
    Basis.PHANTOM: (
        "learned from a computer-made phantom only: its grades check the software "
        "and say nothing about a patient"
    ),
    Basis.UNEVALUATED: (
        "has no site's own evaluation: nobody knows what its grades are worth. "
        "Evaluate it and have somebody attest that (`lumbar-grading attest`)"
    ),
}


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every byte of its weights.

    Raises
    ------
    BundleError
        The card is unfit (see `grading.card.read_card`), a file is missing, too
        large, or not the one that the card describes, or the weights are not
        those of the network on the card.
    """
    card = read_card(folder)
    if not card.files:
        raise BundleError(f"{folder / 'card.json'}: `files` is empty")
    if sum(file.size_bytes for file in card.files) > LARGEST_BUNDLE_BYTES:
        raise BundleError(
            f"{folder}: the weights exceed {LARGEST_BUNDLE_BYTES} bytes in all"
        )
    every_file = hashlib.sha256()
    state_dict: dict[str, torch.Tensor] = {}
    for file in card.files:
        content = _verified(folder, file)
        every_file.update(content)
        state_dict.update(_tensors(folder / file.name, content))
    if every_file.hexdigest() != card.weights_sha256:
        raise BundleError(
            f"{folder / 'card.json'}: `weights_sha256` is {card.weights_sha256}, but "
            f"the files together have {every_file.hexdigest()}; install the bundle anew"
        )
    landmarks = {
        name: state_dict.pop(name)
        for name in list(state_dict)
        if name.startswith(LANDMARKS)
    }
    _check_fit(card, state_dict | landmarks, folder)
    return Bundle(card, state_dict, folder, landmarks)


def save_bundle(folder: Path, weights: Mapping[str, torch.Tensor], card: Card) -> Card:
    """Write a bundle, in place of the one that may be there.

    Parameters
    ----------
    card
        Its files and hashes are filled in; results of other weights are left out.

    Returns
    -------
    Card
        As written.

    Raises
    ------
    BundleError
        The weights do not fit into the sizes that a bundle may have, or something
        else than a bundle lies there.
    """
    check_place(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # In one order, so that the same weights have the same hash wherever they come from.
    stored = {name: _stored(name, weights[name]) for name in sorted(weights)}
    shards = list(_shards(stored))
    every_file = hashlib.sha256()
    files: list[WeightFile] = []
    for number, shard in enumerate(shards, start=1):
        content = save_safetensors(shard)
        every_file.update(content)
        name = f"weights-{number}-of-{len(shards)}.safetensors"
        (partial / name).write_bytes(content)
        files.append(
            WeightFile(name, hashlib.sha256(content).hexdigest(), len(content))
        )
    written = card.of_weights(tuple(files), every_file.hexdigest())
    write_card(partial, written)
    _check_sizes(files)
    former = folder.with_name(folder.name + ".former")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    partial.rename(folder)
    shutil.rmtree(former, ignore_errors=True)
    return read_card(folder)


def landmark_weights(plane: str, network: LandmarkNetwork) -> dict[str, torch.Tensor]:
    """Return a network's weights under the names that a bundle keeps them by."""
    return {
        f"{LANDMARKS}{plane}.{name}": tensor
        for name, tensor in network.state_dict().items()
    }


def weights_of_plane(bundle: Bundle, plane: str) -> dict[str, torch.Tensor]:
    """Return what a landmark network loads; nothing where the bundle has none."""
    prefix = f"{LANDMARKS}{plane}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in bundle.landmarks.items()
        if name.startswith(prefix)
    }


def locator_of(bundle: Bundle, device: torch.device) -> HeatmapLocator | None:
    """Return what finds landmarks with a bundle's networks, None where it has none."""
    card = bundle.card.landmarks
    if card is None:
        return None
    networks = []
    for plane, spec in (("axial", card.axial), ("sagittal", card.sagittal)):
        network = LandmarkNetwork(spec)
        network.load_state_dict(weights_of_plane(bundle, plane))
        networks.append((spec, network))
    axial, sagittal = networks
    return HeatmapLocator(axial, sagittal, device)


def _verified(folder: Path, file: WeightFile) -> bytes:
    path = folder / file.name
    cure = "install the bundle anew"
    try:
        found_bytes = path.stat().st_size
        if found_bytes != file.size_bytes or found_bytes > LARGEST_FILE_BYTES:
            raise BundleError(
                f"{path} has {found_bytes} bytes, expected {file.size_bytes} "
                f"and at most {LARGEST_FILE_BYTES}; {cure}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}); {cure}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise BundleError(f"{path} has SHA-256 {found}, expected {file.sha256}; {cure}")
    return content


def _tensors(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    try:
        stored: dict[str, torch.Tensor] = load_safetensors(content)
    except SafetensorError as error:
        raise BundleError(f"{path} is not a safetensors file: {error}") from error
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in stored.items()
    }


def _check_fit(
    card: Card, state_dict: Mapping[str, torch.Tensor], folder: Path
) -> None:
    """Refuse weights that are not those of the networks on the card."""
    with torch.device("meta"):
        expected = dict(MultiTaskResNet(card.backbone, card.heads).state_dict())
        if marks := card.landmarks:
            expected |= landmark_weights("axial", LandmarkNetwork(marks.axial))
            expected |= landmark_weights("sagittal", LandmarkNetwork(marks.sagittal))
    for name in sorted(expected.keys() ^ state_dict.keys()):
        where = "missing" if name in expected else "unknown"
        raise BundleError(
            f"{folder}: weight {name} is {where} for {card.backbone} with heads "
            f"{', '.join(head.name for head in card.heads)}; train the bundle anew"
        )
    for name, tensor in expected.items():
        if tensor.shape != state_dict[name].shape:
            raise BundleError(
                f"{folder}: weight {name} has shape {tuple(state_dict[name].shape)}, "
                f"expected {tuple(tensor.shape)}; train the bundle anew"
            )


def _stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor as it goes into a file."""
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point() or name.endswith(RUNNING_STATISTICS):
        return tensor
    half = tensor.half()
    if not bool(half.isfinite().all()):
        raise BundleError(f"weight {name} does not fit into half precision")
    return half


def _shards(
    tensors: Mapping[str, torch.Tensor],
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the tensors in order, as many together as a file may hold."""
    # The header names each tensor; 64 kB are ample for a ResNet-50's.
    room_bytes = LARGEST_FILE_BYTES - 64_000
    shard: dict[str, torch.Tensor] = {}
    filled_bytes = 0
    for name, tensor in tensors.items():
        if shard and filled_bytes + tensor.nbytes > room_bytes:
            yield shard
            shard, filled_bytes = {}, 0
        shard[name] = tensor
        filled_bytes += tensor.nbytes
    yield shard


def _check_sizes(files: list[WeightFile]) -> None:
    total_bytes = sum(file.size_bytes for file in files)
    too_large = [file.name for file in files if file.size_bytes > LARGEST_FILE_BYTES]
    if too_large or total_bytes > LARGEST_BUNDLE_BYTES:
        raise BundleError(
            f"the weights take {total_bytes} bytes, files {too_large} too many: "
            f"at most {LARGEST_FILE_BYTES} each and {LARGEST_BUNDLE_BYTES} in all"
        )
