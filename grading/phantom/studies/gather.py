"""Gather what is true of a drawn study into the document that goes beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from grading.grades import Finding, Level
from grading.phantom.measure import SliceTruth
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.spine.cut import Cut, Vector, vector
from grading.phantom.spine.parts import DiscSpace, Spine
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy
from grading.phantom.studies.habits import Role
from grading.phantom.studies.identity import (
    NOTICE,
    Instance,
    instances,
    series_uid,
    study_uid,
)
from grading.phantom.studies.truth import (
    BOX_MM,
    FORMAT,
    BoxTruth,
    Grades,
    HerniationTruth,
    ImageTruth,
    LandmarkTruth,
    LevelTruth,
    Measured,
    StudyTruth,
)


def truth_of(study: DrawnStudy) -> StudyTruth:
    """Collect what is true of a drawn study."""
    return StudyTruth(
        notice=NOTICE,
        format=FORMAT,
        generator_version=GENERATOR_VERSION,
        seed=study.key.seed,
        study=study.key.number,
        domain=study.key.domain,
        prevalence=study.key.prevalence,
        manner=study.writing.manner.letter,
        field_tesla=study.series[0].sequence.field_tesla,
        study_instance_uid=study_uid(study.key),
        lumbar_vertebrae=study.spine.lumbar_vertebrae,
        levels_counted_from="sacrum",
        levels=tuple(_level(study, space) for space in study.spine.discs),
        images=tuple(
            _image(study, series, instance)
            for series in study.series
            for instance in instances(study, series)
        ),
    )


def _level(study: DrawnStudy, space: DiscSpace) -> LevelTruth:
    wanted = study.wanted.get(space.level)
    measured = study.measured.get(space.level)
    return LevelTruth(
        level=space.level,
        wanted=_wanted(wanted) if wanted else None,
        measured=_measured(measured) if measured else None,
        herniation=_herniation(space),
        disc_margin_lps_mm=disc_margin(study.spine, space),
        disc_centre_lps_mm=disc_centre(study.spine, space),
        normal=vector(study.spine.axis.direction(space.s_mm)),
    )


def disc_margin(spine: Spine, space: DiscSpace) -> Vector:
    """Return the midpoint of a disc's posterior margin, LPS in mm."""
    return vector(spine.axis.locate(0.0, 0.0, space.s_mm))


def disc_centre(spine: Spine, space: DiscSpace) -> Vector:
    """Return the middle of a disc, LPS in mm."""
    return vector(spine.axis.locate(0.0, -space.section.disc.depth_mm / 2, space.s_mm))


def _wanted(wanted: WantedGrades) -> Grades:
    return dict(zip(Finding, (wanted.ldh, wanted.lccs, wanted.lnrc), strict=True))


def _measured(truth: SliceTruth) -> Measured:
    return Measured(
        grades=dict(zip(Finding, truth.grades, strict=True)),
        off_centre_mm=truth.off_centre_mm,
        facet_line_mm=truth.facet_line_mm,
        herniation_mm=truth.herniation_mm,
        herniation_share=truth.herniation_share,
        anterior_fluid_mm=truth.anterior_fluid_mm,
        aggregation=truth.aggregation,
        fluid_share=truth.fluid_share,
        sac_area_mm2=truth.sac_area_mm2,
        right=truth.right,
        left=truth.left,
    )


def _herniation(space: DiscSpace) -> HerniationTruth | None:
    drawn = space.section.herniation
    if drawn is None:
        return None
    return HerniationTruth(
        side="left" if drawn.x_mm > 0 else "right",
        zone=space.section.zone,
        form="extrusion" if drawn.extruded else "protrusion",
        x_mm=drawn.x_mm,
        height_mm=drawn.height_mm,
        base_mm=drawn.base_mm,
    )


def _image(study: DrawnStudy, series: DrawnSeries, instance: Instance) -> ImageTruth:
    image = instance.image
    truth = image.truth
    return ImageTruth(
        file=instance.path,
        series_instance_uid=series_uid(study.key, series.role),
        sop_instance_uid=instance.sop_instance_uid,
        frame=instance.frame,
        role=series.role,
        level=truth.level if truth else None,
        through_disc=truth is not None,
        measured=_measured(truth) if truth else None,
        box=_box(image.cut, truth) if truth else None,
        landmarks=tuple(_landmarks(study.spine, series.role, image.cut, truth)),
    )


def _landmarks(
    spine: Spine, role: Role, cut: Cut, truth: SliceTruth | None
) -> Iterator[LandmarkTruth]:
    """Yield an axial image's points, or every disc that a sagittal one shows."""
    if truth is not None:
        named = asdict(truth.landmarks)
        for name in named:
            yield _landmark(name.removesuffix("_mm"), truth.level, named[name], cut)
    if role in (Role.SAGITTAL_T2, Role.SAGITTAL_T1):
        for space in spine.discs:
            for name, where in (
                ("disc_margin", disc_margin(spine, space)),
                ("disc_centre", disc_centre(spine, space)),
            ):
                yield _landmark(name, space.level, where, cut)


def _landmark(name: str, level: Level, lps_mm: Vector, cut: Cut) -> LandmarkTruth:
    point = np.array(lps_mm)
    row, column = cut.pixel(point)
    return LandmarkTruth(
        name, level, float(row), float(column), lps_mm, float(cut.depth_mm(point))
    )


def _box(cut: Cut, truth: SliceTruth) -> BoxTruth:
    ends = truth.landmarks.sac_centre_mm, truth.landmarks.disc_margin_mm
    row, column = cut.pixel(np.mean(ends, axis=0))
    half_rows, half_columns = (BOX_MM / 2 / spacing for spacing in cut.spacing_mm)
    return BoxTruth(
        float(row - half_rows),
        float(column - half_columns),
        float(row + half_rows),
        float(column + half_columns),
    )
