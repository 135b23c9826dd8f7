"""The public-domain study with every object of every option, for several tests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydicom import Dataset

from dicom_node.report.objects import ObjectKind, Wanted, build_objects
from grading.grades import StudyGrades
from scripts import report_pictures

ALL_OF_THEM = Wanted(frozenset(ObjectKind), comprehensive_3d=True)


@dataclass(frozen=True)
class FullStudy:
    """The public-domain study with invented grades that have everything in them."""

    evidence: list[Dataset]
    grades: StudyGrades
    objects: dict[tuple[ObjectKind, int], Dataset]

    def made(self, kind: ObjectKind, rank: int = 0) -> Dataset:
        return self.objects[kind, rank]


@pytest.fixture(scope="session")
def full_study() -> FullStudy:
    """Every object of every option, made once: nobody changes them."""
    evidence, grades = report_pictures.study()
    built = build_objects(evidence, grades, report_pictures.context(), ALL_OF_THEM)
    return FullStudy(evidence, grades, {(b.kind, b.rank): b.dataset for b in built})
