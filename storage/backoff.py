"""How long to wait before the next attempt."""

from __future__ import annotations

import zlib

SPREAD = 0.25
"""A quarter either way keeps what failed together from returning together."""


def delay_seconds(
    attempts: int, key: str, *, first_seconds: float, cap_seconds: float
) -> float:
    """Return the pause after the given number of attempts, doubling up to a cap.

    The spread is derived from ``key``, not from a random source: the same
    attempt of the same thing always waits equally long, and the result never
    exceeds the cap.
    """
    doublings = min(max(attempts - 1, 0), 32)  # far beyond any cap, never an overflow
    fraction = zlib.crc32(f"{key}/{attempts}".encode()) / 2**32
    spread = 1 - SPREAD + 2 * SPREAD * fraction
    return float(min(first_seconds * 2**doublings * spread, cap_seconds))
