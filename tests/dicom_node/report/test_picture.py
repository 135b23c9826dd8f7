"""The summary picture: what is drawn, and what the header says of it."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node.report.canvas import GRADE_COLOURS, PANEL, REGION, WARNING, Box, Canvas
from dicom_node.report.drawing import MAX_TILES, Caption, draw_summary
from dicom_node.report.evidence import evidence_of
from dicom_node.report.picture import summary_picture
from dicom_node.report.tiles import tile_boxes
from grading.grades import Finding, Grading, StudyGrades
from tests.dicom_factories import (
    CREATED_AT,
    enhanced_mr,
    mr_image,
    mr_series,
    report_context,
    study_grades,
)

CAPTION = Caption(1, CREATED_AT, "lumbar-node 0.1.0")
Pixels = NDArray[np.uint8]


def drawn(evidence: list[Dataset], grades: StudyGrades) -> Pixels:
    return draw_summary(evidence_of(evidence), grades, CAPTION)


def picture(evidence: list[Dataset], grades: StudyGrades | None = None) -> Dataset:
    grades = grades or study_grades(evidence)
    return summary_picture(evidence_of(evidence), grades, report_context())


def count(pixels: Pixels, colour: tuple[int, int, int]) -> int:
    return int((pixels == np.array(colour, np.uint8)).all(axis=-1).sum())


def test_the_picture_is_an_rgb_secondary_capture_of_1024_pixels() -> None:
    ds = picture(mr_series())

    assert ds.SOPClassUID == SecondaryCaptureImageStorage
    assert ds.pixel_array.shape == (1024, 1024, 3)
    assert ds.PhotometricInterpretation == "RGB"


def test_the_header_says_what_the_drawing_is() -> None:
    ds = picture(mr_series())

    assert ds.Modality == "OT"
    assert ds.BodyPartExamined == "LSPINE"
    assert "Laterality" not in ds
    assert ds.PatientOrientation is None
    assert ds.ConversionType == "WSD"
    assert ds.BurnedInAnnotation == "NO"
    assert ds.ContentQualification == "RESEARCH"
    assert "(unverified)" in ds.SeriesDescription


def test_the_key_slices_are_named_as_sources() -> None:
    image = enhanced_mr(frames=4)

    ds = picture([image], study_grades([image], [2, 2]))

    (source,) = ds.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert source.ReferencedFrameNumber == [2, 4]


def test_nothing_of_the_header_is_burned_in() -> None:
    ours, theirs = mr_series(), mr_series()
    for image in theirs:
        image.PatientName, image.PatientID = "Somebody^Else", "P0002"
        image.StudyDescription = image.InstitutionName = "SOMEWHERE"
        image.AccessionNumber, image.StudyDate = "B0002", "20250101"

    assert np.array_equal(
        drawn(ours, study_grades(ours)), drawn(theirs, study_grades(theirs))
    )


def test_the_first_line_stands_on_a_band_across_the_top() -> None:
    pixels = drawn(mr_series(), study_grades(mr_series()))

    band = pixels[:34]
    assert count(band[:4], WARNING) == 4 * 1024
    assert (band.min(axis=(0, 2)) < 60).sum() > 300, "text on the band"


@pytest.mark.parametrize("levels", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14])
def test_any_number_of_levels_is_drawn(levels: int) -> None:
    series = mr_series(max(levels, 1))
    grades = study_grades(series, [1] * levels or [1])
    if not levels:
        grades = replace(grades, levels=(), slices=())

    pixels = drawn(series, grades)

    assert (count(pixels, PANEL) > 0) is bool(levels)


def test_levels_that_do_not_fit_are_spoken_of() -> None:
    fits, more = (
        drawn(series, study_grades(series, [1] * len(series)))
        for series in (mr_series(MAX_TILES), mr_series(MAX_TILES + 1))
    )

    assert not np.array_equal(fits[-160:], more[-160:])


def test_a_grade_changes_figure_cells_and_colour() -> None:
    none, severe = (
        drawn(mr_series(), with_ldh(Grading(probabilities)))
        for probabilities in ((1, 0, 0, 0), (0, 0, 0, 1))
    )
    grey, orange = list(GRADE_COLOURS.values())[0::3]

    assert count(severe, orange) > count(none, orange)
    assert count(none, grey) > count(severe, grey)


def test_a_grade_that_needs_a_reader_is_marked_and_explained() -> None:
    sure, unsure = (
        drawn(mr_series(), with_ldh(Grading((0.4, 0.3, 0.2, 0.1), threshold=threshold)))
        for threshold in (0.3, 0.5)
    )

    assert count(unsure, WARNING) > count(sure, WARNING)
    assert not np.array_equal(sure[-160:], unsure[-160:])


def with_ldh(grading: Grading) -> StudyGrades:
    grades = study_grades(mr_series())
    (level,) = grades.levels
    graded = replace(level, grades={**level.grades, Finding.LDH: grading})
    return replace(grades, levels=(graded,))


def test_the_region_is_framed_with_dashes_where_nothing_located_it() -> None:
    guessed = drawn(mr_series(), study_grades(mr_series(), located=False))
    found = drawn(mr_series(), study_grades(mr_series(), located=True))

    assert 0 < count(guessed, REGION) < 0.7 * count(found, REGION)


def test_grades_differ_in_greyscale_from_the_panel_they_stand_on() -> None:
    for colour in GRADE_COLOURS.values():
        assert luminance(colour) > 3 * luminance(PANEL)


def luminance(colour: tuple[int, int, int]) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_an_image_that_cannot_be_decoded_leaves_its_grades() -> None:
    image = mr_image()
    grades = study_grades([image])
    del image.PixelData

    pixels = drawn([image], grades)

    assert count(pixels, REGION) == 0
    assert count(pixels, PANEL) > 0


def test_a_constant_image_is_drawn_black() -> None:
    image = mr_image()
    image.PixelData = np.full((64, 64), 7, np.uint16).tobytes()

    assert drawn([image], study_grades([image])).shape == (1024, 1024, 3)


@given(st.integers(0, MAX_TILES), st.floats(300, 900))
def test_tiles_share_their_area_without_overlapping(number: int, bottom: float) -> None:
    area = Box(20, 80, 1004, bottom)

    boxes = tile_boxes(number, area)

    assert len(boxes) == number
    for box in boxes:
        assert area.left <= box.left < box.right <= area.right + 1e-6
        assert area.top <= box.top < box.bottom <= area.bottom + 1e-6
    for one, other in product(boxes, boxes):
        apart = one.right < other.left or one.bottom < other.top
        assert (
            one is other or apart or other.right < one.left or (other.bottom < one.top)
        )


@given(st.text(st.characters(codec="ascii"), max_size=300))
def test_lines_break_between_words_and_lose_none(text: str) -> None:
    lines = Canvas.blank().lines(text, 14, 300)

    assert " ".join(lines).split() == text.split()
    assert all(" " in line or len(line) > 0 for line in lines[1:])
    assert all(one and other for one, other in pairwise(lines))
