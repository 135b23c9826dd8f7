"""One evaluation: every figure of every finding, for all cases and for groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from grading.evaluation.cases import Cases, Per, Rows
from grading.evaluation.demographics import Demographics, demographics
from grading.evaluation.flow import Flow, flow
from grading.evaluation.scores import Scores
from grading.evaluation.scoring import bootstrap
from grading.evaluation.selection import outcomes
from grading.grades import Finding

ALL = "all"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How intervals are drawn: the same numbers give the same intervals."""

    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that are looked at by themselves."""

    kind: str
    """``ALL``, ``site`` or ``scanner``."""
    name: str
    per: Per
    scores: Mapping[Finding, Scores]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that a report says."""

    cases: Cases
    sampling: Sampling
    flow: Flow
    demographics: tuple[Demographics, ...]
    groups: tuple[Group, ...]
    """All cases per slice and per level first, then sites, then scanners."""

    def whole(self, per: Per) -> Group:
        """Return the group of all cases."""
        return next(
            group for group in self.groups if group.kind == ALL and group.per is per
        )


def evaluate(cases: Cases, sampling: Sampling) -> Evaluation:
    """Compare predictions with references, per slice and per level."""
    return Evaluation(
        cases=cases,
        sampling=sampling,
        flow=flow(cases),
        demographics=demographics(cases),
        groups=tuple(_groups(cases, sampling)),
    )


def _groups(cases: Cases, sampling: Sampling) -> Iterator[Group]:
    for kind, name, rows in _divisions(cases):
        some = cases.take(rows)
        for per in Per:
            yield Group(kind, name, per, _scores(some, per, sampling))


def _divisions(cases: Cases) -> Iterator[tuple[str, str, Rows]]:
    """Yield all cases, then every site and scanner where there is more than one."""
    yield ALL, ALL, np.ones(len(cases), bool)
    for kind, words in (("site", cases.sites), ("scanner", cases.scanners)):
        present = words.present()
        for name, rows in present.items() if len(present) > 1 else ():
            yield kind, name, rows


def _scores(cases: Cases, per: Per, sampling: Sampling) -> dict[Finding, Scores]:
    return {
        finding: bootstrap(
            outcomes(cases, finding, per),
            seed=sampling.seed,
            resamples=sampling.resamples,
        )
        for finding in Finding
    }
