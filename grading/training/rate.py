"""The learning rate, from the share of a training that is over."""

from __future__ import annotations

import math

WARM_UP = 0.08
"""Share of the training in which the learning rate rises."""
FINAL_LEARNING_RATE = 0.002
"""Of the largest, at the end."""


def schedule(share: float, second_step: float = 0.0) -> float:
    """Return the learning rate, over its largest, after a share of the training.

    A second step, of the given share, has a rise and a fall of its own.
    """
    if second_step:
        first = 1 - second_step
        second = share >= first
        share = (share - first) / second_step if second else share / first
    if share < WARM_UP:
        return max(share / WARM_UP, 0.01)
    fallen = min(1.0, (share - WARM_UP) / (1 - WARM_UP))
    cosine = (1 + math.cos(math.pi * fallen)) / 2
    return FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine
