"""The truth file: complete, readable without this package, and true of the pixels."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from grading.grades import Level
from grading.headers import ImageHeader, image_headers
from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.studies.drawn import DrawnStudy
from grading.phantom.studies.files import part10_files
from grading.phantom.studies.gather import truth_of
from grading.phantom.studies.habits import Role
from grading.phantom.studies.truth import BOX_MM, FORMAT, as_json
from tests.grading.phantom.drawn import noise_study

STUDIES = {"classic": noise_study("B"), "enhanced": noise_study("C", enhanced=True)}
each_study = pytest.mark.parametrize("study", list(STUDIES.values()), ids=list(STUDIES))


def document(study: DrawnStudy) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(as_json(truth_of(study)))
    return made


def headers(study: DrawnStudy) -> dict[tuple[str, int], ImageHeader]:
    """Return what a reader sees of each image, by file and frame."""
    return {
        (path, image.key.frame): image
        for series in study.series
        for path, file in part10_files(study, series)
        for image in image_headers(dcmread(BytesIO(file), stop_before_pixels=True))
    }


def located(image: ImageHeader, row: float, column: float) -> NDArray[np.float64]:
    """Return where a pixel lies, LPS in mm, by the header alone (PS3.3 C.7.6.2.1.1)."""
    assert image.position_lps_mm
    assert image.row_direction
    assert image.column_direction
    assert image.spacing_mm
    return (
        np.array(image.position_lps_mm)
        + column * image.spacing_mm[1] * np.array(image.row_direction)
        + row * image.spacing_mm[0] * np.array(image.column_direction)
    )


def test_the_first_line_says_that_the_study_is_computer_made() -> None:
    first = as_json(truth_of(STUDIES["classic"])).splitlines()[0]

    assert "Computer-made phantom, not a patient" in first


def test_the_document_says_what_the_study_follows_from() -> None:
    made = document(STUDIES["classic"])

    assert made["format"] == FORMAT
    assert made["generator_version"] == GENERATOR_VERSION
    assert (made["seed"], made["study"]) == (7, 1)
    assert (made["domain"], made["prevalence"]) == ("internal", "balanced")
    assert (made["lumbar_vertebrae"], made["levels_counted_from"]) == (5, "sacrum")


@each_study
def test_every_image_of_the_files_is_in_the_truth_once(study: DrawnStudy) -> None:
    read = headers(study)

    listed = [(image["file"], image["frame"]) for image in document(study)["images"]]

    assert sorted(listed) == sorted(read)
    for image in document(study)["images"]:
        key = read[image["file"], image["frame"]].key
        assert image["sop_instance_uid"] == key.sop_instance_uid
        assert image["series_instance_uid"] == key.series_instance_uid


@each_study
def test_a_landmark_in_pixels_and_in_the_patient_is_the_same_point(
    study: DrawnStudy,
) -> None:
    read = headers(study)

    landmarks = [
        (image, mark)
        for image in document(study)["images"]
        for mark in image["landmarks"]
    ]

    assert len(landmarks) > 100
    for image, mark in landmarks:
        header = read[image["file"], image["frame"]]
        found = located(header, mark["row"], mark["column"])
        away = np.linalg.norm(found - mark["lps_mm"])
        assert away == pytest.approx(abs(mark["off_plane_mm"]), abs=0.01)


@each_study
def test_sagittal_and_axial_images_cross_where_they_should(study: DrawnStudy) -> None:
    read, images = headers(study), document(study)["images"]
    margins = {
        mark["level"]: mark
        for image in images
        if image["role"] == Role.SAGITTAL_T2
        for mark in image["landmarks"]
        if mark["name"] == "disc_margin"
    }

    axial = [image for image in images if image["through_disc"]]

    assert axial
    for image in axial:
        (own,) = (m for m in image["landmarks"] if m["name"] == "disc_margin")
        header = read[image["file"], image["frame"]]
        found = located(header, own["row"], own["column"])
        # The slice may pass above or below the disc's middle, along the spine.
        above = np.subtract(margins[image["level"]]["lps_mm"], found)
        along = study.spine.axis.direction(
            next(d.s_mm for d in study.spine.discs if d.level == image["level"])
        )
        aside = np.linalg.norm(above - (above @ along) * along)
        assert aside < 0.5


def test_the_box_lies_midway_between_sac_and_disc_margin() -> None:
    study = STUDIES["classic"]
    read = headers(study)

    images = document(study)["images"]
    assert any(image["box"] for image in images)
    for image in images:
        if image["box"] is None:
            assert not image["through_disc"]
            continue
        box, header = image["box"], read[image["file"], image["frame"]]
        points = {mark["name"]: np.array(mark["lps_mm"]) for mark in image["landmarks"]}
        first = located(header, box["first_row"], box["first_column"])
        last = located(header, box["last_row"], box["last_column"])
        middle = (points["sac_centre"] + points["disc_margin"]) / 2
        assert header.spacing_mm
        side_mm = (box["last_row"] - box["first_row"]) * header.spacing_mm[0]
        assert side_mm == pytest.approx(BOX_MM, abs=0.01)
        off = (first + last) / 2 - middle
        assert abs(off @ np.array(header.row_direction)) < 0.01
        assert abs(off @ np.array(header.column_direction)) < 0.01


def test_a_level_says_what_was_wanted_and_what_was_measured() -> None:
    levels = {level["level"]: level for level in document(STUDIES["classic"])["levels"]}

    assert list(levels) == [level.value for level in Level]
    assert levels["T12/L1"]["wanted"] is None
    assert levels["L4/L5"]["wanted"] == {"LDH": 0, "LCCS": 0, "LNRC": 0}
    measured = levels["L4/L5"]["measured"]
    assert measured["grades"] == {"LDH": 0, "LCCS": 0, "LNRC": 0}
    assert measured["facet_line_mm"] == 13.0
    assert measured["sac_area_mm2"] == 180.0
    assert measured["right"]["gap_mm"] == 1.5


def test_a_distance_to_nothing_is_null_because_json_knows_no_infinity() -> None:
    levels = document(STUDIES["classic"])["levels"]

    assert levels[4]["measured"]["left"]["wall_gap_mm"] is None
    assert "Infinity" not in as_json(truth_of(STUDIES["classic"]))
