"""How far network input is changed in training; part of the recipe, on the card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from grading.errors import UsageError

SCALE = (0.94, 1.06)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far network input is changed; 0 leaves a part off.

    The paper turns by up to 15 degrees and crops at random, which here is the shift of
    the region; `PAPER` does no more.
    """

    rotation_deg: float = 12.0
    scale: tuple[float, float] = SCALE
    flip: bool = True
    """Left to right; the two roots change places."""
    gamma: tuple[float, float] = (0.75, 1.35)
    curves: float = 0.0
    """Share of the slices whose intensities go through a random rising curve."""
    resolution: float = 0.0
    """Largest share of k-space that is not measured, along each axis by itself."""
    blur_pixels: float = 0.0
    """Largest standard deviation of a Gaussian, in pixels of the network's grid."""
    sharpen: float = 0.0
    """Largest weight of what a blur of one pixel takes away."""
    ghost: float = 0.0
    """Largest strength of a ghost along one axis, as pulsation and swallowing leave."""
    coil: float = 0.0
    """Largest exponent of a smooth field; the percentile window follows."""
    noise: float = 0.03
    """Largest standard deviation, over the region's percentile window."""
    cutout: float = 0.0
    """Share of the slices with a patch blotted out."""


PAPER = Augmentation(
    rotation_deg=15.0, scale=(1.0, 1.0), flip=False, gamma=(1.0, 1.0), noise=0.0
)

BEST = Augmentation(
    rotation_deg=8.0,
    gamma=(0.7, 1.4),
    curves=0.1,
    blur_pixels=0.2,
    coil=0.2,
    noise=0.015,
)
"""Gentle: what decides LCCS is fluid a few pixels wide, and a turn, a blur or noise
takes it away while its grade stays."""


def changed(how: Augmentation, words: Iterable[str]) -> Augmentation:
    """Change an augmentation as the command line says: ``coil=0.3 gamma=0.5:1.8``.

    Raises
    ------
    UsageError
        A word names no part of it, or holds no number that the part can take.
    """
    known = [one.name for one in fields(Augmentation)]
    for word in words:
        name, _, text = word.partition("=")
        if name not in known:
            raise UsageError(
                f"--augment {word}: take NAME=VALUE with one of {', '.join(known)}"
            )
        try:
            how = replace(how, **{name: _value(text, getattr(how, name))})
        except ValueError as error:
            raise UsageError(f"--augment {word}: {error}") from error
    return how


def words_of(how: Augmentation, default: Augmentation) -> list[str]:
    """Return what `changed` must be told to make this of the default."""
    given, usual = asdict(how), asdict(default)
    return [
        f"{name}={_text(value)}"
        for name, value in given.items()
        if value != usual[name]
    ]


def _value(text: str, like: object) -> Any:
    """Read a value of the same kind as another."""
    if isinstance(like, tuple):
        low, high = (_positive(part) for part in text.split(":"))
        if not 0 < low <= high:
            raise ValueError("take LOW:HIGH, both above 0")
        return (low, high)
    if isinstance(like, bool):
        if text not in ("0", "1"):
            raise ValueError("take 0 or 1")
        return text == "1"
    return _positive(text)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{text} is not a number from 0 upwards")
    return number


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ":".join(f"{part:g}" for part in value)
    return f"{value:g}" if isinstance(value, float) else str(int(bool(value)))
