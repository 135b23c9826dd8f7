"""Whether a model can guess the phantom's grades without looking at the anatomy.

Usage: ``python benchmarks/phantom_shortcuts.py [--slices N] [--seed S] [--workers W]``;
prints a Markdown table. Needs the extra ``eval``.

Logistic regression and gradient boosting learn the grades of axial T2 slices through
discs, of balanced studies, in five folds that never share a patient. They see

- only headers and positions: geometry, sequence, place in the series, and even the
  level and the distance from the disc's middle, which a reader would have to work out;
- only global intensities: moments, percentiles and a histogram of the whole image;
- only the area of the dural sac;
- headers and intensities, and everything that was measured, with labels shuffled
  between slices;
- everything that was measured, which has to do well: else this proves nothing.

Chance is the better of the best constant guess and of guesses drawn like the labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from grading.grades import Finding, Grade, Level
from grading.phantom.image.scene import Scene
from grading.phantom.image.tissues import draw_constitution
from grading.phantom.measure import SliceTruth, measure
from grading.phantom.prevalence import draw_wanted
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.spine.spine import draw_spine
from grading.phantom.studies.draw import Examination, draw_scanner
from grading.phantom.studies.drawn import DrawnImage, DrawnSeries, Writing
from grading.phantom.studies.habits import HABITS, Role
from grading.phantom.studies.protocol import LUMBAR, plan_series

Values = NDArray[np.float64]
"""(slices, features)."""
Labels = NDArray[np.int64]

FOLDS = 5
ABOVE_CHANCE = 0.05
"""What headers or intensities may have over chance."""
MOST_BY_AREA = 0.80
BATCH = 16
BINS = 32
PERCENTILES = (0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5)
CHANCE_DRAWS = 200
DOMAIN = Domain.INTERNAL


@dataclass(frozen=True, slots=True)
class Slice:
    """What the models may see of one slice."""

    study: int
    level: Level
    grades: tuple[Grade, Grade, Grade]
    header: tuple[float, ...]
    intensities: tuple[float, ...]
    measured: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A set of features, tried on all findings."""

    name: str
    values: Values
    shuffled: bool = False
    at_most: float | None = None
    """Over chance; None where there is no such limit."""


HEADER = (
    "rows",
    "columns",
    "spacing",
    "thickness",
    "slice spacing",
    "TR",
    "TE",
    "tesla",
    "echo train",
    "manner",
    "enhanced",
    "phase along rows",
    "stacks",
    "images",
    "stack",
    "place",
    "place in the stack",
    "centre left",
    "centre back",
    "centre up",
    "normal left",
    "normal back",
    "level",
    "off centre",
)


def main() -> int:
    """Draw the slices, try all models; return 1 where a shortcut is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=3000, metavar="N")
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    slices = draw_slices(parsed.slices, parsed.seed, parsed.workers)
    studies = np.array([one.study for one in slices])
    print(f"{len(slices)} slices of {len(set(studies))} studies, seed {parsed.seed}\n")
    print("| features | finding | chance | logistic | boosting | limit | |")
    print("|---|---|---|---|---|---|---|")
    kept = [
        try_features(trial, finding, slices, parsed.seed)
        for trial in trials(slices)
        for finding in Finding
    ]
    kept.append(try_area(slices, parsed.seed))
    print_leaks(slices)
    return int(not all(kept))


def draw_slices(count: int, seed: int, workers: int) -> list[Slice]:
    """Draw studies until there are so many slices; the same with any workers."""
    slices: list[Slice] = []
    with ProcessPoolExecutor(workers) as pool:
        for start in range(0, count, BATCH):  # every study has a slice or more
            studies = range(start, start + BATCH)
            for found in pool.map(partial(draw_study_slices, seed), studies):
                slices.extend(found)
            print(f"\r{len(slices)} slices", end="", file=sys.stderr, flush=True)
            if len(slices) >= count:
                break
    print(file=sys.stderr)
    return slices[:count]


def draw_study_slices(seed: int, study: int) -> list[Slice]:
    """Draw one balanced study's axial T2 series, as `studies.draw` does."""
    anatomy, planning, scanning = np.random.SeedSequence([seed, study]).spawn(3)
    patient = np.random.default_rng(anatomy)
    wanted = {level: draw_wanted(Prevalence.BALANCED, patient) for level in LUMBAR}
    spine = draw_spine(wanted, patient)
    constitution = draw_constitution(DOMAIN, patient)
    technologist = np.random.default_rng(planning)
    plans = plan_series(spine, DOMAIN, technologist)
    plan = next(one for one in plans if one.role is Role.AXIAL_T2)
    writing, field_tesla = draw_scanner(HABITS[DOMAIN], technologist)
    examination = Examination(
        Scene.of(spine), constitution, DOMAIN, field_tesla, partial(measure, spine)
    )
    series = examination.scan(plan, scanning)
    return [
        Slice(
            study=study,
            level=image.truth.level,
            grades=image.truth.grades,
            header=header_features(series, image, image.truth, writing),
            intensities=intensity_features(image.pixels),
            measured=measured_features(image.truth),
        )
        for image in series.images
        if image.truth is not None
    ]


