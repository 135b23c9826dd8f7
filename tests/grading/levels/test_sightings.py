"""Several looks at one disc."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.headers import ImageHeader, Vector
from grading.landmarks.found import SagittalFound
from grading.levels.geometry import plus
from grading.levels.sightings import Place, nearest_images, places, sacrum_place
from tests.grading.spines import (
    NOTHING_SAGITTAL,
    SACRUM,
    centre,
    found,
    found_disc,
    margin,
    sagittal,
)

FIVE = [sagittal(x_mm, number) for number, x_mm in enumerate((-9, -4.5, 0, 4.5, 9))]


def heights(found_places: list[Place]) -> list[float]:
    return sorted(round(place.centre[2], 6) for place in found_places)


def with_disc(
    image: ImageHeader, seen: SagittalFound, where: Vector, sure: float = 0.9
) -> SagittalFound:
    return SagittalFound(
        (*seen.discs, found_disc(image, where, sure=sure)), seen.sacrum
    )


def test_a_disc_on_five_images_is_one_place() -> None:
    seen = places(FIVE, [found(image) for image in FIVE])

    assert heights(seen) == [0, 34, 68, 102, 136, 170]
    assert [place.weight for place in seen] == [pytest.approx(4.5)] * 6
    lowest = min(seen, key=lambda place: place.centre[2])
    assert lowest.centre == pytest.approx(centre(0))
    assert lowest.margin == pytest.approx(margin(0))


def test_what_only_one_of_five_images_shows_is_no_disc() -> None:
    looks = [found(image, range(3)) for image in FIVE]
    looks[0] = with_disc(FIVE[0], looks[0], (0, -20, 85))

    assert heights(places(FIVE, looks)) == [0, 34, 68]


def test_of_six_images_two_do_not_make_a_disc() -> None:
    six = [*FIVE, sagittal(13.5, 5)]
    looks = [found(image, range(3)) for image in six]
    for number in (0, 5):
        looks[number] = with_disc(six[number], looks[number], (0, -20, 85))

    assert heights(places(six, looks)) == [0, 34, 68]


def test_two_images_cannot_outvote_each_other() -> None:
    looks = [found(FIVE[1], range(3)), found(FIVE[2], range(2))]

    assert heights(places(FIVE[1:3], looks)) == [0, 34, 68]


def test_images_that_show_nothing_do_not_vote() -> None:
    looks = [found(FIVE[0]), *[NOTHING_SAGITTAL] * 4]

    assert len(places(FIVE, looks)) == 6
    assert sacrum_place(FIVE, looks) is not None


def test_a_sighting_that_strays_does_not_move_the_place() -> None:
    looks = [found(image, [0, 2, 3]) for image in FIVE]
    strayed = plus(centre(1), (0.0, 0.0, 9.0))
    sound = [
        with_disc(image, one, centre(1)) for image, one in zip(FIVE, looks, strict=True)
    ]
    sound[4] = with_disc(FIVE[4], looks[4], strayed, sure=0.2)

    assert heights(places(FIVE, sound)) == [0, 34, 68, 102]


def test_two_discs_of_one_image_never_become_one() -> None:
    close = [
        with_disc(image, found(image, [0]), (0.0, -20.0, 8.0)) for image in FIVE[:2]
    ]

    assert heights(places(FIVE[:2], close)) == [0, 8]


def test_a_crooked_spine_is_taken_from_the_images_next_to_its_canal() -> None:
    # The canal swings from x = -9 below to x = 9 above; off it discs look too low.
    canal = [(-9.0, 5.0, 0.0), (9.0, 5.0, 34.0)]
    looks = [
        SagittalFound(
            tuple(
                found_disc(image, (0.0, -20.0, 34 * n - (x - canal[n][0]) ** 2 / 30))
                for n in (1, 0)
            ),
            None,
        )
        for image, x in zip(FIVE, (-9, -4.5, 0, 4.5, 9), strict=True)
    ]

    crooked = heights(places(FIVE, looks, canal))
    straight = heights(places(FIVE, looks))

    assert crooked == pytest.approx([0, 34], abs=1)
    assert straight != pytest.approx([0, 34], abs=1)


def test_the_sacrum_needs_more_than_one_image_of_several() -> None:
    looks = [found(image, sacrum=number < 1) for number, image in enumerate(FIVE)]

    assert sacrum_place(FIVE, looks) is None


def test_the_sacrum_is_the_median_of_what_is_seen() -> None:
    assert sacrum_place(FIVE, [found(image) for image in FIVE]) == pytest.approx(SACRUM)


def test_a_disc_without_a_margin_on_any_image_has_none() -> None:
    looks = [SagittalFound((found_disc(image, centre(0)),), None) for image in FIVE]

    (place,) = places(FIVE, looks)

    assert place.margin is None


def test_the_images_next_to_the_canal_are_looked_at() -> None:
    images = [sagittal(5.0 * number, number) for number in range(-5, 6)]

    assert nearest_images(images, [(11.0, 0.0, 0.0)]) == [5, 6, 7, 8, 9]
    assert nearest_images(images, [(-25.0, 0, 0), (-10, 0, 0)]) == [0, 1, 2, 3, 4, 5]
    assert nearest_images(images, []) == [3, 4, 5, 6, 7]


@given(order=st.permutations(range(5)))
def test_the_order_of_the_images_does_not_matter(order: list[int]) -> None:
    images = [FIVE[index] for index in order]

    seen = places(images, [found(image) for image in images])

    assert heights(seen) == [0, 34, 68, 102, 136, 170]
