"""In which order a training shows its slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, repeat

import torch
from torch import distributed
from torch.utils.data import RandomSampler, Sampler, WeightedRandomSampler

from grading.training.recipe import Recipe
from grading.training.samples import LabelledSlice


class Order(Sampler[int]):
    """All slices of all epochs, another way once the second step has begun.

    Where several processes train together, each goes through the same order and
    takes its part of it.
    """

    def __init__(
        self,
        first: Sampler[int],
        second: Sampler[int],
        slices: int,
        processes: int = 1,
    ) -> None:
        self.slices = slices
        """Of all epochs and all processes together."""
        self.shown = 0
        """How many a training that goes on has shown before it was stopped."""
        self.second_began = False
        """Set by whoever knows how far the training has come."""
        self._first = first
        self._second = second
        self._processes = processes

    def __len__(self) -> int:
        """Return how many slices fall to each process in a whole training."""
        return self.slices // self._processes

    def __iter__(self) -> Iterator[int]:
        """Draw one slice after the other, so that the second step begins at once."""
        rank = distributed.get_rank() if distributed.is_initialized() else 0
        first, second = _endless(self._first), _endless(self._second)
        for number in range(len(self) * self._processes):
            place = next(second if self.second_began else first)
            if number >= self.shown and number % self._processes == rank:
                yield place


def _endless(sampler: Sampler[int]) -> Iterator[int]:
    return chain.from_iterable(repeat(sampler))


def order_for(
    slices: Sequence[LabelledSlice], recipe: Recipe, processes: int = 1
) -> Order:
    """Return the order of a training: as the recipe balances it, then rare grades."""
    return Order(
        sampler_for(slices, recipe.balance, recipe.seed),
        sampler_for(slices, 1.0, recipe.seed),
        len(slices) * recipe.epochs,
        processes,
    )


def sampler_for(
    slices: Sequence[LabelledSlice], balance: float, seed: int
) -> Sampler[int]:
    """Return an order at random: with a balance above 0 rare grades more often."""
    generator = torch.Generator().manual_seed(seed)
    if not balance:
        return RandomSampler(slices, generator=generator)
    weights = torch.ones(len(slices), dtype=torch.float64)
    for column in zip(*(one.grades for one in slices), strict=True):
        # What nobody graded is no rare grade.
        counts = Counter(grade for grade in column if grade is not None)
        rarity = [
            1.0 if grade is None else max(counts.values()) / counts[grade]
            for grade in column
        ]
        weights = torch.maximum(weights, torch.tensor(rarity, dtype=torch.float64))
    weights = weights**balance
    return WeightedRandomSampler(weights.tolist(), len(slices), generator=generator)
