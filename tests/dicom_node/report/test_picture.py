"""The summary picture: what is drawn, and what the header says of it."""

import copy
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_node.report.canvas import (
    GRADE_COLOURS,
    LINE,
    MARK,
    ON_COLOURS,
    PANEL,
    REGION,
    WARNING,
    Box,
    Canvas,
)
from dicom_node.report.drawing import (
    MARGIN,
    MAX_TILES,
    WIDTH,
    Caption,
    draw_summary,
)
from dicom_node.report.evidence import evidence_of
from dicom_node.report.objects import ObjectKind
from dicom_node.report.picture import summary_picture
from dicom_node.report.tiles import tile_boxes
from grading.grades import (
    AxialMarks,
    Finding,
    Grade,
    Grading,
    Level,
    PixelPoint,
    Side,
    StudyGrades,
)
from tests.dicom_factories import (
    CREATED_AT,
    enhanced_mr,
    mr_image,
    mr_series,
    report_context,
    study_grades,
)
from tests.full_study import FullStudy

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


def test_the_sagittal_image_shows_where_the_levels_lie(full_study: FullStudy) -> None:
    evidence = evidence_of(full_study.evidence)
    without = replace(full_study.grades, sagittal=None)

    shown = draw_summary(evidence, full_study.grades, CAPTION)
    hidden = draw_summary(evidence, without, CAPTION)

    # Five lines to the labels, and five spots on the discs.
    assert count(shown, MARK) > count(hidden, MARK) + 5 * 30
    assert not np.array_equal(shown[400:680, 700:1000], hidden[400:680, 700:1000])


def test_a_sagittal_image_that_is_not_among_the_evidence_leaves_the_rest(
    full_study: FullStudy,
) -> None:
    axial_only = evidence_of(full_study.evidence[:-1])

    lacking = draw_summary(axial_only, full_study.grades, CAPTION)

    without = replace(full_study.grades, sagittal=None)
    assert np.array_equal(lacking, draw_summary(axial_only, without, CAPTION))


def test_a_sagittal_image_that_cannot_be_decoded_leaves_the_rest(
    full_study: FullStudy,
) -> None:
    sagittal = copy.copy(full_study.evidence[-1])
    del sagittal.PixelData

    pixels = drawn([*full_study.evidence[:-1], sagittal], full_study.grades)

    assert count(pixels, PANEL) > 0


def test_the_intra_facet_line_is_drawn_on_the_key_slice_and_explained(
    full_study: FullStudy,
) -> None:
    plain = full_study.grades
    slices = tuple(replace(it, marks=AxialMarks()) for it in plain.slices)

    with_line = drawn(full_study.evidence, plain)
    without = drawn(full_study.evidence, replace(plain, slices=slices))

    assert count(with_line, MARK) > count(without, MARK) + 5 * 30
    assert not np.array_equal(with_line[-120:], without[-120:])


def test_half_an_intra_facet_line_is_no_line() -> None:
    grades = study_grades(mr_series())
    one_end = AxialMarks(facet_right=PixelPoint(30, 20))
    slices = tuple(replace(it, marks=one_end) for it in grades.slices)

    pixels = drawn(mr_series(), replace(grades, slices=slices))

    assert 0 < count(pixels, MARK) <= 2 * 13, "a tick, no line"


def test_the_picture_names_the_sagittal_image_as_a_source(
    full_study: FullStudy,
) -> None:
    ds = full_study.made(ObjectKind.PICTURE)
    view = full_study.grades.sagittal
    assert view is not None

    sources = [it.ReferencedSOPInstanceUID for it in ds.SourceImageSequence]

    assert len(sources) == 6
    assert sources[-1] == view.key.sop_instance_uid


def test_each_root_has_a_figure_and_a_worse_slice_its_own() -> None:
    grades = with_ldh(Grading((0.6, 0.4, 0, 0)))
    (level,) = grades.levels
    severe = Grading((0, 0, 0, 1))
    first = replace(grades.slices[0], grades={Finding.LDH: severe})
    worse = replace(level, worst={Finding.LDH: first.key})
    rooted = replace(level, roots={Side.LEFT: severe})

    plain = drawn(mr_series(), grades)
    marked = drawn(
        mr_series(),
        replace(grades, slices=(first, *grades.slices[1:]), levels=(worse,)),
    )
    both = drawn(mr_series(), replace(grades, levels=(rooted,)))

    assert not np.array_equal(plain, marked)
    assert count(both, GRADE_COLOURS[Grade.GRADE_3]) > count(
        plain, GRADE_COLOURS[Grade.GRADE_3]
    )


def test_no_two_grades_have_the_same_brightness() -> None:
    bright = sorted(luminance(colour) for colour in GRADE_COLOURS.values())

    assert all(more - less > 20 for less, more in pairwise(bright))


def test_figures_stand_out_from_the_colour_they_are_written_on() -> None:
    for grade, colour in GRADE_COLOURS.items():
        assert abs(luminance(colour) - luminance(ON_COLOURS[grade])) > 100


def test_missing_images_and_levels_without_grades_are_told_on_the_picture() -> None:
    series = mr_series(6)
    gap = [series[0], series[1], *series[4:]]
    whole = mr_series(4)
    levels = [Level.L4_L5, Level.L5_S1]

    told, untold = (
        drawn(images, study_grades(images, [2, 2], levels=levels))
        for images in (gap, whole)
    )
    unnamed = drawn(whole, study_grades(whole, [2, 2]))

    assert remarks_height(told) > remarks_height(untold) > remarks_height(unnamed)


def remarks_height(pixels: Pixels) -> int:
    """Return how far the lowest ruled line, above the remarks, is from the bottom."""
    ruled = (pixels[:, int(MARGIN) : int(MARGIN + WIDTH)] == LINE).all(axis=(1, 2))
    return len(pixels) - int(np.flatnonzero(ruled)[-1])
