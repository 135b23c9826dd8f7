"""Broken files end in quarantine, in a verdict or in a sentence, and nowhere else.

The long form is ``python -m tests.mutations``.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node import folder as folders
from dicom_node.report.context import Installation
from grading.boxes import Box
from grading.grades import SliceKey, StudyGrades
from grading.study import StudyReader
from tests.dicom_factories import as_received, mr_image
from tests.fakes import SameEverywhere
from tests.mutations.case import bench, quietly
from tests.mutations.mutate import MUTATIONS, encoded, mutated, sound

CASES = 8
SEED = 20
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class DecodesAndGradesAlike:
    """Decodes every slice that it grades, as a network would need it."""

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        StudyReader(datasets).axial()
        return SameEverywhere().grade(datasets, drawn)


def grade(folder: Path, out: Path) -> str:
    def run() -> int:
        found = folders.grade_folder(folder, DecodesAndGradesAlike())
        installation = Installation("2.25.77", "test", "0.0.0")
        folders.write_all(found, installation, NOON, out)
        folders.as_json_text(found)
        folders.as_text(found)
        return 0

    return quietly(run)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_files_break_nothing_and_leave_nothing_behind(tmp_path: Path) -> None:
    with bench(tmp_path, grade) as ready:
        outcomes = [ready.run(SEED, number) for number in range(CASES)]

    assert [it for it in outcomes if it.complaints] == []


@pytest.mark.parametrize("kind", sorted(MUTATIONS))
def test_a_mutation_changes_the_file(kind: str) -> None:
    rng = random.Random(5)
    ds = as_received(mr_image())

    files = {MUTATIONS[kind](rng, copy.deepcopy(ds)) for _ in range(5)}

    assert files - {encoded(ds)}


def test_a_case_follows_from_its_number_alone() -> None:
    first, again = (
        mutated(random.Random("1/7"), sound(random.Random("1/7"), "2.25.1"))
        for _ in range(2)
    )

    assert first == again
