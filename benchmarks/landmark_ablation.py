"""What the landmarks' way to real slices depends on: parts switched off one at a time.

Usage::

    python -m benchmarks.landmark_ablation --lessons FOLDER --external FOLDER \
        --rsna STUDY_FOLDER --steps 400

Each axial network but the last starts from the same weights and sees equally many
looks; only the named part of its training is missing. The last one misses nothing and
has another seed: what differs by no more than that may be chance. Printed is the
distance of the region's centre from where it should lie, on phantoms of the external
domain (``--external``: the validation lessons of `lumbar-grading lessons --domain
external`) and on the marked slices of one RSNA study with twenty variants of each
(`benchmarks.real_slices`).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.real_slices import (
    VARIANTS,
    Marked,
    away_mm,
    recesses,
    region_centre,
    vary,
)
from grading.landmarks.locator import HeatmapLocator
from grading.landmarks.network import AXIAL, SAGITTAL, LandmarkNetwork
from grading.phantom.slices import Split
from grading.training.believe import bare_slice
from grading.training.fit_landmarks import LandmarkRecipe, fit_landmarks
from grading.training.lessons.keep import read_patients
from grading.training.lessons.lesson import AxialLesson
from grading.training.looks import Disturbance, Kept, keep_axial

FEW = 8
"""One patient in so many, where many patients are what is switched off."""
ALL = Disturbance()
WITHOUT: dict[str, Disturbance] = {
    "nothing": ALL,
    "shifts (6 mm for 40)": replace(ALL, shift_mm=6.0),
    "turns and scales": replace(ALL, rotation_deg=0.0, scale=(1.0, 1.0)),
    "other contrasts": replace(ALL, gamma=(1.0, 1.0), remap_share=0.0),
    "shading": replace(ALL, bias=0.0),
    "noise and blur": replace(ALL, noise=0.0, blur_mm=0.0),
    "patches": replace(ALL, patches=0.0),
}
FEWER_PATIENTS = f"most patients (one in {FEW})"
NOTHING_BETWEEN = "slices between discs"
OTHER_SEED = "nothing, another seed"


@dataclass(frozen=True, slots=True)
class Lessons:
    """The axial images of one set, patient by patient."""

    patients: Sequence[Sequence[Kept]]

    def of(self, part: str) -> list[Kept]:
        """Return the images of a training that lacks a part of the phantom."""
        patients = self.patients[::FEW] if part == FEWER_PATIENTS else self.patients
        return [
            kept
            for patient in patients
            for kept in patient
            if kept.flags.any() or part != NOTHING_BETWEEN
        ]


def main() -> None:
    """Train once per part and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lessons", type=Path, required=True)
    parser.add_argument("--external", type=Path, required=True)
    parser.add_argument("--rsna", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    lessons = Lessons(
        [
            [keep_axial(lesson, AXIAL) for lesson in patient]
            for patient in axial_of(arguments.lessons, Split.TRAINING)
        ]
    )
    external = list(marked(axial_of(arguments.external, Split.VALIDATION)))
    real = list(recesses(arguments.rsna))
    rng = np.random.default_rng(arguments.seed)
    varied = [vary(one, rng) for one in real for _ in range(VARIANTS)]
    print(
        f"{arguments.steps} steps each, median / 95 % / over 12 mm, in mm\n"
        f"| without | external phantoms ({len(external)}) | RSNA ({len(real)}) "
        f"| variants ({len(varied)}) |\n|---|---|---|---|"
    )
    for part in (*WITHOUT, FEWER_PATIENTS, NOTHING_BETWEEN, OTHER_SEED):
        recipe = LandmarkRecipe(
            arguments.steps,
            validation_steps=arguments.steps,
            seed=arguments.seed + (part == OTHER_SEED),
            disturbance=WITHOUT.get(part, ALL),
        )
        locator = trained(lessons.of(part), recipe)
        cells = [figures(locator, some) for some in (external, real, varied)]
        print("|", " | ".join((part, *cells)), "|", flush=True)


def axial_of(folder: Path, split: Split) -> Iterator[Sequence[AxialLesson]]:
    """Read a folder of lessons, patient by patient."""
    return (one.axial for one in read_patients(folder / split.name.lower()))


def marked(patients: Iterable[Sequence[AxialLesson]]) -> Iterator[Marked]:
    """Yield the slices through discs with the place of their region."""
    for number, lesson in enumerate(one for some in patients for one in some):
        if not lesson.through_disc:
            continue
        slice_ = bare_slice(lesson.pixels, lesson.spacing_mm, f"{number}")
        yield Marked(slice_, region_centre(lesson.marks), f"{number}")


def trained(kept: Sequence[Kept], recipe: LandmarkRecipe) -> HeatmapLocator:
    """Train an axial network; the sagittal one beside it is not asked."""
    with tempfile.TemporaryDirectory() as log:
        fitting = fit_landmarks(kept, kept[:32], AXIAL, recipe, Path(log))
    return HeatmapLocator(
        (AXIAL, fitting.network),
        (SAGITTAL, LandmarkNetwork(SAGITTAL)),
        torch.device("cpu"),
    )


def figures(locator: HeatmapLocator, some: Sequence[Marked]) -> str:
    """Return median, 95th percentile and the share of gross errors, in words."""
    found = locator.axial([one.slice_ for one in some])
    missed: NDArray[np.float64] = np.array(
        [
            away_mm(one, region_centre(at.marks))
            for one, at in zip(some, found, strict=True)
        ]
    )
    missed = np.nan_to_num(missed, nan=math.inf)
    return (
        f"{np.median(missed):.1f} / {np.percentile(missed, 95):.1f} "
        f"/ {(missed > 12).mean():.1%}"
    )


if __name__ == "__main__":
    main()
