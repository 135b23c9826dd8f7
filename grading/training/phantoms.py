"""Phantom patients for the network that grades: read from a folder, or drawn now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from grading.errors import UsageError
from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.slices import Split
from grading.preprocess import AROUND
from grading.training.images import RIM_PIXELS
from grading.training.lessons.draw import PatientSet, draw_patients
from grading.training.lessons.keep import read_patients, set_of
from grading.training.lessons.lesson import PatientLesson
from grading.training.recipe import Recipe
from grading.training.samples import KEPT_MM, LabelledSlice, from_lesson

VALIDATION_PATIENTS = 24
"""Drawn for validation where no lessons are kept: some 500 slices through discs."""


@dataclass(frozen=True, slots=True)
class Phantom:
    """Patients to learn from: kept on disk, or drawn now."""

    patients: int
    seed: int
    workers: int = 1
    lessons: Path | None = None
    """A folder that `lumbar-grading lessons` wrote; patients are drawn where None."""

    @property
    def words(self) -> str:
        """Of which set the patients are, for the card."""
        kept = self.kept(Split.TRAINING)
        if kept:
            return set_of(kept)
        return f"phantom {GENERATOR_VERSION}, {self.to_draw(Split.TRAINING).words}"

    def kept(self, split: Split) -> Path | None:
        """Return the folder of one split's lessons."""
        return self.lessons / split.name.lower() if self.lessons else None

    def to_draw(self, split: Split) -> PatientSet:
        """Return which patients one split has."""
        few = min(self.patients, VALIDATION_PATIENTS)
        count = self.patients if split is Split.TRAINING else few
        return PatientSet(self.seed, split, count)


def check_room(recipe: Recipe) -> None:
    """Refuse a region that, once shifted, leaves what is kept of a phantom's slice."""
    spec = recipe.preprocessing
    beside_mm = 2 * (recipe.shift_mm + RIM_PIXELS * spec.pitch_mm)
    largest_mm = (KEPT_MM - beside_mm) / AROUND
    if spec.region_size_mm > largest_mm:
        raise UsageError(
            f"a region of {spec.region_size_mm:g} mm, turned, leaves {KEPT_MM:g} mm "
            f"that are kept of a phantom's slice: at most {largest_mm:.0f} mm"
        )


def slices_to_learn(phantom: Phantom, split: Split) -> tuple[list[LabelledSlice], int]:
    """Read or draw a set's slices that pass through a disc; of how many patients."""
    kept = phantom.kept(split)
    if kept:
        patients: Iterable[PatientLesson] = read_patients(kept)
        total = None
    else:
        drawn = phantom.to_draw(split)
        patients = draw_patients(drawn, phantom.workers)
        total = drawn.patients
    slices: list[LabelledSlice] = []
    count = 0
    for patient in tqdm(patients, total=total, desc=f"{split.name.lower()} patients"):
        slices += filter(None, map(from_lesson, patient.axial))
        count += 1
    if not slices:
        raise UsageError(
            f"{kept} holds no lesson: write some with `lumbar-grading lessons`"
        )
    return slices, count
