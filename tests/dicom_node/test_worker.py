"""What a report rests on, and which image tells whose study it is."""

from __future__ import annotations

from dataclasses import replace

from dicom_node.making import graded_datasets
from grading.grades import SagittalView
from tests.dicom_factories import mr_image, mr_series, slice_keys, study_grades


def test_the_sagittal_image_is_evidence_after_every_graded_one() -> None:
    axial, sagittal = mr_series(), mr_image(1, "2.25.2002")
    further = mr_image(2, "2.25.2002")
    [key] = slice_keys([sagittal])
    grades = replace(study_grades(axial), sagittal=SagittalView(key, ()))

    evidence = graded_datasets([sagittal, further, *axial], grades)

    assert evidence == [*axial, sagittal]


def test_without_a_sagittal_view_only_graded_images_are_evidence() -> None:
    axial = mr_series()

    evidence = graded_datasets([mr_image(1, "2.25.2002"), *axial], study_grades(axial))

    assert evidence == axial
