import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.report.regions import Rectangle, graded_rectangle, square
from grading.grades import Region, RegionOrigin
from grading.headers import ImageHeader, image_headers
from tests.dicom_factories import SIDE, mr_image

anywhere = st.floats(-500, 500)


def header(spacing_mm: list[float] | None) -> ImageHeader:
    ds = mr_image()
    ds.PixelSpacing = spacing_mm
    return image_headers(ds)[0]


def test_the_centre_of_the_first_pixel_lies_half_a_pixel_from_the_corner() -> None:
    box = square(
        Region(0, 0, size_mm=2.0, origin=RegionOrigin.LANDMARKS), (1.0, 1.0), scale=1.0
    )

    assert box == Rectangle(-0.5, -0.5, 1.5, 1.5)


def test_a_square_in_mm_is_no_square_in_pixels_that_are_not_square() -> None:
    box = square(
        Region(9.5, 9.5, size_mm=8.0, origin=RegionOrigin.LANDMARKS),
        (2.0, 0.5),
        scale=1.0,
    )

    assert box == Rectangle(left=2.0, top=8.0, right=18.0, bottom=12.0)


def test_a_region_beyond_the_border_is_clipped_to_the_image() -> None:
    region = Region(0, 0, size_mm=30.0, origin=RegionOrigin.CENTRE)

    assert graded_rectangle(region, header([1.5, 1.5])) == Rectangle(0, 0, 10.5, 10.5)


@pytest.mark.parametrize("row", [-1000.0, 1000.0])
def test_a_region_outside_the_image_becomes_the_whole_image(row: float) -> None:
    region = Region(row, 0, size_mm=30.0, origin=RegionOrigin.CENTRE)

    assert graded_rectangle(region, header([1.5, 1.5])) == Rectangle(0, 0, SIDE, SIDE)


def test_without_pixel_spacing_the_whole_image_is_named() -> None:
    region = Region(31, 31, size_mm=30.0, origin=RegionOrigin.CENTRE)

    assert graded_rectangle(region, header(None)) == Rectangle(0, 0, SIDE, SIDE)


@given(anywhere, anywhere, st.floats(0.1, 400))
def test_coordinates_always_lie_inside_the_image(
    row: float, column: float, size_mm: float
) -> None:
    region = Region(row, column, size_mm, origin=RegionOrigin.LANDMARKS)

    box = graded_rectangle(region, header([1.5, 1.5]))

    assert 0 <= box.left < box.right <= SIDE
    assert 0 <= box.top < box.bottom <= SIDE
