"""A pixel grid laid through the patient, as DICOM's Image Plane Module has it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.phantom.spine.cut import Cut, vector

TILTED = Cut(
    position_mm=(-40.0, 12.0, 70.0),
    along_row=(1.0, 0.0, 0.0),
    along_column=(0.0, 0.8, -0.6),
    spacing_mm=(0.5, 0.7),
    rows=200,
    columns=160,
)


def test_the_first_pixel_lies_on_the_image_position() -> None:
    assert vector(TILTED.at(0, 0)) == TILTED.position_mm


def test_rows_follow_the_column_direction_and_columns_the_row_direction() -> None:
    down, across = TILTED.at(1, 0) - TILTED.at(0, 0), TILTED.at(0, 1) - TILTED.at(0, 0)

    np.testing.assert_allclose(down, 0.5 * np.array(TILTED.along_column))
    np.testing.assert_allclose(across, 0.7 * np.array(TILTED.along_row))


@given(row=st.floats(-50, 250), column=st.floats(-50, 250), depth_mm=st.floats(-9, 9))
def test_a_point_is_projected_onto_the_pixel_that_it_lies_above(
    row: float, column: float, depth_mm: float
) -> None:
    point = TILTED.at(row, column) + depth_mm * np.array(TILTED.normal)

    found_row, found_column = TILTED.pixel(point)

    assert (float(found_row), float(found_column)) == pytest.approx((row, column))
    assert float(TILTED.depth_mm(point)) == pytest.approx(depth_mm, abs=1e-9)


def test_a_centred_cut_has_its_middle_there() -> None:
    cut = Cut.centred(
        (3.0, -8.0, 40.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.4, 0.6), (31, 64)
    )

    assert cut.centre_mm == pytest.approx((3.0, -8.0, 40.0))
    assert (cut.rows, cut.columns) == (31, 64)


def test_a_shifted_cut_is_parallel() -> None:
    moved = TILTED.shifted(4.4)

    assert moved.normal == TILTED.normal
    assert float(TILTED.depth_mm(moved.at(17.0, 3.0))) == pytest.approx(4.4)
