"""The card of a bundle: what its weights are, and what speaks for them.

``card.json`` is read strictly: a key too many or too few is an error, because a
card that was edited by hand and half understood must not grade anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from grading.errors import BundleError
from grading.fields import Fields
from grading.grades import FIRST_LINES, Basis, Finding, Grade
from grading.landmarks.card import LandmarkCard, read_landmark_card
from grading.network import BACKBONES, Head
from grading.preprocess import Preprocessing
from grading.provenance import Provenance, read_provenance
from grading.trust import (
    Result,
    SiteEvaluation,
    Threshold,
    read_evaluation,
    read_result,
    read_thresholds,
)

CARD_NAME = "card.json"
FORMAT_VERSION = 1
VERSION_MARK = "+cal."
"""Between a bundle's version and the hash that tells its calibrations apart."""
HASH_DIGITS = 8
LARGEST_CARD_BYTES = 1_000_000
"""Far more than any card; keeps a wrong file from being read into memory."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights, as it must be found."""

    name: str
    """Inside the bundle's folder."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """Everything about a bundle but its weights."""

    name: str
    version: str
    basis: Basis
    backbone: str
    heads: tuple[Head, ...]
    preprocessing: Preprocessing
    provenance: Provenance
    landmarks: LandmarkCard | None = None
    """None where the bundle finds no landmarks: regions lie at the image centre."""
    calibration: Mapping[str, float] = field(default_factory=dict)
    """Temperature by head, 1 where none was fitted."""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    """By head; a head without one never asks for a reader."""
    evaluation: SiteEvaluation | None = None
    """What the basis "site" rests on."""
    results: tuple[Result, ...] = ()
    files: tuple[WeightFile, ...] = ()
    weights_sha256: str = ""
    """Over the weight files' bytes, one after the other."""
    disclaimer: str = ""
    """The first line of every output; that of the basis where empty."""

    @property
    def calibration_sha256(self) -> str:
        """Identifies all else that grades depend on, as the weights' hash does weights.

        Temperatures, thresholds, what is seen, and when landmarks are believed.
        """
        fitted = {
            "preprocessing": asdict(self.preprocessing),
            "largest_spread_mm": (
                self.landmarks.largest_spread_mm if self.landmarks else None
            ),
            "temperatures": dict(self.calibration),
            "thresholds": {
                name: threshold.probability
                for name, threshold in self.thresholds.items()
            },
        }
        text = json.dumps(fitted, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def of_weights(self, files: tuple[WeightFile, ...], sha256: str) -> Card:
        """Return the card of these weights, without the results of others."""
        results = tuple(
            one
            for one in self.results
            if (one.weights_sha256 or self.weights_sha256 or sha256) == sha256
        )
        return replace(self, files=files, weights_sha256=sha256, results=results)


def named_by_calibration(card: Card) -> Card:
    """Return the card with a version that follows from its calibration.

    Grades of two calibrations are then never taken for the same model's.
    """
    plain = card.version.partition(VERSION_MARK)[0]
    mark = f"{VERSION_MARK}{card.calibration_sha256[:HASH_DIGITS]}"
    return replace(card, version=plain + mark)


def uncovered(card: Card) -> tuple[str, ...]:
    """Return the heads that the site's evaluation says nothing about.

    None where there is no evaluation: then the basis says so for all of them.
    """
    if card.evaluation is None:
        return ()
    known = card.evaluation.figures
    return tuple(head.name for head in card.heads if not known.get(head.name))


def without_evaluation(card: Card) -> Card:
    """Return the card of a bundle that is no longer the one its site has evaluated."""
    basis = Basis.UNEVALUATED if card.basis is Basis.SITE else card.basis
    return replace(card, basis=basis, evaluation=None, disclaimer="")


def check_place(folder: Path) -> None:
    """Check that a bundle may be written there, before the work of making one.

    Raises
    ------
    BundleError
        There is something of that name that is no bundle, or somebody stands in it.
    """
    if folder.resolve() == Path.cwd():
        raise BundleError(
            f"{folder} is the current folder, which a bundle cannot replace; name "
            "another"
        )
    if not folder.exists() or (folder / CARD_NAME).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise BundleError(
            f"{folder} is there and is no bundle; name a folder that is new or empty"
        )


def write_card(folder: Path, card: Card) -> None:
    """Write ``card.json``, the disclaimer as its first line, whole or not at all."""
    fields = asdict(card)
    disclaimer = fields.pop("disclaimer") or FIRST_LINES[card.basis]
    ordered = {"disclaimer": disclaimer, "format_version": FORMAT_VERSION, **fields}
    text = json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False)
    partial = folder / f"{CARD_NAME}.partial"
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / CARD_NAME)