def header_features(
    series: DrawnSeries, image: DrawnImage, truth: SliceTruth, writing: Writing
) -> tuple[float, ...]:
    """Return what headers say, in the order of `HEADER`."""
    cut, sequence = image.cut, series.sequence
    stacks = [one.stack for one in series.images]
    return (
        cut.rows,
        cut.columns,
        cut.spacing_mm[0],
        series.thickness_mm,
        series.spacing_mm,
        sequence.repetition_ms,
        sequence.echo_ms,
        sequence.field_tesla,
        sequence.echo_train,
        ord(writing.manner.letter),
        writing.enhanced,
        series.phase_along_rows,
        len(set(stacks)),
        len(stacks),
        image.stack,
        image.place,
        image.place / stacks.count(image.stack),
        *cut.centre_mm,
        *cut.normal[:2],
        list(Level).index(truth.level),
        truth.off_centre_mm,
    )


def intensity_features(pixels: NDArray[np.float32]) -> tuple[float, ...]:
    """Return moments, percentiles and a histogram of a whole image."""
    levels = np.percentile(pixels, PERCENTILES)
    counts, _ = np.histogram(pixels / max(levels[-1], 1.0), BINS, (0.0, 1.0))
    return (
        float(pixels.mean()),
        float(pixels.std()),
        float(pixels.std() / max(float(pixels.mean()), 1e-6)),
        *(float(one) for one in levels),
        *(float(one) for one in levels / max(levels[-1], 1.0)),
        *(float(one) / pixels.size for one in counts),
    )


def measured_features(truth: SliceTruth) -> tuple[float, ...]:
    """Return everything that was measured; the sac's area comes first."""
    return (
        truth.sac_area_mm2,
        truth.herniation_share,
        truth.anterior_fluid_mm,
        truth.aggregation,
        *(
            value
            for root in (truth.right, truth.left)
            for value in (
                root.gap_mm,
                root.shift_mm,
                root.wall_gap_mm,
                root.thickness_share,
            )
        ),
    )


def trials(slices: Sequence[Slice]) -> Iterator[Trial]:
    """Yield the feature sets that are tried on every finding."""
    header = np.array([one.header for one in slices], np.float64)
    intensities = np.array([one.intensities for one in slices], np.float64)
    measured = np.array([one.measured for one in slices], np.float64)
    everything = np.hstack([header, intensities, measured])
    yield Trial("headers, positions", header, at_most=ABOVE_CHANCE)
    yield Trial("global intensities", intensities, at_most=ABOVE_CHANCE)
    yield Trial("all, labels shuffled", everything, True, ABOVE_CHANCE)
    yield Trial("all (control)", everything)


