"""One phantom patient as lessons, drawn and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grading.errors import UsageError
from grading.grades import Finding, Grade, Side
from grading.phantom.slices import Split
from grading.training.lessons.draw import PatientSet, draw_patient
from grading.training.lessons.keep import read_patient, write_patient
from grading.training.lessons.lesson import PatientLesson

ONE = PatientSet(seed=3, split=Split.TEST, patients=1)


@pytest.fixture(scope="module")
def patient() -> PatientLesson:
    return draw_patient(ONE, 0)


def test_a_patient_teaches_discs_and_what_lies_between(patient: PatientLesson) -> None:
    through = [lesson.through_disc for lesson in patient.axial]

    assert sum(through) >= 12
    assert not all(through)


def test_marks_lie_on_the_image_and_sides_are_the_patients(
    patient: PatientLesson,
) -> None:
    for lesson in patient.axial:
        marks = lesson.marks
        assert marks.sac_centre is not None
        rows, columns = lesson.pixels.shape
        assert 0 < marks.sac_centre.row < rows
        assert 0 < marks.sac_centre.column < columns
        if lesson.through_disc:
            assert marks.facet_right is not None
            assert marks.facet_left is not None
            # Axial images are seen from the feet: the right side is on the left.
            assert marks.facet_right.column < marks.facet_left.column


def test_the_worse_root_gives_the_grade(patient: PatientLesson) -> None:
    graded = [lesson for lesson in patient.axial if lesson.grades]

    for lesson in graded:
        assert lesson.grades is not None
        lnrc = lesson.grades[list(Finding).index(Finding.LNRC)]
        assert lnrc is max(lesson.roots[Side.RIGHT], lesson.roots[Side.LEFT])
    assert {type(grade) for lesson in graded for grade in lesson.grades or ()} == {
        Grade
    }


def test_sagittal_discs_go_down_to_the_sacrum(patient: PatientLesson) -> None:
    assert patient.sagittal
    for lesson in patient.sagittal:
        rows = [disc.row for disc in lesson.discs]
        assert rows == sorted(rows)
        assert lesson.sacrum.row > rows[-1]
        assert len(rows) >= 6


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text"])
def test_a_damaged_lesson_is_named_with_its_cure(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "patient-000000.npz").write_bytes(content)

    with pytest.raises(UsageError, match="delete it and run"):
        read_patient(tmp_path / "patient-000000.npz")


def test_what_is_kept_reads_back_equal(patient: PatientLesson, tmp_path: Path) -> None:
    back = read_patient(write_patient(tmp_path, patient))

    for axial, other in zip(patient.axial, back.axial, strict=True):
        np.testing.assert_array_equal(axial.pixels, other.pixels)
        assert (axial.spacing_mm, axial.marks) == (other.spacing_mm, other.marks)
        assert (axial.grades, axial.roots) == (other.grades, other.roots)
    for sagittal, same in zip(patient.sagittal, back.sagittal, strict=True):
        np.testing.assert_array_equal(sagittal.pixels, same.pixels)
        assert (sagittal.spacing_mm, sagittal.discs) == (same.spacing_mm, same.discs)
        assert sagittal.sacrum == same.sacrum
    assert list(tmp_path.iterdir()) == [tmp_path / "patient-000000.npz"]
