import math
from collections.abc import Sequence
from dataclasses import replace

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.headers import ImageHeader
from grading.levels.geometry import centre_lps_mm
from grading.levels.slabs import MAX_GAP_RATIO, MAX_TILT_DEG, Slab, slabs
from grading.series import group_series
from tests.grading.builders import hitachi, image
from tests.shared_data import shared_data

# Tilt and height of the middle of five disc-angled slabs, cranial to caudal.
DISCS = ((-12.0, 72.0), (-6.0, 36.0), (0.0, 0.0), (10.0, -36.0), (24.0, -72.0))


def disc_angled_stack(counts: Sequence[int] = (3, 3, 3, 4, 4)) -> list[ImageHeader]:
    images: list[ImageHeader] = []
    for (tilt_deg, height_mm), count in zip(DISCS, counts, strict=False):
        for place in range(count):
            above_mm = (
                4.0 * ((count - 1) / 2 - place) / math.cos(math.radians(tilt_deg))
            )
            images.append(
                image(
                    len(images) + 1, height_mm=height_mm + above_mm, tilt_deg=tilt_deg
                )
            )
    return images


def members(images: Sequence[ImageHeader], found: Sequence[Slab]) -> list[list[str]]:
    return [
        [images[index].key.sop_instance_uid for index in slab.members] for slab in found
    ]


def test_the_tilted_slabs_of_a_real_study_are_told_apart() -> None:
    (series,) = group_series(hitachi("t2_ax"))

    found = slabs(series.images)

    assert [len(slab.members) for slab in found] == [3, 3, 3, 4, 4]


def test_slices_of_a_real_study_are_found_where_its_positions_say() -> None:
    datasets = hitachi("t2_ax")
    (series,) = group_series(datasets)
    heights_mm = {
        str(ds.SOPInstanceUID): float(ds.ImagePositionPatient[2]) for ds in datasets
    }

    found = slabs(series.images)

    assert len(found) == 5
    for uids in members(series.images, found):
        inside = [heights_mm[uid] for uid in uids]
        assert inside == sorted(inside, reverse=True)


def test_an_rsna_study_has_one_slab_for_each_of_five_levels() -> None:
    folder = shared_data("lumbar-rsna2024-study-1002894806", "1252873726")
    datasets = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    number = {str(ds.SOPInstanceUID): int(ds.InstanceNumber) for ds in datasets}
    (series,) = group_series(datasets)

    found = slabs(series.images)

    numbers = [[number[uid] for uid in uids] for uids in members(series.images, found)]
    assert [(min(slab), max(slab)) for slab in numbers] == [
        (1, 8),
        (9, 16),
        (17, 24),
        (25, 32),
        (33, 42),
    ]


def test_no_images_make_no_slab() -> None:
    assert slabs([]) == []


def test_a_single_image_is_a_slab_of_its_own() -> None:
    (slab,) = slabs([image(height_mm=7.0)])

    assert slab.members == (0,)
    assert slab.positions_mm == pytest.approx((7.0,))
    assert slab.length_mm == 0


def test_a_stack_without_gaps_is_one_slab() -> None:
    (slab,) = slabs([image(number) for number in range(1, 11)])

    assert len(slab.members) == 10
    assert slab.length_mm == pytest.approx(36)


def test_a_gap_between_parallel_slices_separates_two_slabs() -> None:
    heights_mm = (20, 16, 12, -12, -16, -20)
    images = [image(n, height_mm=mm) for n, mm in enumerate(heights_mm)]

    found = slabs(images)

    assert [slab.members for slab in found] == [(0, 1, 2), (3, 4, 5)]


@pytest.mark.parametrize(("ratio", "count"), [(0.95, 1), (1.05, 2)])
def test_only_a_gap_beyond_the_limit_separates(ratio: float, count: int) -> None:
    wide_mm = 4 * MAX_GAP_RATIO * ratio
    heights_mm = (8, 4, 0, -wide_mm, -wide_mm - 4, -wide_mm - 8)

    found = slabs([image(n, height_mm=mm) for n, mm in enumerate(heights_mm)])

    assert len(found) == count