def try_features(
    trial: Trial, finding: Finding, slices: Sequence[Slice], seed: int
) -> bool:
    """Print a row of the table; return whether its limit is kept."""
    labels = labels_of(slices, finding)
    if trial.shuffled:
        labels = np.random.default_rng(seed).permutation(labels)
    chance = chance_f1(labels, seed)
    scores = [
        cross_validated(model, trial.values, labels, slices, seed)
        for model in models(seed)
    ]
    limit = None if trial.at_most is None else chance + trial.at_most
    return print_row(trial.name, finding, chance, scores, limit)


def try_area(slices: Sequence[Slice], seed: int) -> bool:
    """Print how far the sac's area alone tells the stenosis."""
    labels = labels_of(slices, Finding.LCCS)
    area = np.array([one.measured[:1] for one in slices])
    scores = [
        cross_validated(model, area, labels, slices, seed) for model in models(seed)
    ]
    chance = chance_f1(labels, seed)
    return print_row("area of the sac", Finding.LCCS, chance, scores, MOST_BY_AREA)


def print_row(
    name: str,
    finding: Finding,
    chance: float,
    scores: Sequence[float],
    limit: float | None,
) -> bool:
    """Print a row of the table; return whether no score is above the limit."""
    kept = limit is None or max(scores) <= limit
    shown = " | ".join(f"{score:.3f}" for score in scores)
    most = "" if limit is None else f"{limit:.3f}"
    verdict = "" if kept else "above"
    print(f"| {name} | {finding} | {chance:.3f} | {shown} | {most} | {verdict} |")
    return kept


def models(seed: int) -> tuple[BaseEstimator, BaseEstimator]:
    """Return the two kinds of model."""
    return (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=400)),
        HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.08, max_leaf_nodes=15, random_state=seed
        ),
    )


def cross_validated(
    model: BaseEstimator,
    values: Values,
    labels: Labels,
    slices: Sequence[Slice],
    seed: int,
) -> float:
    """Return macro-F1 of predictions for slices of patients never trained on."""
    studies = np.array([one.study for one in slices])
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    predicted = np.zeros_like(labels)
    for train, test in folds.split(values, labels, studies):
        model.fit(values[train], labels[train])
        predicted[test] = model.predict(values[test])
    return macro_f1(labels, predicted)


def chance_f1(labels: Labels, seed: int) -> float:
    """Return the better of the best constant guess and of guesses like the labels."""
    rng = np.random.default_rng(seed)
    constant = max(macro_f1(labels, np.full_like(labels, one)) for one in set(labels))
    drawn = [macro_f1(labels, rng.permutation(labels)) for _ in range(CHANCE_DRAWS)]
    return max(constant, float(np.mean(drawn)))


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Return the mean F1 of the grades."""
    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def labels_of(slices: Sequence[Slice], finding: Finding) -> Labels:
    """Return (slices,) the grades of one finding."""
    index = list(Finding).index(finding)
    return np.array([int(one.grades[index]) for one in slices])


def print_leaks(slices: Sequence[Slice]) -> None:
    """Print the features that go with a grade most, by rank correlation."""
    header = np.array([one.header for one in slices], np.float64)
    print("\nrank correlation of header features with grades, the largest:\n")
    for finding in Finding:
        labels = labels_of(slices, finding)
        found = sorted(
            (
                (rank_correlation(column, labels), name)
                for column, name in zip(header.T, HEADER, strict=True)
            ),
            key=lambda pair: -abs(pair[0]),
        )
        shown = ", ".join(f"{name} {value:+.2f}" for value, name in found[:5])
        print(f"- {finding}: {shown}")
    for level in Level:
        held = [one for one in slices if one.level is level]
        means = (
            [np.mean(labels_of(held, finding)) for finding in Finding] if held else []
        )
        shown = ", ".join(f"{mean:.2f}" for mean in means)
        print(f"- {level}: {len(held)} slices, mean grades {shown}")


def rank_correlation(one: Values, other: Labels) -> float:
    """Return Spearman's coefficient, 0 where a side is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


if __name__ == "__main__":
    raise SystemExit(main())