def read_card(folder: Path) -> Card:
    """Read and check ``card.json``.

    Raises
    ------
    BundleError
        There is none, it is not JSON, a key is unknown, missing or of the wrong
        type, or it describes a network that this version cannot build.
    """
    path = folder / CARD_NAME
    try:
        if path.stat().st_size > LARGEST_CARD_BYTES:
            raise BundleError(f"{path} is too large to be a bundle's card")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): name a bundle's folder, "
            "or leave the key out for the shipped one"
        ) from error
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}") from error
    return _card(Fields(path, "", content))


def _card(fields: Fields) -> Card:
    version = fields.whole("format_version")
    if version != FORMAT_VERSION:
        raise fields.wrong("format_version", version, f"{FORMAT_VERSION}")
    card = Card(
        disclaimer=fields.text("disclaimer"),
        name=fields.text("name"),
        version=fields.text("version"),
        basis=_basis(fields),
        backbone=_backbone(fields),
        heads=_heads(fields),
        preprocessing=_preprocessing(fields.fields("preprocessing"), fields),
        calibration=_calibration(fields),
        thresholds=read_thresholds(fields.optional_fields("thresholds")),
        evaluation=read_evaluation(fields.optional_fields("evaluation")),
        files=tuple(_weight_file(one) for one in fields.each("files")),
        weights_sha256=fields.text("weights_sha256"),
        provenance=read_provenance(fields.fields("provenance")),
        landmarks=read_landmark_card(fields.optional_fields("landmarks")),
        results=tuple(read_result(one) for one in fields.each("results")),
    )
    fields.end()
    _check_evaluation(card, fields)
    return card


def _check_evaluation(card: Card, fields: Fields) -> None:
    """Refuse an evaluation of anything but these weights, and a site without one."""
    if card.evaluation is None:
        if card.basis is Basis.SITE:
            raise fields.wrong(
                "evaluation", None, "a site's own: run `lumbar-grading attest`"
            )
        return
    evaluated = (card.evaluation.weights_sha256, card.evaluation.calibration_sha256)
    if evaluated != (card.weights_sha256, card.calibration_sha256):
        raise fields.wrong(
            "evaluation",
            evaluated[0],
            "that of these weights and temperatures: evaluate and attest them anew",
        )


def _basis(fields: Fields) -> Basis:
    text = fields.text("basis")
    if text not in list(Basis):
        raise fields.wrong("basis", text, " or ".join(Basis))
    return Basis(text)


def _backbone(fields: Fields) -> str:
    text = fields.text("backbone")
    if text not in BACKBONES:
        raise fields.wrong("backbone", text, " or ".join(BACKBONES))
    return text


def _heads(fields: Fields) -> tuple[Head, ...]:
    heads = []
    for one in fields.each("heads"):
        heads.append(Head(one.text("name"), one.whole("grades")))
        one.end()
    grades = {head.name: head.grades for head in heads}
    unfit = len(grades) != len(heads) or any(
        count != len(Grade) for count in grades.values()
    )
    if unfit or any(finding.value not in grades for finding in Finding):
        expected = (
            f"{', '.join(Finding)} and names of their own, {len(Grade)} grades each"
        )
        raise fields.wrong("heads", grades, expected)
    return tuple(heads)


def _preprocessing(fields: Fields, card: Fields) -> Preprocessing:
    interpolation = fields.text("interpolation")
    if interpolation != "linear":
        raise fields.wrong("interpolation", interpolation, "'linear'")
    try:
        spec = Preprocessing(
            region_size_mm=fields.number("region_size_mm"),
            grid_pixels=fields.whole("grid_pixels"),
            lower_percentile=fields.number("lower_percentile"),
            upper_percentile=fields.number("upper_percentile"),
            interpolation="linear",
        )
    except ValueError as error:
        raise card.wrong("preprocessing", str(error), "a usable one") from error
    fields.end()
    return spec


def _calibration(fields: Fields) -> Mapping[str, float]:
    temperatures = fields.fields("calibration").numbers()
    if any(temperature <= 0 for temperature in temperatures.values()):
        raise fields.wrong("calibration", temperatures, "positive temperatures")
    return temperatures


def _weight_file(fields: Fields) -> WeightFile:
    name = fields.text("name")
    if Path(name).name != name or not name.endswith(".safetensors"):
        # A card from elsewhere must not make us read outside its folder.
        raise fields.wrong("name", name, "the name of a .safetensors file beside it")
    file = WeightFile(name, fields.text("sha256"), fields.whole("size_bytes"))
    fields.end()
    return file