@pytest.mark.parametrize(("ratio", "count"), [(0.9, 1), (1.1, 2)])
def test_only_a_tilt_beyond_the_limit_separates(ratio: float, count: int) -> None:
    tilt_deg = MAX_TILT_DEG * ratio
    level = [image(n, height_mm=-4 * n) for n in (0, 1, 2)]
    tilted = [image(n, height_mm=-4 * n, tilt_deg=tilt_deg) for n in (3, 4, 5)]

    found = slabs([*level, *tilted])

    assert len(found) == count


def test_a_second_echo_in_the_same_places_does_not_split_a_slab() -> None:
    heights_mm = (8, 8, 4, 4, 0, 0, -4, -4)

    (slab,) = slabs([image(n, height_mm=mm) for n, mm in enumerate(heights_mm)])

    assert len(slab.members) == 8


def test_a_repeated_series_makes_slabs_of_its_own() -> None:
    first = [image(n, height_mm=-4 * n) for n in range(4)]
    again = [image(n, height_mm=-4 * n + 1, series="2.25.6") for n in range(4)]

    found = slabs([*first, *again])

    assert sorted(slab.members for slab in found) == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_slabs_come_cranial_to_caudal_although_tilted_against_each_other() -> None:
    images = disc_angled_stack()

    found = slabs(images)

    # They were built that way, so the indices run through.
    assert [index for slab in found for index in slab.members] == list(range(17))


def test_a_normal_that_points_to_the_feet_changes_nothing() -> None:
    images = disc_angled_stack()
    turned = [
        replace(one, row_direction=one.column_direction, column_direction=(1.0, 0, 0))
        for one in images
    ]

    found = slabs(turned)

    assert [slab.members for slab in found] == [slab.members for slab in slabs(images)]


def test_the_centre_lies_half_the_matrix_away_from_the_first_pixel() -> None:
    header = replace(
        image(),
        rows=5,
        columns=9,
        spacing_mm=(2.0, 0.5),
        position_lps_mm=(10.0, 20.0, 30.0),
        column_direction=(0.0, 0.0, -1.0),
    )

    # 8 columns of 0.5 mm to the left, 4 rows of 2 mm downwards, halved.
    assert centre_lps_mm(header) == pytest.approx((12.0, 20.0, 26.0))


def test_an_image_without_geometry_has_no_centre() -> None:
    with pytest.raises(ValueError, match="without geometry"):
        centre_lps_mm(replace(image(), spacing_mm=None))


def test_an_image_without_orientation_belongs_to_no_slab() -> None:
    with pytest.raises(ValueError, match="without orientation"):
        slabs([replace(image(), row_direction=None)])


@given(order=st.permutations(range(17)))
def test_the_order_of_the_images_does_not_matter(order: list[int]) -> None:
    images = disc_angled_stack()
    shuffled = [images[index] for index in order]

    assert members(shuffled, slabs(shuffled)) == members(images, slabs(images))


@given(
    heights_mm=st.lists(
        st.floats(-200, 200, allow_nan=False), min_size=1, max_size=25, unique=True
    ),
    tilt_deg=st.floats(-40, 40),
)
def test_positions_increase_towards_the_head_and_no_slice_is_lost(
    heights_mm: list[float], tilt_deg: float
) -> None:
    images = [
        image(n, height_mm=mm, tilt_deg=tilt_deg) for n, mm in enumerate(heights_mm)
    ]

    found = slabs(images)

    by_height = sorted(range(len(images)), key=lambda n: (-heights_mm[n], n))
    positions = [mm for slab in found for mm in slab.positions_mm]
    graded = [index for slab in found for index in slab.members]
    assert sorted(graded) == sorted(by_height)
    assert [heights_mm[index] for index in graded] == pytest.approx(
        [heights_mm[index] for index in by_height]
    )
    assert positions == pytest.approx(
        [heights_mm[index] * math.cos(math.radians(tilt_deg)) for index in graded]
    )
