"""A small bundle with a locator that each test chooses; reports without pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from pydicom import Dataset

from grading.boxes import Box
from grading.grader import Grader
from grading.grades import SliceKey, StudyGrades
from grading.landmarks.found import AxialFound, Locator, SagittalFound
from grading.series import Slice
from tests.grading.made_up_studies import Grade
from tests.grading.tiny_bundle import tiny_bundle


class Relay:
    """Asks another locator in every test: to build a network takes long."""

    locator: Locator

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        return self.locator.axial(slices)

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        return self.locator.sagittal(slices)


@pytest.fixture(scope="session")
def grade(tmp_path_factory: pytest.TempPathFactory) -> Grade:
    """Grade with whatever locator, by a small bundle that tells the sides apart."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    relay = Relay()
    bundle = tiny_bundle(folder, "LNRC_RIGHT", "LNRC_LEFT")
    grader = Grader(bundle, "cpu", relay)

    def grade_with(
        datasets: Sequence[Dataset],
        locator: Locator,
        drawn: Mapping[SliceKey, Box] | None = None,
    ) -> StudyGrades:
        relay.locator = locator
        return grader.grade(datasets, drawn)

    return grade_with


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pictures out of reports: they take most of the time."""
    empty = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    monkeypatch.setattr("grading.evaluation.report.plots._svg", lambda _: empty)
