"""Refuse ranges that nothing can be drawn from, before anything is drawn."""

from __future__ import annotations

from dataclasses import fields
from math import isfinite
from typing import Any

SHARES = ("_share", "_probability")
"""Endings of the fields that say how often something happens."""
SUM_TOLERANCE = 1e-6


def check_ranges(one: Any, signed: tuple[str, ...] = ()) -> None:
    """Check every number and range of a dataclass by its name.

    Parameters
    ----------
    signed
        Lengths that may be negative.

    Raises
    ------
    ValueError
        A value is not finite, a range ends before it begins, a share lies outside 0
        to 1, or a length is not positive.
    """
    for field in fields(one):
        value = getattr(one, field.name)
        values = value if isinstance(value, tuple) else (value,)
        _check_numbers(one, field.name, values)
        if field.name.endswith("_mm") and field.name not in signed and min(values) < 0:
            _refuse(one, field.name, value, "a length cannot be negative")
        if len(values) == 2 and values[0] > values[1]:
            _refuse(one, field.name, value, "its end lies below its start")


def check_sum(one: Any, name: str) -> None:
    """Check that the shares of a field sum to one.

    Raises
    ------
    ValueError
        They do not.
    """
    shares = getattr(one, name)
    if abs(sum(shares) - 1) > SUM_TOLERANCE:
        _refuse(one, name, shares, f"its shares sum to {sum(shares):g}, not 1")


def _check_numbers(one: Any, name: str, values: tuple[float, ...]) -> None:
    if not all(isfinite(value) for value in values):
        _refuse(one, name, values, "it is not finite")
    if name.endswith(SHARES) and not all(0 <= value <= 1 for value in values):
        _refuse(one, name, values, "a share lies between 0 and 1")


def _refuse(one: Any, name: str, value: object, why: str) -> None:
    raise ValueError(f"{type(one).__name__}.{name} is {value}: {why}")
