"""Points and planes of single images."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.grades import PixelPoint
from grading.headers import ImageHeader
from grading.levels.geometry import (
    above_mm,
    at,
    centre_lps_mm,
    normal_of,
    pixel_of,
    shows,
)
from tests.grading.builders import image
from tests.grading.spines import sagittal

NUMBER = st.floats(-300, 300, allow_nan=False)


def oblong(tilt_deg: float = 0.0) -> ImageHeader:
    return replace(
        image(height_mm=10.0, tilt_deg=tilt_deg),
        rows=5,
        columns=9,
        spacing_mm=(2.0, 0.5),
    )


@given(row=NUMBER, column=NUMBER, tilt_deg=st.floats(-40, 40))
def test_a_point_of_the_plane_comes_back_to_its_pixel(
    row: float, column: float, tilt_deg: float
) -> None:
    header = oblong(tilt_deg)

    point = pixel_of(header, at(header, PixelPoint(row, column)))

    assert (point.row, point.column) == pytest.approx((row, column), abs=1e-6)


def test_rows_and_columns_have_a_spacing_of_their_own() -> None:
    header = replace(oblong(), position_lps_mm=(0.0, 0.0, 0.0))

    assert at(header, PixelPoint(3, 4)) == pytest.approx((2.0, 6.0, 0.0))


@given(rise_mm=NUMBER, tilt_deg=st.floats(-40, 40))
def test_a_plane_above_a_place_lies_above_it_by_the_way_along_its_normal(
    rise_mm: float, tilt_deg: float
) -> None:
    header = oblong(tilt_deg)
    x, y, z = centre_lps_mm(header)
    tilt = math.radians(tilt_deg)
    below = (x, y + rise_mm * math.sin(tilt), z - rise_mm * math.cos(tilt))

    assert above_mm(header, below) == pytest.approx(rise_mm, abs=1e-6)


@pytest.mark.parametrize(
    ("y_mm", "z_mm", "seen"),
    [(0, 0, True), (98, 0, True), (101, 0, False), (0, 251, False), (0, -51, False)],
)
def test_an_image_shows_what_lies_in_front_of_its_field(
    y_mm: float, z_mm: float, seen: bool
) -> None:
    assert shows(sagittal(), (40.0, y_mm, z_mm)) is seen


def test_an_image_without_geometry_lies_nowhere() -> None:
    with pytest.raises(ValueError, match="without geometry"):
        centre_lps_mm(replace(image(), spacing_mm=None))
    with pytest.raises(ValueError, match="without orientation"):
        normal_of(replace(image(), row_direction=None))
