"""Numbers on the command line, refused where no work could be done with them."""

from __future__ import annotations

import argparse
import math

from grading.phantom.sets import RESERVED_SEEDS

DEFAULT_ACCURACY = 0.9
"""Wanted among the grades that need no reader."""


def count(text: str) -> int:
    """Read a number of at least one from the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def positive(text: str) -> float:
    """Read a number above zero from the command line."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def not_negative(text: str) -> float:
    """Read a number from zero upwards from the command line."""
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def positive_share(text: str) -> float:
    """Read a number above 0 and up to 1 from the command line."""
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and up to 1")
    return number


def share(text: str) -> float:
    """Read a number from 0 to 1 from the command line."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


def seed(text: str) -> int:
    """Read the seed of something to learn from: none of a set that measures."""
    number = int(text)
    if number in RESERVED_SEEDS or not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(
            f"{text} belongs to a set that measures, or is no seed: take 0 to "
            f"{RESERVED_SEEDS.start - 1}"
        )
    return number
