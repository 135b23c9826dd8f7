"""Small peers that behave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from grading.boxes import Box
from grading.errors import NotGradable
from grading.grades import (
    LevelGrade,
    Region,
    RegionOrigin,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from grading.headers import ImageHeader
from grading.levels.slabs import Slab, slabs
from grading.series import gradable_images, group_series, judge
from tests.dicom_factories import MODEL, gradings

REGION_MM = 48.0


@dataclass(frozen=True, slots=True)
class SameEverywhere:
    """Grades every slice alike, without a network and without its pixels."""

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        """Judge and group as the real grader does; refuse what it refuses."""
        series = group_series(datasets)
        verdicts = tuple(judge(headers) for headers in series)
        images = [
            image
            for headers, verdict in zip(series, verdicts, strict=True)
            if verdict.graded
            for image in gradable_images(headers)
        ]
        if not images:
            reasons = "; ".join(verdict.reason for verdict in verdicts)
            raise NotGradable(f"no axial T2-weighted lumbar series: {reasons}")
        found = slabs(images)
        return StudyGrades(
            study_instance_uid=str(datasets[0].StudyInstanceUID),
            model=MODEL,
            series=verdicts,
            slices=tuple(
                _slice_grade(images[index], number, position_mm, drawn or {})
                for number, slab in enumerate(found, start=1)
                for index, position_mm in zip(
                    slab.members, slab.positions_mm, strict=True
                )
            ),
            levels=tuple(
                _level_grade(images, slab, number, len(found))
                for number, slab in enumerate(found, start=1)
            ),
        )


def _slice_grade(
    image: ImageHeader, slab: int, position_mm: float, drawn: Mapping[SliceKey, Box]
) -> SliceGrade:
    row, column = (image.rows - 1) / 2, (image.columns - 1) / 2
    region = Region(row, column, REGION_MM, origin=RegionOrigin.CENTRE)
    if box := drawn.get(image.key):
        region = Region(*box.centre, REGION_MM, origin=RegionOrigin.DRAWN)
    return SliceGrade(image.key, slab, position_mm, region, gradings())


def _level_grade(
    images: Sequence[ImageHeader], slab: Slab, number: int, count: int
) -> LevelGrade:
    keys = tuple(images[index].key for index in slab.members)
    return LevelGrade(None, number, count, keys[len(keys) // 2], keys, gradings())
